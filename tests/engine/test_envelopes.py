"""The three envelope models against their laws, to the sample."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.engine.voice_constants import voice_values
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer

RATE = 44100
ADS, ANALOGUE, DIGITAL = 0.0, 1.0, 2.0
C = voice_values({})
LINEAR = {"amplifier.vca.drive": 1e-3, "amplifier.vca.coupling": 1e-6}
"""An amplifier that multiplies and does nothing else."""


def envelope(held: float, seconds: float, **knobs: float) -> NDArray[np.float64]:
    """Level at every sample: a patch over itself with a gated amplifier, whose level is 1.

    Both are the same but for the amplifier, so their quotient is the envelope, exactly; where the
    wave crosses zero there is no quotient, and the gap is bridged.
    """
    patches = DIVA.defaults()[None].repeat(2, axis=0)
    settings = {"OPT_ESlop": 0.0, "OSC_Wave1": 2.0, "ENV1_Atk": 0.0} | knobs
    for name, value in settings.items():
        patches[:, DIVA.index(name.replace("_", ".", 1))] = value
    patches[1, DIVA.index("VCA1.VCA")] = 0.0
    engine = PanelRenderer(constants=LINEAR)
    wave = engine.render(patches[1:], Note(length_seconds=seconds, render_seconds=seconds))[0]
    sound = engine.render(patches[:1], Note(length_seconds=held, render_seconds=seconds))[0]
    samples = np.arange(len(wave))
    gate = -np.expm1(-(samples + 1) / (0.0006 * RATE))
    clear = np.abs(wave) > 0.02 * np.abs(wave).max()
    level = sound[clear] / wave[clear].astype(np.float64) * gate[clear]
    return np.interp(samples, samples[clear], level)


def seconds(stage: str, knob: float) -> float:
    """What the constants say a time knob means."""
    power = (knob / 100) ** C[f"{stage}_power"]
    return C[f"{stage}_shortest"] + C[f"{stage}_longest"] * power


def times(samples: int) -> NDArray[np.float64]:
    """Of the ends of the samples, seconds."""
    return (np.arange(samples) + 1) / RATE


def bent(share: NDArray[np.float64], curve: float) -> NDArray[np.float64]:
    """An exponential from 0 to 1 that bends by `curve`."""
    return np.expm1(-curve * share) / np.expm1(-curve)


@pytest.mark.parametrize("attack", [0.0, 10.0, 20.0])
@pytest.mark.parametrize("model", [ADS, ANALOGUE, DIGITAL])
def test_attack_and_decay(model, attack):
    """The peak is reached when the attack is over, and the decay starts that moment."""
    knobs = {"ENV1_Model": model, "ENV1_Atk": attack, "ENV1_Dec": 35.0, "ENV1_Sus": 30.0}
    level = envelope(0.6, 0.6, ENV1_Crve=0.0, **knobs)
    rise, fall = seconds("attack", attack), seconds("decay", 35.0)
    time = times(len(level))
    if model == DIGITAL:
        expected = np.maximum(0.3, 1.0 - (time - rise) / fall)
        rising = time / rise
    else:
        expected = 0.3 + 0.7 * np.exp(-(time - rise) / fall)
        rising = bent(time / rise, C["attack_curve"])
    expected = np.where(time < rise, rising, expected)
    settled = slice(300, None)  # the wave itself starts from nothing
    np.testing.assert_allclose(level[settled], expected[settled], atol=0.006)


@pytest.mark.parametrize("curve", [0.0, 1.0])
def test_digital_curves(curve):
    """Off it runs along lines, on along exponentials."""
    level = envelope(0.4, 0.4, ENV1_Model=DIGITAL, ENV1_Crve=curve, ENV1_Dec=40.0, ENV1_Sus=20.0)
    fall = seconds("decay", 40.0)
    later = times(len(level)) - seconds("attack", 0.0)
    line, exponential = np.maximum(0.2, 1 - later / fall), 0.2 + 0.8 * np.exp(-later / fall)
    expected = exponential if curve else line
    np.testing.assert_allclose(level[300:], expected[300:], atol=0.006)


@pytest.mark.parametrize("model", [ADS, ANALOGUE, DIGITAL])
def test_release(model):
    """ADS releases along its decay, analogue along an exponential, digital along a line."""
    held = 0.3
    knobs = {"ENV1_Model": model, "ENV1_Crve": 0.0, "ENV1_RelOn": 1.0}
    level = envelope(held, 0.6, ENV1_Dec=38.0, ENV1_Rel=35.0, ENV1_Sus=100.0, **knobs)
    later = times(len(level)) - held
    fall = seconds("decay", 38.0) if model == ADS else seconds("release", 35.0)
    below = C["release_undershoot"]
    exponential = np.maximum(0.0, (1.0 + below) * np.exp(-later / fall) - below)
    expected = np.maximum(0.0, 1 - later / fall) if model == DIGITAL else exponential
    off = round(held * RATE)
    np.testing.assert_allclose(level[off:], expected[off:], atol=0.006)
    assert level[off - 2000 : off].min() > 0.994


def test_ads_without_release_stops_at_once():
    level = envelope(0.2, 0.3, ENV1_Model=ADS, ENV1_RelOn=0.0, ENV1_Dec=50.0, ENV1_Sus=100.0)
    later = times(len(level)) - 0.2
    off = round(0.2 * RATE)
    expected = np.exp(-later[off:] / C["release_shortest"])
    np.testing.assert_allclose(level[off:], expected, atol=0.03)


def test_a_quantised_envelope_keeps_to_its_16_levels():
    level = envelope(0.5, 0.5, ENV1_Model=DIGITAL, ENV1_Quant=1.0, ENV1_Atk=30.0)
    sixteenths = level[1000:] * 16
    assert (np.abs(sixteenths - np.rint(sixteenths)) < 0.05).mean() > 0.7
    assert np.ptp(level) > 0.5


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_gate_holds_its_level_at_every_sample_rate(rate: int) -> None:
    """Its attack never aims at exactly 1, where it would end after infinite time."""
    patch = DIVA.defaults()[None]
    for name, value in (("VCA1.VCA", 0.0), ("OSC.Wave1", 2.0)):
        patch[0, DIVA.index(name)] = value
    note = Note(sample_rate=rate, length_seconds=0.3, render_seconds=0.3)
    audio = PanelRenderer().render(patch, note)[0]
    pieces = audio[rate // 50 :].reshape(-1, rate // 50)
    levels = np.sqrt(np.mean(pieces**2, axis=1))
    assert levels.min() > 0.8 * levels.max()


@pytest.mark.parametrize(("key_follow", "ratio"), [(0.0, 1.0), (100.0, 0.5)])
def test_key_follow_halves_the_times_an_octave_up(key_follow, ratio):
    patches = DIVA.defaults()[None]
    for name, value in (("ENV1.Rel", 42.0), ("OPT.ESlop", 0.0), ("ENV1.KeyFlw", key_follow)):
        patches[:, DIVA.index(name)] = value
    engine = PanelRenderer(constants=LINEAR | {"release_undershoot": 0.01})
    off, window = round(0.1 * RATE), 2205
    taus = []
    for pitch in (60, 72):
        note = Note(pitch=pitch, length_seconds=0.1, render_seconds=0.4)
        audio = engine.render(patches, note)[0, off:].astype(np.float64)
        power = [np.sqrt((audio[k : k + window] ** 2).mean()) for k in (0, window)]
        taus.append(window / np.log(power[0] / power[1]))
    assert taus[1] / taus[0] == pytest.approx(ratio, rel=0.05)


def test_velocity_scales_the_envelope_by_its_knob():
    patches = DIVA.defaults()[None].repeat(2, axis=0)
    patches[1, DIVA.index("ENV1.Vel")] = 60.0
    engine = PanelRenderer(constants=LINEAR)
    audio = engine.render(patches, Note(velocity=64, render_seconds=0.3))
    loudness = np.sqrt((audio.astype(np.float64) ** 2).mean(axis=1))
    assert loudness[1] / loudness[0] == pytest.approx(1 - 0.6 * (1 - 64 / 127), rel=1e-3)
