"""Level, tuning and release: what a recording's own level and tuning do to its match."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.errors import InvalidValueError
from deepdiva.level import REFERENCE_RMS, at_reference, level_of, rms
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.search.evaluator import Scores
from deepdiva.search.journal import GENERATIONS, Journal
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.space import VOLUMES
from deepdiva.synths.diva.synthesizer import SYNTHESIZER

NOTE = Note(sample_rate=8000, length_seconds=0.2, render_seconds=0.25)
SPACE = default_space()
VOLUME, OUTPUT = (DIVA.index(name) for name in VOLUMES)


@pytest.fixture(scope="module")
def engine():
    return make_renderer()


@pytest.fixture(scope="module")
def target(engine):
    """A sound of the base patch."""
    audio = engine.render(DIVA.defaults()[None], NOTE, 3)[0]
    return 0.2 * audio / np.abs(audio).max()


def test_a_gain_is_the_volumes_and_then_the_outputs():
    patch = DIVA.defaults()

    def volumes(gain):
        changed = SYNTHESIZER.with_gain(patch, gain, VOLUMES)
        assert np.array_equal(
            np.delete(changed, [VOLUME, OUTPUT]), np.delete(patch, [VOLUME, OUTPUT])
        )
        return changed[VOLUME], changed[OUTPUT]

    assert volumes(1.0) == (50.0, 150.0)
    assert volumes(0.5) == (25.0, 150.0)
    assert volumes(1.5) == (75.0, 150.0)
    assert volumes(2.2) == (100.0, 165.0)
    assert volumes(9.0) == (100.0, 200.0), "no louder than that"
    assert volumes(0.01) == (5.0, 15.0), "two decimals of 0.5 would be too coarse"


def test_a_gain_is_what_it_says(engine):
    patch = DIVA.defaults()
    gains = [0.01, 0.3, 1.0, 2.5]
    patches = np.array([SYNTHESIZER.with_gain(patch, gain, VOLUMES) for gain in gains])
    heard = rms(engine.render(patches, NOTE, 1))
    assert heard / heard[2] == pytest.approx(gains, rel=0.01)


def test_sounds_are_compared_at_one_level(target):
    sounds, gains = at_reference(np.stack([target, 0.3 * target, 0.0 * target]))
    assert rms(sounds)[:2] == pytest.approx(REFERENCE_RMS, rel=1e-5)
    assert 0.3 * gains[1] == pytest.approx(gains[0])
    assert not sounds[2].any()


@pytest.mark.parametrize(("kept", "volume"), [(("VCA1.Vol",), 50.0), ((), 0.0)])
def test_a_level_that_is_not_to_be_set(engine, target, kept, volume):
    base = DIVA.defaults()
    base[VOLUME] = volume
    assert level_of(target, engine, base, kept) is None


def test_the_level_of_a_recording_is_the_presets_volume(engine, target):
    """The same preset but for its volume, at 0, -20 and -40 dB, and the same distance."""
    settings = RefineSettings(evaluations=160, jobs=1)
    found = [
        refine(np.float32(gain) * target, engine, SPACE, NOTE, settings)
        for gain in (1.0, 0.1, 0.01)
    ]
    for gain, other in zip((0.1, 0.01), found[1:], strict=True):
        moved = np.delete(other.patch, [VOLUME, OUTPUT])
        assert moved == pytest.approx(np.delete(found[0].patch, [VOLUME, OUTPUT]), abs=0.02)
        assert other.distance == pytest.approx(found[0].distance, rel=0.01)
        assert rms(other.sound) == pytest.approx(gain * rms(target), rel=0.01)
        assert other.remarks == ()


def test_where_the_volume_ends_is_said(engine, target):
    result = refine(100.0 * target, engine, SPACE, NOTE, RefineSettings(evaluations=64, jobs=1))
    assert (result.patch[VOLUME], result.patch[OUTPUT]) == (100.0, 200.0)
    short = 20.0 * np.log10(100.0 * rms(target) / rms(result.sound))
    assert result.shortfall_db == pytest.approx(short)
    assert f"{short:.0f} dB softer than the recording" in result.remarks[0]


def test_a_volume_that_is_free_is_searched(engine, target):
    space = ParameterSpace(DIVA, DIVA.defaults(), ("VCA1.Vol", "VCF1.Freq"))
    settings = RefineSettings(evaluations=200, jobs=1)
    result = refine(0.5 * target, engine, space, NOTE, settings)
    assert result.patch[OUTPUT] == DIVA.defaults()[OUTPUT]
    assert result.distance < 0.2


def test_a_damaged_gain_is_refused(tmp_path):
    points = np.array([[0.5]])
    scores = Scores(np.array([1.0]), 0, 1.0, gain=2.5)
    with Journal(tmp_path, {}) as journal:
        journal.record(points, scores, 0.1)
    with Journal(tmp_path, {}, resume=True) as journal:
        recalled = journal.recall(points)
        assert recalled is not None
        assert recalled[0].gain == 2.5
    path = tmp_path / GENERATIONS
    path.write_text(path.read_text().replace("2.5", "-2.5"))
    with (
        Journal(tmp_path, {}, resume=True) as journal,
        pytest.raises(InvalidValueError, match=r"gain is -2.5, and must be a number above 0"),
    ):
        journal.recall(points)


@pytest.fixture(scope="module")
def recordings(engine, tmp_path_factory):
    """A note that is 32 cents sharp and released, whole and cut before its release."""
    folder = tmp_path_factory.mktemp("recordings")
    patch = SYNTHESIZER.with_values(
        DIVA.defaults(), {"VCC.FTun": 32.0, "ENV1.Sus": 80.0, "OSC.Vol2": 0.0}
    )
    note = Note(length_seconds=1.2, render_seconds=1.2, sample_rate=22050)
    faded = 10.0 ** (-10.0 * np.maximum(0.0, np.arange(note.samples) / 22050 - 0.6))
    audio = engine.render(patch[None], note, 1)[0] * faded.astype(np.float32)
    write_wav(folder / "whole.wav", audio, note.sample_rate)
    write_wav(folder / "cut.wav", audio[: round(0.5 * note.sample_rate)], note.sample_rate)
    return folder


def matched(sound, folder, *options):
    arguments = [
        "refine",
        "--free",
        "ms-rev1",
        str(sound),
        "-o",
        str(folder),
        "--evaluations",
        "64",
        "--jobs",
        "1",
    ]
    arguments += ["--sample-rate", "22050", "--no-predict", "--json", *options]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    [found] = json.loads(done.stdout)
    return found, Preset.read(found["preset"]).values()


def test_a_preset_plays_in_tune_unless_asked(recordings, tmp_path):
    free = ("--free", "VCF1.Freq")
    found, patch = matched(recordings / "whole.wav", tmp_path / "a", *free)
    kept, tuned = matched(recordings / "whole.wav", tmp_path / "b", *free, "--keep-tuning")
    assert any("plays in tune" in sentence for sentence in found["report"])
    assert patch[DIVA.index("VCC.FTun")] == 0.0
    assert tuned[DIVA.index("VCC.FTun")] == pytest.approx(32.0, abs=3.0)
    assert found["distance"] == kept["distance"], "both are compared at the recording's tuning"
    _, patch = matched(recordings / "whole.wav", tmp_path / "c", *free, "--lock", "VCC.FTun=5")
    assert patch[DIVA.index("VCC.FTun")] == 5.0


def test_a_release_is_free_where_it_is_heard(recordings, tmp_path):
    found, _ = matched(recordings / "whole.wav", tmp_path)
    assert "ENV1.Rel" in found["parameters"]
    assert found["note"]["length_seconds"] == pytest.approx(0.6, abs=0.05)
    found, _ = matched(recordings / "cut.wav", tmp_path)
    assert "ENV1.Rel" not in found["parameters"]
    assert found["note"]["length_seconds"] == found["note"]["render_seconds"] == 0.5
    found, _ = matched(recordings / "whole.wav", tmp_path / "c", "--free", "VCF1.Freq")
    assert set(found["parameters"]) == {"VCF1.Freq"}
