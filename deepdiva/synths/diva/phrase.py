"""From held keys to what the voices play: voice modes, chords, and the arpeggiator.

The times of the arpeggiator are Diva's knobs, but no sound has judged what is not documented: how
long a step is held, how far swing goes, and the order of the time bases are guesses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine.chance import uniform
from deepdiva.note import Note
from deepdiva.performance import Performance
from deepdiva.synths.diva.table import DIVA

POLY, MONO, LEGATO, DUO, POLY_2 = range(5)
"""VCC.Mode."""

POLYPHONY = (2, 3, 4, 5, 6, 8, 12, 16)
"""Notes of VCC.Voices 0 to 7."""

HIGHEST_KEY = 127

PLAYED, UP, DOWN, UP_DOWN, UP_DOWN_TWICE, RANDOM = range(6)
"""ARP.Dir; the second way up and down plays its ends twice."""

SERIAL, ROUND, LEAP, REPEAT = range(4)
"""ARP.Order."""

RESTARTS = (0, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 24, 32)
"""Notes after which the pattern of ARP.Rstrt 0 to 12 begins anew; 0: never."""

TIME_BASES = (1.0, 0.5, 0.25, 0.125)
"""Beats of a step for CLK.Base 0 to 3 (uncalibrated)."""

_DRAWN_STEP = 1 << 34  # a stream of chance; above those of voices


@dataclass(frozen=True)
class Event:
    """A key that is struck and released.

    Attributes:
        key: of all oscillators; of the first where `upper` is another.
        upper: of the other oscillators.
        onset: seconds after the phrase begins.
        length: seconds until its release.
        until: seconds after the onset when another event takes its voice; infinite where none does.
        number: in the phrase, from 0 on.
        voice: of the polyphony, from 0 on.
        glide_from: key that the pitch glides from.
        held: whether that key is still down, in a mode with one voice: its envelopes go on.
    """

    key: int
    upper: int
    onset: float = 0.0
    length: float = math.inf
    until: float = math.inf
    number: int = 0
    voice: int = 0
    glide_from: int | None = None
    held: bool = False


def plain(key: int) -> Event:
    """One key, struck from silence and held as long as the note."""
    return Event(key, key)


def has_phrase(patches: NDArray[np.float64], performance: Performance) -> NDArray[np.bool_]:
    """Which patches, (batch, 281), play anything but one plain event: (batch,) bool."""
    if performance.chord or performance.glide_from is not None:
        return np.ones(len(patches), bool)
    return np.asarray(patches[:, DIVA.index("ARP.OnOff")] > 0.5)


def phrase(
    patch: NDArray[np.float64],
    note: Note,
    performance: Performance,
    seed: int,
    constants: Mapping[str, float],
) -> tuple[Event, ...]:
    """What the voices of one patch play.

    Args:
        patch: (281,) in the units of `DIVA`.
        note: first key, and how long all keys are held.
        performance: the other keys, tempo.
        seed: decides the random direction of the arpeggiator.
        constants: of the voice.

    Returns:
        At least one event, by their onsets.
    """
    keys = performance.keys(note.pitch)
    mode = _choice(patch, "VCC.Mode", 4)
    voices = POLYPHONY[_choice(patch, "VCC.Voices", 7)] if mode in (POLY, POLY_2) else 1
    if patch[DIVA.index("ARP.OnOff")] > 0.5:
        return _arpeggio(patch, keys, note, performance, seed, constants, voices)
    before = performance.glide_from
    if mode in (POLY, POLY_2):
        sounding = keys[-voices:]
        return tuple(
            Event(key, key, number=number, voice=number, glide_from=before)
            for number, key in enumerate(sounding)
        )
    held = before is not None and before not in keys
    if mode == DUO:
        return (Event(min(keys), max(keys), glide_from=before, held=held),)
    key = (keys[-1], min(keys), max(keys))[_choice(patch, "VCC.Prior", 2)]
    return (Event(key, key, glide_from=before, held=held),)


def pattern(keys: Sequence[int], direction: int, octaves: int, order: int) -> list[int]:
    """The steps of an arpeggiator before it begins anew; of `RANDOM`, what it draws from.

    Args:
        keys: that are held, in the order of playing.
        direction: ARP.Dir.
        octaves: that it spans, 1 to 4.
        order: ARP.Order.
    """
    row = list(keys) if direction == PLAYED else sorted(keys)
    octave = range(octaves)
    if order == LEAP:
        steps = [key + 12 * k for key in row for k in octave]
    else:
        turns = chain(octave, range(octaves - 2, 0, -1)) if order == ROUND else octave
        steps = [key + 12 * k for k in turns for key in row]
    steps = [key for key in steps if key <= HIGHEST_KEY]
    if direction == DOWN:
        steps.reverse()
    elif direction == UP_DOWN:
        steps += steps[-2:0:-1]
    elif direction == UP_DOWN_TWICE:
        steps += steps[::-1]
    return [key for key in steps for _ in range(2)] if order == REPEAT else steps


def _arpeggio(
    patch: NDArray[np.float64],
    keys: Sequence[int],
    note: Note,
    performance: Performance,
    seed: int,
    constants: Mapping[str, float],
    voices: int,
) -> tuple[Event, ...]:
    direction = _choice(patch, "ARP.Dir", 5)
    octaves = _choice(patch, "ARP.Oct", 4, lowest=1)
    steps = pattern(keys, direction, octaves, _choice(patch, "ARP.Order", 3))
    restart = RESTARTS[_choice(patch, "ARP.Rstrt", 12)]
    beats = TIME_BASES[_choice(patch, "CLK.Base", 3)]
    speed = max(0.01, float(patch[DIVA.index("CLK.Mult")]) / 100.0)
    step = beats * performance.beat_seconds / speed
    late = constants["arp_swing"] * float(patch[DIVA.index("CLK.Swing")]) / 100.0 * step
    end = min(note.length_seconds, note.render_seconds)
    count = max(1, math.ceil(end / step))
    drawn = uniform(np.full(count, seed, np.uint64), _DRAWN_STEP + np.arange(count))
    glides = patch[DIVA.index("VCC.Porta")] > 0.0
    onsets = [k * step + (late if k % 2 else 0.0) for k in range(count)]
    onsets = [onset for onset in onsets if onset < end]
    events: list[Event] = []
    for k, onset in enumerate(onsets):
        place = k % restart if restart else k
        turn = int(drawn[k] * len(steps)) if direction == RANDOM else place % len(steps)
        key = steps[turn]
        taken = onsets[k + voices] - onset if k + voices < len(onsets) else math.inf
        held = min(constants["arp_gate"] * step, note.length_seconds - onset)
        before = events[-1].key if events and glides else performance.glide_from
        events.append(Event(key, key, onset, held, taken, k, k % voices, before))
    return tuple(events)


def _choice(patch: NDArray[np.float64], name: str, highest: int, lowest: int = 0) -> int:
    """A switch as a whole number within its choices."""
    return min(highest, max(lowest, round(float(patch[DIVA.index(name)]))))
