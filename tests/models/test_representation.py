"""What the posterior network hears, against sounds whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.models.representation import Representation, mel_filters
from deepdiva.models.representation_settings import RepresentationSettings, stretched_positions
from deepdiva.note import Note


def sine(note: Note, hz: float, amplitude: float = 1.0) -> NDArray[np.float32]:
    t = np.arange(note.samples) / note.sample_rate
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def decibels(view: torch.Tensor, floor_db: float = -90.0) -> NDArray[np.float64]:
    return (view.double().numpy() - 1.0) * (-floor_db / 2.0)


@pytest.mark.parametrize("hz", [130.8, 440.0, 1000.0, 5000.0, 12000.0])
def test_a_full_scale_sine_is_0_db_in_its_band(hz: float) -> None:
    note, settings = Note(), RepresentationSettings()
    views = Representation(note, settings)(torch.from_numpy(sine(note, hz)[None]))
    lines = decibels(views.lines[0])
    lowest = note.frequency_hz * 2 ** (settings.lowest_semitones / 12)
    expected = settings.bins_per_octave * np.log2(hz / lowest)
    for window in lines:
        assert abs(int(window.argmax()) - expected) <= 1.0
        # A line on the border of two bands gives half of its power to each.
        assert -3.3 < window.max() < 0.3
    # A triangle collects the whole line, 1.76 dB above its peak, or on a border half of that.
    assert -6.5 < decibels(views.bands[0]).max(axis=0).min() < 1.8
    assert decibels(views.level[0]).mean() == pytest.approx(0.0, abs=0.2)


def test_a_hundredth_of_the_amplitude_is_40_db_less() -> None:
    note = Note()
    hear = Representation(note, RepresentationSettings())
    loud, soft = hear(torch.from_numpy(np.stack([sine(note, 440.0), sine(note, 440.0, 0.01)])))[2]
    np.testing.assert_allclose(decibels(loud) - decibels(soft), 40.0, atol=0.01)


def test_silence_is_the_floor_in_every_view() -> None:
    note = Note()
    for view in Representation(note, RepresentationSettings())(torch.zeros(1, note.samples)):
        assert torch.all(view == -1.0)


def test_pitch_is_resolved_far_below_a_band() -> None:
    """Three cents apart is a twelfth of a band, and still plainly another picture."""
    note = Note()
    hear = Representation(note, RepresentationSettings())
    cents = 2.0 ** (3.0 / 1200.0)
    pair = np.stack([sine(note, 262.0), sine(note, 262.0 * cents)])
    low, high = decibels(hear(torch.from_numpy(pair)).lines)
    assert np.abs(low - high).max() > 1.0


def test_rows_do_not_see_each_other() -> None:
    note = Note()
    hear = Representation(note, RepresentationSettings())
    sounds = torch.from_numpy(
        np.random.default_rng(0).standard_normal((5, note.samples), dtype=np.float32)
    )
    together = hear(sounds)
    for row in range(5):
        for alone, batch in zip(hear(sounds[row : row + 1]), together, strict=True):
            torch.testing.assert_close(alone[0], batch[row], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "note",
    [
        Note(sample_rate=22050),
        Note(sample_rate=96000, render_seconds=0.5),
        Note(pitch=100, render_seconds=3.0),
        Note(pitch=0, render_seconds=0.2),
    ],
)
def test_any_note_and_rate(note: Note) -> None:
    views = Representation(note, RepresentationSettings())(torch.zeros(1, note.samples))
    assert views.bands.shape == (1, 64, 40)
    assert views.level.shape == (1, 64)
    assert views.lines.shape[2] > 48


def test_positions_stretch_and_never_repeat() -> None:
    positions = stretched_positions(88200, 40, 256.0)
    assert (positions[0], positions[-1]) == (0, 88200)
    assert positions[1] == pytest.approx(256, abs=1)
    steps = np.diff(positions)
    assert (np.diff(steps) >= -1).all()
    assert (stretched_positions(50, 40, 256.0)[1:] > stretched_positions(50, 40, 256.0)[:-1]).all()


def test_a_recording_too_short_for_its_steps_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="too short for 65 time steps"):
        Representation(Note(render_seconds=0.05), RepresentationSettings())


def test_no_mel_band_is_deaf() -> None:
    filters = mel_filters(44100, 512, 96, 18000.0)
    assert (filters.amax(dim=0) > 0.0).all()
    assert filters.max() <= 1.0
