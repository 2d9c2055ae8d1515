"""What is reported at last is no farther than silence, nor than what the search began with."""

import numpy as np
import pytest

from deepdiva.errors import NoMatchError
from deepdiva.level import rms
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import default_space

NOTE = Note(sample_rate=8000, length_seconds=0.4, render_seconds=0.5)
SPACE = default_space()


@pytest.fixture(scope="module")
def engine():
    return make_renderer()


def settings(**changed):
    return RefineSettings(**{"evaluations": 96, "population": 32, "jobs": 1, **changed})


def partials(key, fall):
    """A tone whose partials fall by a power of their number, shape (NOTE.samples,)."""
    hertz = 440 * 2 ** ((key - 69) / 12)
    times = np.arange(NOTE.samples) / NOTE.sample_rate
    numbers = np.arange(1, int(3900 / hertz) + 1)[:, None]
    tone = (np.sin(2 * np.pi * hertz * numbers * times) / numbers**fall).sum(axis=0)
    return (0.1 * tone).astype(np.float32)


def out_of_reach(engine, target, seed):
    """A match with parameters that cannot reach the target."""
    space = ParameterSpace(engine.table, SPACE.base, ("ENV1.Atk",))
    return refine(target, engine, space, NOTE, settings(seed=seed))


@pytest.mark.parametrize("seed", [0, 1])
def test_no_match_is_farther_than_silence(engine, seed):
    target = partials(60, 3)
    result = out_of_reach(engine, target, seed)
    assert result.distance <= result.silence
    assert result.lowered_db > 0
    assert "farther than silence" in result.remarks[0]
    for sound in (result.sound, engine.render(result.patch[None], NOTE, seed)[0]):
        softer = 20 * np.log10(rms(target) / rms(sound))
        assert softer == pytest.approx(result.lowered_db, abs=0.3), "and the preset plays it so"


def test_what_is_beyond_silence_at_any_level_is_refused(engine):
    hiss = np.random.default_rng(0).standard_normal(NOTE.samples).astype(np.float32)
    target = 0.3 * np.sin(2 * np.pi * 0.02 * np.arange(NOTE.samples), dtype=np.float32)
    with pytest.raises(NoMatchError, match="no nearer than silence"):
        out_of_reach(engine, target + 1e-3 * hiss, 0)


def test_no_match_is_farther_than_what_the_search_began_with(engine):
    point = np.full((1, SPACE.dimensions), 0.4)
    target = engine.render(SPACE.patches(point), NOTE, 5)[0]
    start = Start(SPACE, np.concatenate([np.full((70, SPACE.dimensions), 0.9), point])[-40:])
    # The optimizer's own budget is so small that none of the start is tried.
    result = refine(target, engine, SPACE, NOTE, settings(evaluations=4, seed=5), start=start)
    assert result.distance < 0.05
