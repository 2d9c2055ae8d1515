"""The search over a whole panel holds what it promises: never less, only what acts, to the bit."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.search.journal import GENERATIONS, Journal
from deepdiva.search.panel_search import PanelSearch
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.structure import STRUCTURE

NOTE = Note(pitch=60, length_seconds=0.15, render_seconds=0.2)
SETTINGS = RefineSettings(evaluations=330, seed=4, jobs=1)


@pytest.fixture(scope="module")
def space():
    """The whole panel of one chain, which is compiled for other tests anyway."""
    chain = {name: float(DIVA[name].default) for name in STRUCTURE.chain}
    still = {"ARP.OnOff": 0.0}
    return ParameterSpace(DIVA, DIVA.defaults(), STRUCTURE.panel).locked({**chain, **still})


@pytest.fixture(scope="module")
def target(space):
    patch = space.base.copy()
    for name, value in (("VCF1.Freq", 80.0), ("OSC.Tune2", 7.0), ("OSC.Vol2", 40.0)):
        patch[DIVA.index(name)] = value
    return make_renderer().render(patch[None], NOTE, 99)[0]


@pytest.fixture(scope="module")
def found(space, target):
    return refine(target, make_renderer(), space, NOTE, SETTINGS)


def test_more_evaluations_hold_all_that_fewer_held(space, target, found):
    fewer = refine(target, make_renderer(), space, NOTE, replace(SETTINGS, evaluations=130))
    long, short = found.history.wide(), fewer.history.wide()
    assert np.array_equal(long.points[: len(short)], short.points)
    assert found.history.wide().best_distance <= fewer.history.wide().best_distance
    assert min(answer.distance for answer in found.answers) == long.best_distance


def test_a_search_goes_on_with_a_larger_budget_where_it_ended(space, target, found, tmp_path):
    def search(evaluations, *, resume=False):
        settings = replace(SETTINGS, evaluations=evaluations)
        description = {"settings": settings.to_dict()}
        with Journal(tmp_path, description, resume=resume, extends=True) as journal:
            return refine(target, make_renderer(), space, NOTE, settings, journal=journal)

    search(130)
    recorded = (tmp_path / GENERATIONS).read_bytes().splitlines()
    longer = search(SETTINGS.evaluations, resume=True)
    assert np.array_equal(longer.history.wide().points, found.history.wide().points)
    assert longer.distance == found.distance
    kept = (tmp_path / GENERATIONS).read_bytes().splitlines()
    assert kept[: len(recorded) - 1] == recorded[:-1], "but for the batch that the budget cut"
    again = search(SETTINGS.evaluations, resume=True)
    assert np.array_equal(again.patch, found.patch)
    with pytest.raises(InvalidValueError, match="holds a longer search"):
        search(130, resume=True)


def test_the_first_candidates_are_those_of_the_start(space):
    known = Start(space, np.full((2, space.dimensions), 0.25))
    search = PanelSearch(known, STRUCTURE, NOTE, 0.0, np.random.default_rng(0))
    first = search.ask()
    assert np.array_equal(space.patches(first)[0], space.base)
    assert np.array_equal(first[1:], known.candidates)


def test_answers_say_what_they_use(found):
    best = found.answers[0]
    acting = STRUCTURE.acting(best.patch)
    assert {"VCF1.Freq", "OSC.Vol1"} <= acting
    assert best.modules == STRUCTURE.modules(best.patch)
    assert found.distance < found.silence


def test_a_search_goes_on_from_its_record_to_the_bit(space, target, found, tmp_path):
    def run():
        with Journal(tmp_path, {"deepdiva": "test"}, resume=True) as journal:
            return refine(target, make_renderer(), space, NOTE, SETTINGS, journal=journal)

    run()
    lines = (tmp_path / GENERATIONS).read_bytes().splitlines(keepends=True)
    assert "digest" in json.loads(lines[0])
    (tmp_path / GENERATIONS).write_bytes(b"".join(lines[:-2]) + lines[-2][:40])
    again = run()
    assert np.array_equal(again.patch, found.patch)
    assert again.distance == found.distance
    assert (tmp_path / GENERATIONS).read_bytes().count(b"\n") == len(lines)


def test_silence_is_no_match(target):
    quiet = {"OSC.Vol1": 0.0, "OSC.Vol2": 0.0, "VCF1.Fback": 0.0, "OSC.NoisDpt": 0.0}
    chain = {name: float(DIVA[name].default) for name in STRUCTURE.chain}
    space = ParameterSpace(DIVA, DIVA.defaults(), STRUCTURE.panel)
    locked = space.locked({**chain, **quiet, "VCF1.Res": 0.0, "VCF1.FFM": 0.0, "ARP.OnOff": 0.0})
    with pytest.raises(InvalidValueError, match="silent"):
        refine(target, make_renderer(), locked, NOTE, replace(SETTINGS, evaluations=16))


def test_a_chain_is_named_and_read_back():
    for patch in STRUCTURE.draws(60, 3, NOTE):
        values = STRUCTURE.chain_values(STRUCTURE.chain_label(patch))
        assert values == {name: patch[DIVA.index(name)] for name in STRUCTURE.chain}
    with pytest.raises(InvalidValueError, match="Ladder"):
        STRUCTURE.chain_values("Moog + Ladder")


def test_proposals_and_simplifications_are_patches_of_the_panel():
    for patch in STRUCTURE.draws(40, 5, NOTE):
        before = STRUCTURE.modules(patch)
        for proposal in STRUCTURE.simplifications(patch):
            changed = patch.copy()
            for name, value in proposal.values.items():
                changed[DIVA.index(name)] = value
            assert len(STRUCTURE.modules(changed)) < len(before), proposal
        for proposal in STRUCTURE.proposals(patch):
            assert proposal.values.keys() <= set(STRUCTURE.panel)
            for name, value in proposal.values.items():
                DIVA[name].check(value, grid=True)
