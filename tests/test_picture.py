"""Pictures: what they show is what the sounds hold, and every word is inside and legible."""

import struct

import numpy as np
import pytest
from matplotlib.figure import Figure

from deepdiva.errors import FileExistsAlreadyError
from deepdiva.picture import (
    draw_spectrogram,
    envelope_db,
    loudest_db,
    match_figure,
    match_picture,
    printable,
)

RATE = 44100


def tone(frequency, seconds=1.0, level=0.5, rate=RATE):
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@pytest.mark.parametrize("frequency", [60.0, 440.0, 5000.0, 15000.0])
def test_a_tone_shows_at_its_frequency_and_level(frequency):
    axis = Figure().subplots()
    image = draw_spectrogram(axis, tone(frequency), RATE)
    cells = image.get_array()
    row, column = np.unravel_index(np.argmax(cells[:, 20:-20]), cells[:, 20:-20].shape)
    edges = image.get_coordinates()[:, 0, 1]
    bin_hz = RATE / 4096
    assert edges[row] - bin_hz <= frequency <= edges[row + 1] + bin_hz
    # Half of full scale; between two bins a Hann window loses up to 1.4 dB.
    assert cells[row, column + 20] == pytest.approx(20 * np.log10(0.5), abs=1.5)
    assert axis.get_xlim() == (0.0, 1.0)


def test_the_match_is_drawn_on_the_scale_of_the_target():
    figure = match_figure(tone(440.0), 0.1 * tone(440.0), RATE)
    target, match, difference = (figure.subfigs[0].axes[i].collections[0] for i in (0, 1, 3))
    assert target.get_clim() == match.get_clim()
    row = np.argmax(target.get_array().mean(axis=1))
    assert np.allclose(difference.get_array()[row, 50:-50], -20.0, atol=0.01)


def test_loudness_of_silence():
    assert loudest_db(np.zeros(RATE, np.float32), RATE) == -120.0
    assert loudest_db(tone(1000.0, level=1.0), RATE) == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize(
    ("target", "match", "rate"),
    [
        (tone(440.0, 2.0), tone(300.0, 2.0), RATE),
        (tone(440.0), np.zeros(RATE, np.float32), RATE),
        (np.zeros(RATE, np.float32), np.zeros(RATE, np.float32), RATE),
        (tone(440.0, 0.01), tone(440.0, 0.02), RATE),
        (tone(440.0, 30.0, 3.0), tone(440.0, 29.0), RATE),
        (tone(440.0, 1.0, 0.5, 8000), tone(440.0, 1.0, 0.5, 8000), 8000),
        (tone(440.0, 1.0, 0.5, 192000), tone(440.0, 1.0, 0.5, 192000), 192000),
    ],
)
def test_nothing_is_cut_and_nothing_overlaps(target, match, rate):
    title = "a recording with a long name " * 6
    figure = match_figure(target, match, rate, title=title, distance=0.5)
    figure.draw_without_rendering()
    boxes = {}
    for axis in figure.findobj(lambda artist: hasattr(artist, "get_xticklabels")):
        low, high = sorted(axis.get_xlim())
        texts = [axis.xaxis.label, axis.yaxis.label, axis._left_title]
        texts += [
            t
            for t, at in zip(axis.get_xticklabels(), axis.get_xticks(), strict=True)
            if low <= at <= high
        ]
        for text in texts:
            if text.get_text() and text.get_visible():
                boxes[text] = text.get_window_extent()
    boxes[figure._suptitle] = figure._suptitle.get_window_extent()
    width, height = figure.canvas.get_width_height()
    for text, box in boxes.items():
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
    items = list(boxes.items())
    for index, (text, box) in enumerate(items):
        for other, other_box in items[index + 1 :]:
            assert not box.overlaps(other_box), (text, other)


def test_the_file(tmp_path):
    path = tmp_path / "match.png"
    match_picture(path, tone(440.0), tone(450.0), RATE, title="a $sound$ 音 of\tmine", distance=0.1)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1600, 900)
    with pytest.raises(FileExistsAlreadyError):
        match_picture(path, tone(440.0), tone(450.0), RATE)
    match_picture(path, tone(440.0), tone(440.0), RATE, force=True)
    assert path.read_bytes() != data


def test_titles():
    assert printable("Cello №5 \n höher") == "Cello №5 höher"
    assert printable("音") == "□"
    assert len(printable("name" * 100)) <= 100


def test_a_low_note_has_an_even_envelope_and_an_attack_is_seen():
    low = np.concatenate([np.zeros(RATE // 2, np.float32), tone(32.7, 1.5)])
    seconds, levels = envelope_db(low, RATE)
    held = levels[(seconds > 0.7) & (seconds < 1.8)]
    assert np.ptp(held) < 0.5
    assert held.mean() == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.1)
    rise = seconds[np.argmax(levels > held.mean() - 3.0)]
    assert rise == pytest.approx(0.5, abs=0.03)


def test_the_difference_shows_nothing_where_the_target_has_faded():
    target = np.concatenate([tone(440.0), np.zeros(RATE, np.float32)])
    figure = match_figure(target, tone(440.0, 2.0), RATE)
    gap = figure.subfigs[0].axes[3].collections[0].get_array()
    assert not gap[:, int(0.55 * gap.shape[1]) :].any()


def test_grade_key_and_models_stand_below_the_title():
    figure = match_figure(tone(440.0), tone(440.0), RATE, title="a", about="good, key 69")
    assert figure.get_suptitle() == "a\ngood, key 69"
