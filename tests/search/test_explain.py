"""What a match rests on: parameters that cannot be heard are uncertain, others matter."""

import numpy as np
import pytest

from deepdiva.distance import AVERAGED, AveragedDistance
from deepdiva.note import Note
from deepdiva.search.archive import Archive
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.explain import ALTERNATIVES, APART, OFFSETS, explain
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(sample_rate=8000, length_seconds=0.4, render_seconds=0.5)
FREE = ("OSC.Vol1", "OSC.Tune2", "OSC.Wave1", "OSC.Wave2", "VCF1.Freq")
FREQ, TUNE_2, WAVE_1, WAVE_2 = (
    FREE.index(name) for name in ("VCF1.Freq", "OSC.Tune2", "OSC.Wave1", "OSC.Wave2")
)


@pytest.fixture(scope="module")
def looked_around():
    """A sound of the first oscillator alone, explained around its own patch."""
    base = DIVA.defaults()
    for name, value in {"OSC.Vol1": 80.0, "OSC.Vol2": 0.0, "VCF1.Freq": 80.0}.items():
        base[DIVA.index(name)] = value
    space = ParameterSpace(DIVA, base, FREE)
    engine = PanelRenderer()
    target = engine.render(base[None], NOTE, 5)[0]
    best = space.normalised(base[None])[0]
    archive = Archive(space)
    rng = np.random.default_rng(1)
    # The silent oscillator's pitch and wave at random, and points that sound otherwise.
    deaf = np.tile(best, (40, 1))
    deaf[:, TUNE_2] = rng.random(40)
    deaf[:, WAVE_2] = rng.choice(space.parameters[WAVE_2].choice_positions, 40)
    for points in (best[None], deaf, space.random(rng, 60)):
        archive.add(points, np.full(len(points), 0.5) + rng.random(len(points)))
    with Evaluator(target, engine, space, NOTE, 0, 1) as evaluator:
        explanation = explain(best, archive, evaluator)
    return explanation, space, target, base


def test_what_cannot_be_heard_is_uncertain_and_what_can_matters(looked_around):
    explanation, *_ = looked_around
    roles = {role.name: role for role in explanation.roles}
    assert tuple(roles) == FREE
    for name in ("OSC.Tune2", "OSC.Wave2"):
        assert roles[name].uncertain
        assert roles[name].effect == pytest.approx(0.0, abs=explanation.chance)
    for name in ("VCF1.Freq", "OSC.Wave1"):
        assert not roles[name].uncertain
        assert roles[name].effect > 3 * explanation.chance
    assert explanation.chance >= 0.0


def role_and_growth(name, moved, **knobs):
    """What is said of the one free parameter of a patch, and the growth where it is moved."""
    base = DIVA.defaults()
    for knob, value in knobs.items():
        base[DIVA.index(knob.replace("_", ".", 1))] = value
    space = ParameterSpace(DIVA, base, (name,))
    engine = PanelRenderer()
    target = engine.render(base[None], NOTE, 5)[0]
    with Evaluator(target, engine, space, NOTE, 0, 1) as evaluator:
        best = space.normalised(base[None])[0]
        explanation = explain(best, Archive(space), evaluator)
    others = np.repeat(base[None], len(moved), axis=0)
    others[:, DIVA.index(name)] = moved
    judge = AveragedDistance(target, NOTE.sample_rate, AVERAGED)
    [role] = explanation.roles
    return role, judge(engine.render(others, NOTE, 0)) - explanation.distance


@pytest.mark.parametrize(("level", "moved"), [(0.4, 5.4), (99.6, 94.6)])
def test_a_move_that_the_range_cuts_short_says_nothing(level, moved):
    """Near an end, the other way counts: the little that is left this way is never heard."""
    knobs = {"OSC_Vol1": level, "OSC_Vol2": 50.0, "VCF1_Freq": 90.0}
    role, growth = role_and_growth("OSC.Vol1", [moved], **knobs)
    assert role.effect == pytest.approx(growth[0])


@pytest.mark.parametrize(("voices", "reach"), [(1.0, [2.0]), (3.0, [2.0, 4.0]), (6.0, [5.0])])
def test_a_count_is_compared_with_the_next_counts(voices, reach):
    """A twentieth of the range would leave it where it is, and nothing would ever matter."""
    knobs = {"OSC_Vol1": 80.0, "VCF1_Freq": 80.0, "VCC_Voicing": voices}
    role, growth = role_and_growth("VCC.Voicing", reach, **knobs)
    assert role.effect == pytest.approx(growth.min())
    assert role.effect > 0.0


def test_the_span_of_equal_values_holds_the_match_and_is_wide_where_nothing_is_heard(looked_around):
    explanation, space, *_ = looked_around
    for position, role in enumerate(explanation.roles):
        assert role.low <= role.value <= role.high
        parameter = space.parameters[position]
        if role.name == "OSC.Tune2":
            reach = max(OFFSETS) * (parameter.maximum - parameter.minimum)
            assert role.high - role.value == pytest.approx(reach)
            assert role.value - role.low == pytest.approx(reach)
    freq = explanation.roles[FREQ]
    assert freq.high - freq.low < 0.11 * (space.parameters[FREQ].maximum - 30.0)
    wave = explanation.roles[WAVE_1]
    assert (wave.low, wave.high) == (wave.value, wave.value)


def test_alternatives_sound_alike_and_are_apart(looked_around):
    explanation, space, target, base = looked_around
    assert 2 <= len(explanation.alternatives) <= ALTERNATIVES
    judge = AveragedDistance(target, NOTE.sample_rate, AVERAGED)
    distances = judge(PanelRenderer().render(explanation.alternatives, NOTE, 0))
    assert np.all(distances <= explanation.distance + explanation.chance)
    assert np.all(np.diff(distances) >= 0), "the best first"
    points = space.normalised(np.vstack([base, explanation.alternatives]))
    ordered = space.continuous
    classes = [dimension.position for dimension in space.classes]
    for row, one in enumerate(points):
        for other in points[row + 1 :]:
            assert (
                np.abs(one - other)[ordered].max() >= APART - 1e-3
                or np.abs(one - other)[classes].max() > 0
            )


def test_what_json_holds(looked_around):
    explanation, space, *_ = looked_around
    text = explanation.to_dict()
    assert set(text) == {"distance", "chance", "parameters"}
    assert [entry["name"] for entry in text["parameters"]] == list(space.names)
    assert all(
        set(entry) == {"name", "value", "effect", "low", "high", "uncertain"}
        for entry in text["parameters"]
    )
