"""Numbers in the units of a musician, and what Diva's knobs stand for."""

import pytest

from deepdiva.engine.voice_constants import voice_values
from deepdiva.synths import find_synthesizer
from deepdiva.synths.diva import DIVA
from deepdiva.units import Reading, counted, hertz_of, key_name

SYNTH = find_synthesizer("diva")


def read(name, value, key=60, **values):
    patch = SYNTH.with_values(
        DIVA.defaults(), {other.replace("_", "."): number for other, number in values.items()}
    )
    return SYNTH.reading(patch, name, value, key)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (840.2, "Hz", "840 Hz"),
        (1234.0, "Hz", "1.2 kHz"),
        (0.0351, "s", "35 ms"),
        (0.0025, "s", "2.5 ms"),
        (1.44, "s", "1.4 s"),
        (0.9999, "s", "1 s"),
    ],
)
def test_readings_have_a_unit_of_fitting_size(value, unit, text):
    assert Reading(value, unit).text == text


def test_counts_are_singular_or_plural():
    assert counted(1, "sound") == "1 sound"
    assert counted(1200, "sound was", "sounds were") == "1,200 sounds were"


def test_keys_have_names_and_frequencies():
    assert (key_name(60), hertz_of(69)) == ("C4", 440.0)


def test_envelope_times_follow_the_engines_laws():
    constants = voice_values({})
    longest, shortest = constants["decay_longest"], constants["decay_shortest"]
    assert read("ENV1.Dec", 100.0).value == pytest.approx(longest + shortest)
    assert read("ENV1.Atk", 50.0).value == pytest.approx(20.0 / 8 + 0.002)
    slow, fast = (read("ENV2.Rel", 40.0, key, ENV2_KeyFlw=100.0).value for key in (60, 72))
    assert slow / fast == pytest.approx(2.0)


def test_cutoffs_are_corners_of_the_filter_that_is_chosen():
    assert read("VCF1.Freq", 69.0, VCF1_Model=3.0).value == pytest.approx(440.0)
    ladder = read("VCF1.Freq", 69.0 + 12.95, VCF1_Model=0.0)
    assert ladder.value == pytest.approx(440.0)
    low, high = (
        read("VCF1.Freq", 69.0, key, VCF1_Model=3.0, VCF1_KeyScl=100.0).value for key in (48, 60)
    )
    assert high / low == pytest.approx(2.0)
    assert read("HPF.Freq", 69.0, HPF_Model=0.0) is None


def test_lfos_are_in_hertz_where_no_tempo_decides():
    assert read("LFO1.Rate", 2.0, LFO1_Sync=-2.0).value == pytest.approx(4.0)
    assert read("LFO1.Rate", 2.0, LFO1_Sync=4.0) is None
    assert read("OSC.PW", 50.0) is None
