"""The engine's sound against analytic answers: pitch, filters, envelopes, aliasing, note end."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.engine import oscillators as o
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel import Nuisance
from deepdiva.synths.diva.panel_renderer import PanelRenderer

RATE = 44100
QUIET = {"hp_clip": 1e4, "loop_clip": 1e4, "drive_clip": 1e4, "loop_bias": 0.0}
"""Clips far above the signal: a linear voice."""


def patch(**knobs: float) -> NDArray[np.float64]:
    """MS-REV1 with an instant, full envelope and no slop, and these knobs (VCF1_Freq=60)."""
    values = DIVA.defaults()
    steady = {"ENV1_Atk": 0.0, "OPT_CSlop": 0.0, "OPT_PSlop": 0.0, "OPT_ESlop": 0.0}
    for name, value in {**steady, **knobs}.items():
        values[DIVA.index(name.replace("_", ".", 1))] = value
    return values[None]


def play(
    values: NDArray[np.float64],
    seconds: float = 1.0,
    pitch: int = 48,
    held: float | None = None,
    constants: dict[str, float] | None = None,
) -> NDArray[np.float64]:
    """One sound, drift off, start phases at zero."""
    note = Note(pitch=pitch, length_seconds=held or seconds, render_seconds=seconds)
    nuisance = Nuisance(phases=np.zeros((len(values), 6, 2)), drift=False)
    audio = PanelRenderer(constants=constants).render(values, note, nuisance=nuisance)
    return audio[0].astype(np.float64)


def line(audio: NDArray[np.float64], hertz: float) -> complex:
    """Amplitude of a steady sine of a known frequency, by least squares in a Hann window."""
    time = np.arange(len(audio)) / RATE
    window = np.hanning(len(audio))
    return complex(2.0 * (audio * window * np.exp(-2j * np.pi * hertz * time)).sum() / window.sum())


def frequency(audio: NDArray[np.float64], near: float) -> float:
    """Frequency of the line near a guess: phase advance between two windows."""
    half = len(audio) // 2
    for _ in range(4):
        first, second = line(audio[:half], near), line(audio[half : 2 * half], near)
        turn = np.angle(second / first * np.exp(-2j * np.pi * near * half / RATE))
        near += turn / (2 * np.pi) * RATE / half
    return near


@pytest.mark.parametrize("pitch", [24, 48, 69, 84])
@pytest.mark.parametrize("octave", [-12.0, 0.0, 12.0])
def test_tuning_of_the_first_oscillator(pitch: int, octave: float) -> None:
    constants = EngineConstants()
    expected = 440.0 * 2.0 ** ((pitch - 69 + octave + constants["tune_1_cents"] / 100) / 12)
    audio = play(patch(OSC_Tune1=octave, OSC_Wave1=2.0, VCF1_Freq=130.0), 3.0, pitch)[4410:]
    cents = 1200 * np.log2(frequency(audio, expected) / expected)
    assert abs(cents) < 0.1


@pytest.mark.parametrize("semitones", [-24.3, -7.0, 0.0, 11.37])
def test_tuning_of_the_second_oscillator(semitones: float) -> None:
    c = EngineConstants()
    cents = c["tune_2_cents"] + c["pot_2_cents"] * 50.61
    expected = 440.0 * 2.0 ** ((48 - 69 + semitones + cents / 100) / 12)
    audio = play(patch(OSC_Tune2=semitones, OSC_Vol1=0.0, OSC_Vol2=60.0), 3.0)[4410:]
    assert abs(1200 * np.log2(frequency(audio, expected) / expected)) < 0.1


def low_pass(hertz: float, cutoff: float, k: float) -> float:
    """|1 / (s^2 + (2 - k) s + 1)|."""
    s = 1j * hertz / cutoff
    return float(abs(1 / (s * s + (2 - k) * s + 1)))


def high_pass(hertz: float, corner: float, k: float) -> float:
    """|s (s + 1) / (s^2 + (2 - k) s + 1)|."""
    s = 1j * hertz / corner
    return float(abs(s * (s + 1) / (s * s + (2 - k) * s + 1)))


def decibels(ratio: float) -> float:
    return float(20 * np.log10(ratio))


@pytest.mark.parametrize("resonance", [0.0, 50.0, 80.0])
@pytest.mark.parametrize("cutoff", [60.0, 84.0])
def test_the_low_pass_follows_its_transfer_function(resonance: float, cutoff: float) -> None:
    """From two octaves below the cutoff to three above: -12 dB an octave, and the peak."""
    c = EngineConstants(QUIET)
    k = c["lp_feedback_gain"] * (resonance / 100) ** c["lp_feedback_power"]
    corner = 440.0 * 2.0 ** ((cutoff + c["cutoff_shift"] - 69) / 12)
    fundamental = 440.0 * 2.0 ** ((48 - 12 - 69 + c["tune_1_cents"] / 100) / 12)
    knobs = {"OSC_Tune1": -12.0, "OSC_Wave1": 2.0, "OSC_Vol1": 5.0}
    open_sound = play(patch(VCF1_Freq=150.0, **knobs), 2.0, constants=QUIET)[22050:]
    closed = play(patch(VCF1_Freq=cutoff, VCF1_Res=resonance, **knobs), 2.0, constants=QUIET)[
        22050:
    ]
    widest = 0.45 * RATE
    for harmonic in np.unique(np.geomspace(1, 8 * corner / fundamental, 12).astype(int)):
        hertz = harmonic * fundamental
        if not corner / 4 <= hertz <= min(8 * corner, 6000.0):
            continue
        measured = abs(line(closed, hertz)) / abs(line(open_sound, hertz))
        expected = low_pass(hertz, corner, k) / low_pass(hertz, widest, 0.0)
        closeness = 0.6 if hertz < 4 * corner else 1.2
        assert decibels(measured) == pytest.approx(decibels(expected), abs=closeness)


def test_the_low_pass_is_6_db_down_at_its_cutoff_without_resonance() -> None:
    """Two equal poles: -3 dB each."""
    c = EngineConstants(QUIET)
    fundamental = 440.0 * 2.0 ** ((48 - 69 + c["tune_1_cents"] / 100) / 12)
    cutoff = 48.0 + 24.0 - c["cutoff_shift"] + c["tune_1_cents"] / 100
    knobs = {"OSC_Wave1": 2.0, "OSC_Vol1": 5.0}
    open_sound = play(patch(VCF1_Freq=150.0, **knobs), 2.0, constants=QUIET)[22050:]
    closed = play(patch(VCF1_Freq=cutoff, **knobs), 2.0, constants=QUIET)[22050:]
    ratio = abs(line(closed, 4 * fundamental)) / abs(line(open_sound, 4 * fundamental))
    assert decibels(ratio) == pytest.approx(-6.02, abs=0.1)


@pytest.mark.parametrize("resonance", [0.0, 50.0])
def test_the_high_pass_follows_its_transfer_function(resonance: float) -> None:
    """6 dB an octave below the corner."""
    c = EngineConstants(QUIET)
    k = c["hp_feedback_gain"] * (resonance / 100) ** c["hp_feedback_power"]
    corner = 440.0 * 2.0 ** ((80.0 + c["hp_shift"] - 69) / 12)
    floor = 440.0 * 2.0 ** ((30.0 + c["hp_shift"] - 69) / 12)
    fundamental = 440.0 * 2.0 ** ((48 - 69 + c["tune_1_cents"] / 100) / 12)
    knobs = {"OSC_Wave1": 2.0, "OSC_Vol1": 5.0, "VCF1_Freq": 150.0}
    base = play(patch(HPF_Freq=30.0, HPF_Res=0.0, **knobs), 2.0, constants=QUIET)[22050:]
    cut = play(patch(HPF_Freq=80.0, HPF_Res=resonance, **knobs), 2.0, constants=QUIET)[22050:]
    for harmonic in (1, 2, 4, 6, 12, 24):
        hertz = harmonic * fundamental
        measured = abs(line(cut, hertz)) / abs(line(base, hertz))
        expected = high_pass(hertz, corner, k) / high_pass(hertz, floor, 0.0)
        assert decibels(measured) == pytest.approx(decibels(expected), abs=0.2)


def envelope(values: NDArray[np.float64], seconds: float, held: float) -> NDArray[np.float64]:
    """Level of a bright saw, 5 ms at a time, against its level with a full envelope."""
    full = play(patch(OSC_Wave1=2.0), seconds, pitch=72)
    heard = play(values, seconds, pitch=72, held=held)
    size = 220
    frames = len(full) // size
    level = [
        np.sqrt((s[: frames * size].reshape(frames, size) ** 2).mean(1)) for s in (heard, full)
    ]
    return np.asarray(level[0] / np.maximum(level[1], 1e-9))


@pytest.mark.parametrize("attack", [20.0, 30.0])
def test_the_analogue_attack_lasts_as_long_as_the_law_says(attack: float) -> None:
    c = EngineConstants()
    seconds = c["attack_shortest"] + c["attack_longest"] * (attack / 100) ** c["attack_power"]
    level = envelope(patch(OSC_Wave1=2.0, ENV1_Atk=attack), 2.5 * seconds, 2.5 * seconds)
    reached = np.argmax(level > 0.99) * 220 / RATE
    assert reached == pytest.approx(seconds, rel=0.05, abs=0.01)


def test_the_decay_falls_by_e_in_its_time_constant() -> None:
    c = EngineConstants()
    tau = c["decay_shortest"] + c["decay_longest"] * 0.1 ** c["decay_power"]
    level = envelope(patch(OSC_Wave1=2.0, ENV1_Dec=10.0, ENV1_Sus=0.0), 2.0, 2.0)
    start, later = 20, 20 + round(tau * RATE / 220)
    assert level[later] / level[start] == pytest.approx(np.exp(-1), rel=0.08)


def test_the_sustain_level_is_held() -> None:
    level = envelope(patch(OSC_Wave1=2.0, ENV1_Dec=1.0, ENV1_Sus=40.0), 1.0, 1.0)
    assert level[100:].mean() == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_gate_holds_its_level_at_every_sample_rate(rate: int) -> None:
    """At 16,000 Hz the gate's attack aims at exactly 1, where it would end after infinite time."""
    note = Note(sample_rate=rate, length_seconds=0.3, render_seconds=0.3)
    audio = PanelRenderer().render(patch(VCA1_VCA=0.0, OSC_Wave1=2.0), note)[0]
    pieces = audio[rate // 50 :].reshape(-1, rate // 50)
    levels = np.sqrt(np.mean(pieces**2, axis=1))
    assert levels.min() > 0.8 * levels.max()


def test_the_digital_envelope_is_a_line() -> None:
    c = EngineConstants()
    seconds = c["attack_shortest"] + c["attack_longest"] * 0.2 ** c["attack_power"]
    level = envelope(
        patch(OSC_Wave1=2.0, ENV1_Model=2.0, ENV1_Atk=20.0), 1.2 * seconds, 1.2 * seconds
    )
    time = (np.arange(len(level)) + 0.5) * 220 / RATE
    rising = (time > 0.1 * seconds) & (time < 0.9 * seconds)
    np.testing.assert_allclose(level[rising], time[rising] / seconds, atol=0.03)


def test_a_note_ends_in_silence_without_a_click() -> None:
    audio = play(patch(OSC_Wave1=2.0), 1.0, held=0.5)
    off = RATE // 2
    assert np.abs(audio[: off - 100]).max() > 0.1
    assert np.abs(audio[off + RATE // 20 :]).max() < 1e-6
    # The release is a smooth curve: no step after it is larger than the saw's own.
    steps = np.abs(np.diff(audio))
    assert steps[off : off + 2000].max() <= steps[off - 4000 : off].max()


def test_a_release_sounds_on() -> None:
    audio = play(patch(OSC_Wave1=2.0, ENV1_Rel=20.0), 1.0, held=0.5)
    assert np.sqrt((audio[RATE // 2 + 2000 : RATE // 2 + 6000] ** 2).mean()) > 0.05


def test_there_is_no_dc() -> None:
    """What the biased loop adds is taken away again."""
    for wave in (1.0, 2.0, 3.0, 4.0):
        audio = play(patch(OSC_Wave1=wave, VCF1_Res=40.0), 3.0)[44100:]
        assert abs(audio.mean()) < 0.001


def band_limited(shape: int, cycles: float, samples: int) -> NDArray[np.float64]:
    """One of the engine's waves, alone."""
    wave = np.zeros(samples + 2 * o.HISTORY, np.float32)
    motion = np.zeros((1, 1, o.MOTION))
    motion[0, 0, [o.PHASE, o.INCREMENT, o.GAIN, o.WIDTH]] = 0.2, cycles, 1.0, 0.3
    fill = (o.fill_saw, o.fill_pulse, o.fill_triangle)[shape]
    fill(wave, samples + o.HISTORY, motion, 0, 0, 0.0)
    flat = np.zeros((1, samples + o.HISTORY), np.float32)
    o.sharpen(wave, samples + o.HISTORY, np.zeros((1, 1, o.HISTORY), np.float32), 0, 0, flat)
    return flat[0, o.HISTORY :].astype(np.float64)


def reference(shape: int, cycles: float, samples: int, finer: int = 16) -> NDArray[np.float64]:
    """The naive wave at 16 times the rate, low-passed by a long sinc, decimated."""
    reach = 64 * finer
    time = (np.arange(samples * finer + 2 * reach) - reach) / finer + o.SHARPENING_REACH
    p = np.mod(0.2 + cycles * time, 1.0)
    wave = (1 - 2 * p, np.where(p < 0.3, 1.0, -1.0), 4 * abs(p - 0.5) - 1)[shape]
    taps = np.sinc(np.arange(-reach, reach + 1) / finer) * np.kaiser(2 * reach + 1, 12)
    fine = np.convolve(wave, taps / taps.sum(), "same")
    return np.asarray(fine[reach::finer][:samples])


@pytest.mark.parametrize("shape", [0, 1, 2])
@pytest.mark.parametrize("cycles", [0.0131, 0.0473])
def test_aliases_lie_far_below_the_wave(shape: int, cycles: float) -> None:
    """Against a wave of 16 times the rate; what is no harmonic, below 16 kHz, is an alias."""
    samples = 16384
    ours, true = band_limited(shape, cycles, samples), reference(shape, cycles, samples)
    window = np.blackman(samples) ** 2
    spectra = [np.abs(np.fft.rfft(sound * window)) for sound in (ours, true)]
    bins = np.arange(len(spectra[0])) / samples
    harmonic = np.abs(np.mod(bins / cycles + 0.5, 1.0) - 0.5) * cycles < 12 / samples
    heard = (bins < 16000 / RATE) & (bins > 0.5 * cycles)
    loudest = spectra[1].max()
    alias = spectra[0][heard & ~harmonic].max() / loudest
    assert 20 * np.log10(alias) < -45
    for number in range(1, int(16000 / RATE / cycles)):
        near = slice(round((number * cycles) * samples) - 3, round(number * cycles * samples) + 4)
        if spectra[1][near].max() > 1e-3 * loudest:
            error = spectra[0][near].max() / spectra[1][near].max()
            assert abs(20 * np.log10(error)) < 1.2
