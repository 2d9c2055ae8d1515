"""The picture of a search."""

import struct

import numpy as np
import pytest

from deepdiva.search.evaluator import Scores
from deepdiva.search.plot import history_picture
from deepdiva.search.search_history import Generation, History
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import default_space

SPACE = default_space()


def history(space=SPACE, stages=("survey", "survey", "race", "polish"), batch=16):
    rng = np.random.default_rng(0)
    made = History(space)
    for number, stage in enumerate(stages):
        distances = rng.random(batch) + 1.0 / (1 + number)
        scores = Scores(distances, int(distances.argmin()), float(distances.min()))
        objective = "fine" if stage == "polish" else "coarse"
        made.add(Generation(stage, objective, space.random(rng, batch), scores, 0.1 * number))
    return made


def size(picture):
    """Width and height in pixels, as the header of a PNG file says."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture[12:16] == b"IHDR"
    return struct.unpack(">II", picture[16:24])


def test_the_same_search_is_the_same_picture():
    assert history_picture(history(), "bass.wav") == history_picture(history(), "bass.wav")
    assert history_picture(history(), "bass.wav") != history_picture(history(), "lead.wav")


def test_each_parameter_has_its_lane():
    few = ParameterSpace(SPACE.table, SPACE.base, ("VCF1.Freq", "OSC.Wave1"))
    low, high = (size(history_picture(history(space), "a"))[1] for space in (few, SPACE))
    assert high - low == pytest.approx(9 * 0.32 * 110, abs=2), "nine lanes more"


def test_titles_are_text_and_short_searches_have_pictures():
    assert size(history_picture(history(), "price_$5 or $6^{.wav"))
    assert size(history_picture(history(stages=("survey",), batch=1), "one candidate"))
    classes = ParameterSpace(SPACE.table, SPACE.base, ("OSC.Wave1",))
    assert size(history_picture(history(classes), "classes alone"))


def test_the_best_so_far_is_followed_until_the_objective_changes():
    made = history()
    leaders = made.progress()
    assert len(leaders) == len(made.generations)
    assert leaders[-1] is made.generations[-1], "the polish is judged by itself"
    for position, leader in enumerate(leaders[:3]):
        lowest = min(g.scores.distances.min() for g in made.generations[: position + 1])
        assert leader.scores.distances.min() == lowest


def test_the_wide_search_is_what_the_first_objective_scored():
    made = history()
    wide = made.wide()
    assert len(wide) == 48, "all but the polish"
    nearest = min(g.scores.distances.min() for g in made.generations[:3])
    assert wide.best_distance == nearest
    assert len(History(SPACE).wide()) == 0
