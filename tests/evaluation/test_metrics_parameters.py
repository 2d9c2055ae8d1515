"""Parameter errors: classes are right or wrong, and oscillators may exchange their parts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.evaluation import parameters
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space

SPACE = default_space()


def patch(**values: float) -> NDArray[np.float64]:
    """MS-REV1 with a few values changed; `OSC_Wave1=3` stands for `OSC.Wave1`."""
    result = DIVA.defaults()
    for name, value in values.items():
        result[DIVA.index(name.replace("_", "."))] = value
    return result


def test_the_truth_itself_is_perfect():
    errors = parameters.evaluate(patch(), patch(), SPACE)
    assert set(errors.each) == set(SPACE.names)
    assert set(errors.each.values()) == {0.0}
    assert (errors.parameter_error, errors.class_accuracy) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"VCF1_Freq": 147.0 - 12.0}, 12 / 120),
        ({"OSC_Tune2": -15.0}, 15 / 60),
        ({"OSC_Vol1": 0.0}, 50 / 100),
    ],
)
def test_continuous_errors_are_shares_of_the_range(changed, error):
    errors = parameters.evaluate(patch(), patch(**changed), SPACE)
    name = next(iter(changed)).replace("_", ".")
    assert errors.each[name] == pytest.approx(error)
    assert errors.parameter_error == pytest.approx(error / 8)
    assert errors.class_accuracy == 1.0


@pytest.mark.parametrize("wave", [1.0, 3.0, 4.0])
def test_every_wrong_class_is_equally_wrong(wave):
    errors = parameters.evaluate(patch(), patch(OSC_Wave1=wave), SPACE)
    assert errors.each["OSC.Wave1"] == 1.0
    assert errors.parameter_error == 0.0
    assert errors.class_accuracy == pytest.approx(2 / 3)


def test_an_octave_between_its_classes_counts_as_the_one_that_sounds():
    """Presets in circulation hold 11.43 where the switch stands at 12."""
    errors = parameters.evaluate(patch(OSC_Tune1=12.0), patch(OSC_Tune1=11.43), SPACE)
    assert errors.class_accuracy == 1.0


def test_fixed_parameters_do_not_count():
    errors = parameters.evaluate(patch(), patch(OSC_PW=10.0), SPACE)
    assert errors.parameter_error == 0.0


TWO_SAWS = {"OSC_Wave1": 2.0, "OSC_Wave2": 1.0}


def test_exchanged_oscillators_are_recognised():
    truth = patch(**TWO_SAWS, OSC_Tune1=12.0, OSC_Tune2=-12.0, OSC_Vol1=80.0, OSC_Vol2=20.0)
    match = patch(**TWO_SAWS, OSC_Tune1=-12.0, OSC_Tune2=12.0, OSC_Vol1=20.0, OSC_Vol2=80.0)
    errors = parameters.evaluate(truth, match, SPACE)
    assert errors.exchanged
    assert errors.parameter_error == 0.0
    assert errors.class_accuracy == 1.0


def test_an_error_cannot_be_exchanged_out_of_sight():
    truth = patch(**TWO_SAWS, OSC_Vol1=20.0, OSC_Vol2=20.0)
    match = patch(**TWO_SAWS, OSC_Vol1=90.0, OSC_Vol2=20.0)
    space = ParameterSpace(DIVA, truth, ("OSC.Vol1",))
    errors = parameters.evaluate(truth, match, space)
    assert not errors.exchanged
    assert errors.parameter_error == pytest.approx(0.7)


def test_a_failed_method_has_nothing_right():
    errors = parameters.failed(SPACE)
    assert (errors.parameter_error, errors.class_accuracy) == (1.0, 0.0)


def test_a_space_without_classes_has_no_accuracy():
    space = ParameterSpace(DIVA, DIVA.defaults(), ("VCF1.Freq", "VCF1.Res"))
    assert parameters.evaluate(patch(), patch(), space).class_accuracy is None
    assert parameters.failed(space).class_accuracy is None


def test_a_patch_of_another_table_is_refused():
    with pytest.raises(InvalidValueError, match="281 values"):
        parameters.evaluate(patch(), np.zeros(5), SPACE)
