"""An optimizer or a distance is one row: the help, the checks and the search know it then."""

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.errors import UnknownNameError
from deepdiva.level import at_reference
from deepdiva.note import Note
from deepdiva.search.enqueued import EnqueuedPoints
from deepdiva.search.objective import WEIGHTS
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.registry import DISTANCES, OPTIMIZERS, DistanceKind, OptimizerKind
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(length_seconds=0.2, render_seconds=0.25)
SPACE = default_space()


@pytest.fixture(scope="module")
def target():
    patch = SPACE.patches(SPACE.random(np.random.default_rng(3), 1))
    return PanelRenderer().render(patch, NOTE, 77)[0]


def density(target, _):
    """Difference of the mean magnitudes."""
    wanted = np.mean(np.abs(target), dtype=np.float64)
    return lambda sounds: np.abs(np.mean(np.abs(sounds), axis=1, dtype=np.float64) - wanted)


def search(target, **settings):
    chosen = RefineSettings(evaluations=160, jobs=1, **settings)
    return refine(target, PanelRenderer(), SPACE, NOTE, chosen)


def test_an_optimizer_is_one_row(target, tmp_path, monkeypatch):
    points = SPACE.random(np.random.default_rng(8), 200)

    def given(start, evaluations, population, rng):
        del start, evaluations, rng
        return EnqueuedPoints(points, population)

    monkeypatch.setitem(OPTIMIZERS, "Listed", OptimizerKind("points of a list", given))
    result = search(target, optimizer="listed")
    tried = np.concatenate([generation.points for generation in result.history.generations])
    assert np.array_equal(tried[:100], points[:100])
    sound = tmp_path / "bass.wav"
    write_wav(sound, target, NOTE.sample_rate)
    options = ["--optimizer", "LISTED", "--evaluations", "100", "--no-predict", "--jobs", "1"]
    options += [
        "--note-pitch",
        "48",
        "--note-length",
        "0.2",
        "--render-length",
        "0.25",
        "-o",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(main, ["refine", "--free", "ms-rev1", str(sound), *options])
    assert done.exit_code == 0, done.output
    assert "Listed," in (tmp_path / "out" / "bass.run" / "history.csv").read_text()


def test_a_distance_is_one_row(target, monkeypatch):
    monkeypatch.setitem(DISTANCES, "density", DistanceKind("of the whole", density))
    result = search(target, weights={"density": 2.0})
    first = result.history.generations[0]
    sounds = PanelRenderer().render(SPACE.patches(first.points).round(2), NOTE, 0)
    wanted = density(at_reference(target[None])[0][0], 0)(at_reference(sounds)[0])
    assert first.scores.distances == pytest.approx(2.0 * wanted, rel=1e-3)


def test_a_distance_that_is_not_there_is_refused():
    with pytest.raises(UnknownNameError, match="no distance 'loud': choose from averaged, lines"):
        RefineSettings(weights={"loud": 1.0})


def test_all_that_objectives_weigh_is_there():
    assert {name for weighted in WEIGHTS.values() for name in weighted} <= set(DISTANCES)


def test_the_own_differential_evolution_beats_chance(target):
    def mean(optimizer):
        return np.mean([search(target, optimizer=optimizer, seed=s).distance for s in range(4)])

    assert mean("MixedDE") < mean("RandomSearch")


def test_the_help_lists_all_rows():
    text = " ".join(CliRunner().invoke(main, ["refine", "--help"]).output.split())
    for name, kind in (*OPTIMIZERS.items(), *DISTANCES.items()):
        assert name in text
        assert kind.description in text
