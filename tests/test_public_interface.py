"""`import deepdiva`: what it offers, that it costs nothing, and that it is what commands do."""

import inspect
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import deepdiva
from deepdiva.audio import load_target, write_wav
from deepdiva.cli import main
from deepdiva.distance import SpectralDistance
from deepdiva.level import at_reference
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = deepdiva.Note(length_seconds=0.2, render_seconds=0.25)
NOTE_OPTIONS = ["--note-pitch", "48", "--note-length", "0.2", "--render-length", "0.25"]
PUBLIC = [
    "DeepDivaError",
    "MatchResult",
    "Note",
    "Prediction",
    "Preset",
    "__version__",
    "match",
    "predict",
]


def signature(function):
    return list(inspect.signature(function).parameters)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound of the embedded engine."""
    space = default_space()
    audio = PanelRenderer().render(
        space.patches(space.random(np.random.default_rng(3), 1)), NOTE, 9
    )[0]
    path = tmp_path_factory.mktemp("sounds") / "bass.wav"
    write_wav(path, audio, NOTE.sample_rate)
    return path


def test_what_is_public_stays():
    """A name or a parameter that is taken away or renamed breaks what users have written."""
    assert deepdiva.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(deepdiva))
    assert signature(deepdiva.match) == [
        *("sound", "note", "mode", "evaluations", "seconds", "base", "free", "lock"),
        *("predict", "plugin", "keep_tuning", "seed", "jobs", "on_progress"),
    ]
    assert signature(deepdiva.predict) == [
        *("sound", "model_file", "space", "candidates", "pitch", "base", "lock"),
        *("plugin", "keep_tuning", "device", "seed", "jobs"),
    ]
    assert signature(deepdiva.MatchResult.save) == ["self", "folder", "force"]
    assert signature(deepdiva.Prediction.save) == ["self", "folder", "picture", "force"]
    shared = {"preset", "preview", "sample_rate", "distance", "alternatives", "values", "remarks"}
    assert shared <= set(deepdiva.MatchResult.__dataclass_fields__)
    assert shared <= set(deepdiva.Prediction.__dataclass_fields__)


def test_every_public_name_says_what_it_is():
    for name in set(PUBLIC) - {"__version__"}:
        assert inspect.getdoc(getattr(deepdiva, name)), name


def test_a_name_that_is_not_there_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'mach'"):
        deepdiva.mach  # noqa: B018


def test_the_import_loads_nothing_but_itself():
    program = "import sys; before = set(sys.modules); import deepdiva; "
    program += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("deepdiva")} == {"deepdiva"}
    assert loaded & {"numpy", "click", "torch", "numba"} == set()


def test_a_match_is_what_refine_writes(sound, tmp_path):
    options = ["--evaluations", "120", "--seed", "3", "--jobs", "1", "--lock", "OSC.Wave1=2"]
    done = CliRunner().invoke(
        main,
        [
            "refine",
            "--free",
            "ms-rev1",
            str(sound),
            "-o",
            str(tmp_path / "cli"),
            *NOTE_OPTIONS,
            *options,
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    [told] = json.loads(done.stdout)
    result = deepdiva.match(
        sound,
        note=NOTE,
        evaluations=120,
        free=("ms-rev1",),
        seed=3,
        jobs=1,
        lock={"OSC.Wave1": 2.0},
    )
    assert (result.distance, result.silence) == (told["distance"], told["silence"])
    assert result.values == told["parameters"]
    assert len(result.alternatives) == len(told["alternatives"])
    assert list(tmp_path.iterdir()) == [tmp_path / "cli"], "a match alone writes nothing"
    saved = result.save(tmp_path / "python")
    for name in ("bass.h2p", "bass.wav", "bass.run/history.png", "bass.run/explanation.json"):
        one, other = ((tmp_path / way / name).read_bytes() for way in ("cli", "python"))
        assert one == other, name
    assert deepdiva.Preset.read(saved.preset).values() == pytest.approx(result.preset.values())
    with pytest.raises(deepdiva.DeepDivaError, match="exists"):
        result.save(tmp_path / "python")
    result.save(tmp_path / "python", force=True)


def test_the_preset_of_a_match_sounds_as_near_as_it_says(sound):
    result = deepdiva.match(
        sound,
        note=NOTE,
        evaluations=60,
        free=("ms-rev1",),
        predict=False,
        keep_tuning=True,
        jobs=1,
        seed=5,
    )
    target = at_reference(load_target(sound, NOTE).audio[None])[0][0]
    distance = SpectralDistance(target, NOTE.sample_rate)
    played = PanelRenderer().render(result.preset.values()[None], NOTE, 5)
    assert result.distance == pytest.approx(distance(at_reference(played)[0])[0], rel=1e-5)
    preview = at_reference(result.preview[None])[0]
    assert result.preview_distance == pytest.approx(distance(preview)[0], rel=1e-5)
    assert result.preview.shape == (NOTE.samples,)
    for other in result.alternatives:
        assert other.values().shape == result.preset.values().shape


def test_a_prediction_is_what_predict_writes(sound, tmp_path):
    options = ["-k", "8", "--jobs", "1", "--seed", "2"]
    done = CliRunner().invoke(
        main, ["predict", str(sound), "-o", str(tmp_path / "cli"), *options, "--json"]
    )
    assert done.exit_code == 0, done.output
    [told] = json.loads(done.stdout)
    answer = deepdiva.predict(sound, candidates=8, jobs=1, seed=2)
    assert answer.distance == told["distance"]
    assert answer.values == {name: one["value"] for name, one in told["parameters"].items()}
    assert len(answer.alternatives) == 5
    answer.save(tmp_path / "python")
    for name in ("bass.h2p", "bass.wav"):
        assert (tmp_path / "cli" / name).read_bytes() == (tmp_path / "python" / name).read_bytes()
    with pytest.raises(deepdiva.DeepDivaError, match="exists"):
        answer.save(tmp_path / "python")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "slow"}, "no mode 'slow'"),
        ({"evaluations": 0}, "evaluations is 0"),
        ({"free": ["OSC.Nothing"]}, "OSC.Nothing"),
        ({"base": "nowhere.h2p"}, "nowhere.h2p"),
    ],
)
def test_what_a_caller_can_mend_is_said(sound, options, message):
    with pytest.raises(deepdiva.DeepDivaError, match=message):
        deepdiva.match(sound, note=NOTE, **options)


def test_a_folder_is_not_one_sound(sound, tmp_path):
    for name in ("one.wav", "two.wav"):
        (tmp_path / name).write_bytes(sound.read_bytes())
    with pytest.raises(deepdiva.DeepDivaError, match="one at a time"):
        deepdiva.match(tmp_path, note=NOTE, evaluations=10, predict=False)
