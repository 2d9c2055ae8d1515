"""What the whole voice adds that its 16 times oversampled reference does not have."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from deepdiva.engine import EmbeddedRenderer, Nuisance
from deepdiva.engine.reference import render_reference
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA

RATE = 44100
WINDOW = 8820
NOTE = Note(length_seconds=0.3, render_seconds=0.3)
AUDIBLE = 16000.0
PAD = 100  # the decimation of an oversampled sound hears silence after its end
STEADY = {"coupling_hertz": 1e-6}  # what the coupling does slowly would count as an alias
LINEAR = {"hp_clip": 1e4, "loop_clip": 1e4, "drive_clip": 1e4, "loop_bias": 0.0, **STEADY}


def patch(wave: float, second: bool) -> NDArray[np.float64]:
    """One wave of one oscillator, filters open, at full level at once."""
    values = DIVA.defaults()
    for name, value in {
        "OSC.Wave2" if second else "OSC.Wave1": wave,
        "OSC.Vol1": 0.0 if second else 50.0,
        "OSC.Vol2": 50.0 if second else 0.0,
        "VCF1.Freq": 150.0,
        "HPF.Res": 0.0,
        "VCA1.VCA": 0.0,
        "OPT.TSlop": 0.0,
        "OPT.CSlop": 0.0,
        "OPT.PSlop": 0.0,
    }.items():
        values[DIVA.index(name)] = value
    return values


def tuned(hertz: float, second: bool, constants: dict[str, float]) -> Nuisance:
    """Detune that puts an oscillator of note 48 on a frequency, drift off."""
    table = EmbeddedRenderer(constants=constants).constants
    base = NOTE.frequency_hz * 2.0 ** (table[f"tune_{1 + second}_cents"] / 1200)
    cents = np.full((1, 1, 2), 1200 * np.log2(hertz / base))
    return Nuisance(phases=np.full((1, 1, 2), 0.1), detune_cents=cents, drift=False)


def aliases(sound: NDArray[np.float64], hertz: float) -> float:
    """Power that is no harmonic, up to 16 kHz, over all power, decibels.

    The window holds whole periods, so that every harmonic is one bin; its length shares no factor
    with their number, so that no alias falls on a harmonic.
    """
    power = np.abs(np.fft.rfft(sound[-WINDOW - PAD : -PAD])) ** 2
    bins = np.arange(len(power))
    harmonic = bins % round(hertz * WINDOW / RATE) == 0
    heard = (bins > 0) & (bins * RATE / WINDOW < AUDIBLE)
    return float(10 * np.log10(power[heard & ~harmonic].sum() / power[heard].sum()))


WAVES = [(1.0, False), (2.0, False), (3.0, False), (1.0, True), (2.0, True), (3.0, True)]


@pytest.mark.parametrize(("wave", "second"), WAVES)
@pytest.mark.parametrize(("hertz", "bound"), [(115.0, -55.0), (515.0, -48.0), (2095.0, -42.0)])
def test_aliases_of_the_linear_voice(wave, second, hertz, bound):
    """Around notes 46, 72 and 96; at twice the rate all lie 80 dB down."""
    nuisance = tuned(hertz, second, LINEAR)
    for factor, most in ((1, bound), (2, -80.0)):
        engine = EmbeddedRenderer(constants=LINEAR, oversampling=factor)
        ours = engine.render(patch(wave, second)[None], NOTE, nuisance=nuisance)[0]
        assert aliases(ours.astype(np.float64), hertz) < most


@pytest.mark.parametrize(("wave", "second"), [(2.0, False), (3.0, True)])
def test_the_reference_at_16_times_the_rate_has_next_to_none(wave, second):
    hertz = 515.0
    nuisance = tuned(hertz, second, LINEAR)
    fine = render_reference(
        patch(wave, second), NOTE, constants=LINEAR, nuisance=nuisance, oversampling=16
    )
    true = resample_poly(fine, 1, 16, window=("kaiser", 12.0))
    quiet = aliases(true, hertz)
    ours = EmbeddedRenderer(constants=LINEAR).render(
        patch(wave, second)[None], NOTE, nuisance=nuisance
    )[0]
    assert quiet < -85
    assert aliases(ours.astype(np.float64), hertz) > quiet


@pytest.mark.parametrize(("wave", "second"), [(2.0, False), (3.0, True)])
def test_harmonics_are_those_of_the_reference_at_16_times_the_rate(wave, second):
    """Within 1 dB up to 10 kHz: the cardinal spline's passband, and the filters' at Nyquist."""
    hertz = 515.0
    nuisance = tuned(hertz, second, LINEAR)
    fine = render_reference(
        patch(wave, second), NOTE, constants=LINEAR, nuisance=nuisance, oversampling=16
    )
    true = resample_poly(fine, 1, 16, window=("kaiser", 12.0))
    ours = EmbeddedRenderer(constants=LINEAR).render(
        patch(wave, second)[None], NOTE, nuisance=nuisance
    )[0]
    spectra = [np.abs(np.fft.rfft(sound[-WINDOW - PAD : -PAD])) for sound in (ours, true)]
    places = np.arange(1, int(10000 / hertz)) * round(hertz * WINDOW / RATE)
    loud = places[spectra[1][places] > 1e-3 * spectra[1].max()]
    gap = 20 * np.log10(spectra[0][loud] / spectra[1][loud])
    assert np.abs(gap).max() < 1.0


@pytest.mark.parametrize(("wave", "second"), WAVES)
def test_oversampling_lowers_what_the_clipping_voice_adds(wave, second):
    """The circuit's own saturation makes aliases too; at 2x both sorts lie lower."""
    hertz = 1045.0
    nuisance = tuned(hertz, second, STEADY)
    levels = [
        aliases(
            EmbeddedRenderer(oversampling=factor, constants=STEADY)
            .render(patch(wave, second)[None], NOTE, nuisance=nuisance)[0]
            .astype(np.float64),
            hertz,
        )
        for factor in (1, 2)
    ]
    assert levels[0] < -33
    assert levels[1] < levels[0] - 8
