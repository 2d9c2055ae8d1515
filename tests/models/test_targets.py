"""Patches as classes and continuous values, and back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from deepdiva.models.targets import TargetCode, grid_points
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space


def test_classes_and_values_of_the_default_space() -> None:
    code = TargetCode(default_space())
    assert code.class_names == ("OSC.Tune1", "OSC.Wave1", "OSC.Wave2")
    assert code.class_counts == (5, 4, 4)
    assert len(code.continuous_names) == 8


def test_round_trip_without_dequantisation_is_exact() -> None:
    space = default_space()
    code = TargetCode(space)
    x = space.random(np.random.default_rng(0), 500)
    np.testing.assert_allclose(code.join(*code.split(x)), x, atol=1e-12)


def test_round_trip_keeps_every_class_and_stepped_value() -> None:
    stepped = next(p.name for p in DIVA if p.kind == "int" and p.spelling)
    space = ParameterSpace(DIVA, DIVA.defaults(), ("OSC.Wave1", "FX1.Module", stepped))
    code = TargetCode(space)
    rng = np.random.default_rng(1)
    x = space.normalised(space.patches(rng.random((2000, 3))))
    np.testing.assert_allclose(code.join(*code.split(x, rng)), x, atol=1e-12)


def test_a_count_between_its_steps_is_told_as_it_is_played() -> None:
    space = ParameterSpace(DIVA, DIVA.defaults(), ("VCC.Voicing",))
    code = TargetCode(space)
    rng = np.random.default_rng(1)
    x = rng.random((2000, 1))
    told = space.patches(code.join(*code.split(x, rng)))
    np.testing.assert_array_equal(told, space.patches(x))


def test_a_grid_chosen_evenly_becomes_the_uniform_density() -> None:
    """Both ends included: they would otherwise get half a cell."""
    stepped = next(p for p in DIVA if p.kind == "int" and len(p.choices) > 10)
    space = ParameterSpace(DIVA, DIVA.defaults(), (stepped.name,))
    code = TargetCode(space)
    rng = np.random.default_rng(2)
    x = rng.choice(stepped.choice_positions, (20_000, 1))
    _, values = code.split(x, rng)
    assert stats.kstest(values[:, 0], "uniform").pvalue > 0.01
    assert 0.0 < values.min() < 0.001
    assert 0.999 < values.max() < 1.0


@pytest.mark.parametrize(
    ("name", "points"), [("VCF1.Freq", 12_001), ("OSC.Tune2", 6_001), ("ENV1.Sus", 10_001)]
)
def test_grid_of_a_preset_file(name: str, points: int) -> None:
    assert grid_points(DIVA[name]) == points


def test_values_beyond_the_edges_stay_in_the_cube() -> None:
    space = default_space()
    code = TargetCode(space)
    x = code.join(np.zeros((2, 3), dtype=np.int64), np.array([[0.0] * 8, [1.0] * 8]))
    assert x.min() == 0.0
    assert x.max() == 1.0
