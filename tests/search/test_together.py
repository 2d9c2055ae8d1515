"""One preset for several recordings of one instrument."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import deepdiva
from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.renderer import Failure, PartialRenderError, RenderBatch
from deepdiva.renderers import make_renderer
from deepdiva.search.sequence import SequenceRenderer, pieces, sequence_note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.synthesizer import SYNTHESIZER

RATE = 22050
NOTES = (
    Note(36, 127, 0.3, 0.3, RATE),
    Note(60, 127, 0.2, 0.2, RATE),
    Note(60, 40, 0.2, 0.25, RATE),
)


@pytest.fixture(scope="module")
def engine():
    return make_renderer()


@pytest.fixture(scope="module")
def recordings(engine, tmp_path_factory):
    """A patch whose filter follows the key, and whose level follows the velocity."""
    folder = tmp_path_factory.mktemp("recordings")
    patch = SYNTHESIZER.with_values(
        DIVA.defaults(), {"VCF1.KeyScl": 100.0, "ENV1.Vel": 80.0, "VCF1.Freq": 75.0}
    )
    for name, note in zip(("bass_C2", "bass_C4", "bass_C4_v40"), NOTES, strict=True):
        write_wav(folder / f"{name}.wav", engine.render(patch[None], note, 1)[0], RATE)
    return folder


def test_a_sequence_is_its_notes_one_after_the_other(engine):
    patches = np.stack([DIVA.defaults(), DIVA.defaults()])
    patches[1, DIVA.index("VCF1.Freq")] = 60.0
    whole = sequence_note(NOTES)
    audio = SequenceRenderer(engine, NOTES).render(patches, whole, 5)
    assert audio.shape == (2, whole.samples)
    for note, part in zip(NOTES, pieces(NOTES), strict=True):
        assert np.array_equal(audio[:, part], engine.render(patches, note, 5))
    with pytest.raises(InvalidValueError, match=r"The sequence lasts 0\.7"):
        SequenceRenderer(engine, NOTES).render(patches, NOTES[0])
    with pytest.raises(InvalidValueError, match="one sample rate"):
        sequence_note([NOTES[0], Note()])


def test_a_patch_that_fails_with_one_note_has_failed(engine):
    class Failing(type(engine)):
        def render(self, patches, note, seeds=0):
            audio = super().render(patches, note, seeds)
            if note == NOTES[1]:
                raise PartialRenderError(RenderBatch(audio, (Failure(1, "crashed"),)))
            return audio

    batch = SequenceRenderer(Failing(), NOTES).render_checked(
        np.stack([DIVA.defaults()] * 2), sequence_note(NOTES)
    )
    assert batch.failures == (Failure(1, "crashed"),)
    assert not batch.audio[1].any()
    assert batch.audio[0].any()


def refine(*arguments, expect=0):
    done = CliRunner().invoke(main, ["refine", "--free", "ms-rev1", *map(str, arguments)])
    assert done.exit_code == expect, done.output
    return done


OPTIONS = ["--sample-rate", RATE, "--no-predict", "--jobs", "1", "--seed", "1"]


def test_recordings_get_one_preset(recordings, tmp_path):
    options = ["-o", tmp_path, *OPTIONS, "--evaluations", "200", "--together"]
    [found] = json.loads(refine(recordings, *options, "--json").stdout)
    assert found["preset"] == str(tmp_path / "bass.h2p")
    assert {path.suffix for path in tmp_path.iterdir()} == {".h2p", ".wav", ".png", ".run"}
    notes = [(row["note"]["pitch"], row["note"]["velocity"]) for row in found["recordings"]]
    assert notes == [(36, 127), (60, 127), (60, 40)]
    assert all(0 < row["distance"] < row["silence"] for row in found["recordings"])
    assert {"VCF1.KeyScl", "ENV1.KeyFlw", "ENV1.Vel"} <= set(found["parameters"])
    resumed = refine(recordings, *options, "--resume").stdout
    assert "bass_C4_v40.wav, key 60, velocity 40: distance" in resumed
    run = json.loads((tmp_path / "bass.run" / "run.json").read_text())
    assert [note["pitch"] for note in run["pieces"]] == [36, 60, 60]


def test_what_follows_the_key_is_found(recordings):
    sounds = [recordings / f"{name}.wav" for name in ("bass_C2", "bass_C4")]
    result = deepdiva.match(
        sounds,
        evaluations=300,
        predict=False,
        free=("VCF1.Freq", "VCF1.KeyScl"),
        jobs=1,
        seed=2,
    )
    assert isinstance(result.preset, Preset)
    assert result.values["VCF1.KeyScl"] == pytest.approx(100.0, abs=12.0)
    assert result.values["VCF1.Freq"] == pytest.approx(75.0, abs=3.0)


def test_what_does_not_go_together(recordings, tmp_path):
    options = ["-o", tmp_path, *OPTIONS, "--evaluations", "64", "--together"]
    one = recordings / "bass_C2.wav"
    assert "here is 1" in " ".join(refine(one, *options, expect=2).stderr.split())
    said = refine(recordings, *options, "--note-pitch", "48", expect=2).stderr
    assert "have one each" in " ".join(said.split())
    inside = tmp_path / "bass.wav"
    inside.write_bytes(one.read_bytes())
    said = refine(inside, recordings / "bass_C4.wav", *options, "--force", expect=2).stderr
    assert "would overwrite a recording" in " ".join(said.split())
