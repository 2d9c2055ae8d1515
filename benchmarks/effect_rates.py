"""Do the effects turn and waver as fast as their knobs say? Rates measured from audio.

    python benchmarks/effect_rates.py [PRESETS ...] [--seconds 24]

A steady tone passes a Rotary (slow, and fast with the wheel up), or a Chorus of each type, through
the whole engine, and its rates are read from the sound: of a Rotary from the level of what the horn
plays, of a Chorus from the phase of the tone. Without presets five positions of the knobs are
played, with presets the knobs that they hold. The laws are those of `rotary.py` and `chorus.py`,
which come from hardware; what is measured here is that the sound follows them. Ends with 1 where a
rate is further away than `TOLERANCE`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine.modules.effects import chorus, rotary
from deepdiva.files import collect_files
from deepdiva.note import Note
from deepdiva.performance import AT_REST, Performance
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

TOLERANCE = 0.06
KNOBS = (0.0, 25.0, 50.0, 75.0, 100.0)
CHORUS, ROTARY = 0, 4
CLASSIC, DRAMATIC, ENSEMBLE = 0, 1, 2
TYPES = ("classic", "dramatic", "ensemble")
HORN_KEY, TONE_KEY = 102, 67
STEP = 441
"""Samples between two readings of level or phase, at 44.1 kHz."""

_ROTARY = {entry.name: entry.value for entry in rotary.MODULE.constants}
_CHORUS = {entry.name: entry.value for entry in chorus.MODULE.constants}


@dataclass(frozen=True)
class Case:
    """One rate that a sound is expected to have.

    Attributes:
        title: in words.
        expected_hz: by the law.
        knobs: of the panel beside the tone.
        key: of the tone.
        performance: how it is played.
        phase: whether the rate shows in the phase of the tone and not in its level.
    """

    title: str
    expected_hz: float
    knobs: dict[str, float] = field(default_factory=dict)
    key: int = TONE_KEY
    performance: Performance = AT_REST
    phase: bool = True


def rotary_cases(slow: float, fast: float, where: str) -> Iterator[Case]:
    """Both speeds of a Rotary."""
    turns = _ROTARY["fastest"] / _ROTARY["slowest"]
    knobs = {"FX1.Module": ROTARY, "Rtary1.Slow": slow, "Rtary1.Fast": fast, "Rtary1.RTime": 0.0}
    for name, knob, wheel in (("slow", slow, 0.0), ("fast", fast, 1.0)):
        yield Case(
            f"{where}Rotary {name} {knob:g}",
            _ROTARY["slowest"] * turns ** (knob / 100.0),
            knobs,
            HORN_KEY,
            Performance(wheel=wheel),
            phase=False,
        )


def chorus_cases(kind: int, rate: float, where: str) -> Iterator[Case]:
    """The rate of a Chorus, or both of an ensemble."""
    faster = 2.0 ** (_CHORUS["octaves"] * (rate / 100.0 - 0.5))
    waves = {
        CLASSIC: ("classic_hertz",),
        DRAMATIC: ("dramatic_hertz",),
        ENSEMBLE: ("slow_hertz", "fast_hertz"),
    }[kind]
    # The rates do not depend on the depth. At the least one, the phase of an ensemble's three lines
    # together follows both of its waves.
    knobs = {
        "FX1.Module": CHORUS,
        "Chrs1.Type": kind,
        "Chrs1.Rate": rate,
        "Chrs1.Depth": 0.0 if kind == ENSEMBLE else 40.0,
    }
    for wave in waves:
        named = f" {wave.removesuffix('_hertz')}" if kind == ENSEMBLE else ""
        yield Case(f"{where}Chorus {TYPES[kind]}{named} {rate:g}", _CHORUS[wave] * faster, knobs)


def cases_of(preset: Preset, name: str) -> Iterator[Case]:
    """The rates of what is on in a preset."""
    value = preset.values()
    for slot in (1, 2):

        def knob(key: str, slot: int = slot) -> float:
            return float(value[DIVA.index(key.format(slot))])

        if knob("main.#FX{}") < 0.5:
            continue
        module = round(knob("FX{}.Module"))
        if module == ROTARY:
            yield from rotary_cases(knob("Rtary{}.Slow"), knob("Rtary{}.Fast"), f"{name}: ")
        elif module == CHORUS:
            kind = round(knob("Chrs{}.Type"))
            yield from chorus_cases(kind, knob("Chrs{}.Rate"), f"{name}: ")


def tone(case: Case, seconds: float) -> NDArray[np.float64]:
    """The left channel of a sine through the effect."""
    patch = DIVA.defaults()
    for name, value in {
        "OSC.Model": 1, "OSC.Sin2": 1, "OSC.Saw1": 0, "OSC.Saw2": 0, "OSC.OscMix": 100,
        "OSC.Drift": 0, "OPT.TSlop": 0, "HPF.Model": 0, "VCF1.Model": 0, "VCF1.Freq": 150,
        "VCA1.VCA": 0, "VCA1.Vol": 20, "main.#FX1": 1, "Chrs1.Wet": 100, "Rtary1.Mix": 100,
        "Rtary1.Drive": 0, "Rtary1.Stereo": 100, **case.knobs,
    }.items():  # fmt: skip
        patch[DIVA.index(name)] = value
    note = Note(pitch=case.key, length_seconds=seconds, render_seconds=seconds)
    wet = {"effect.chorus.share": 1.0}
    engine = PanelRenderer(constants=wet, performance=case.performance)
    return np.asarray(engine.render_stereo(patch[None], note)[0, 0], np.float64)


def readings(sound: NDArray[np.float64], case: Case) -> NDArray[np.float64]:
    """Level, or phase without its steady part, every `STEP` samples."""
    if not case.phase:
        frames = sound[: len(sound) // STEP * STEP].reshape(-1, STEP)
        level = np.abs(frames).max(axis=1)[20:]
        return np.asarray(level - level.mean())
    hertz = Note(pitch=case.key).frequency_hz
    turned = sound * np.exp(-2j * np.pi * hertz / 44100.0 * np.arange(len(sound)))
    smooth = np.convolve(turned, np.ones(STEP) / STEP, "same")[20 * STEP : -STEP : STEP]
    phase = np.unwrap(np.angle(smooth))
    k = np.arange(len(phase))
    return np.asarray(phase - np.polyval(np.polyfit(k, phase, 1), k))


def measured_hz(case: Case, seconds: float) -> float:
    """The strongest rate within half an octave of the expected one."""
    found = readings(tone(case, seconds), case)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found)), 16 * len(found)))
    rates = np.fft.rfftfreq(16 * len(found), STEP / 44100.0)
    near = (rates > case.expected_hz / 2**0.5) & (rates < case.expected_hz * 2**0.5)
    inside, power = rates[near], spectrum[near]
    peak = int(power.argmax())
    return float(inside[peak]) if 0 < peak < len(power) - 1 else float("nan")


def main() -> int:
    """Parse the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description="Rates of effects, measured from audio.")
    parser.add_argument("presets", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=24.0)
    options = parser.parse_args()
    cases: list[Case] = []
    for path in collect_files(options.presets, [".h2p"]):
        cases += cases_of(Preset.read(path), path.stem)
    if not options.presets:
        for knob in KNOBS:
            cases += [*rotary_cases(knob, knob, "")]
            for kind in (CLASSIC, DRAMATIC, ENSEMBLE):
                cases += [*chorus_cases(kind, knob, "")]
    wrong = 0
    for case in cases:
        periods = case.expected_hz * options.seconds
        if periods < 4.0:
            print(f"{case.title:60} {case.expected_hz:7.3f} Hz: too slow for {options.seconds:g} s")
            continue
        hertz = measured_hz(case, options.seconds)
        away = hertz / case.expected_hz - 1.0
        fits = abs(away) <= max(TOLERANCE, 0.5 / periods)
        wrong += not fits
        print(
            f"{case.title:60} {case.expected_hz:7.3f} Hz, measured {hertz:7.3f} "
            f"({100.0 * away:+.1f} %){'' if fits else '  <-- away'}"
        )
    print(f"{len(cases) - wrong} of {len(cases)} as their knobs say")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
