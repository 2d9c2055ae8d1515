"""Plays the events of a phrase with the voices of one patch and sums them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine.chain import LaneInputs
from deepdiva.engine.player import Group, play_group
from deepdiva.note import Note
from deepdiva.synths.diva.phrase import Event

_FADE_SECONDS = 0.003
"""In which a voice falls silent when another event takes it."""

_MARGIN_SECONDS = 0.02
"""That a voice is played on after its amplifier has closed."""

_MOST = 64
"""Events whose voices are prepared together."""

_RELEASE = 2


def alike(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Events that are held equally long, together; no more at once than memory is to hold."""
    for length in sorted({event.length for event in events}):
        some = [event for event in events if event.length == length]
        for first in range(0, len(some), _MOST):
            yield some[first : first + _MOST]


def add_events(
    group: Group,
    events: Sequence[Event],
    constants: Mapping[str, NDArray[np.float64]],
    note: Note,
    both: NDArray[np.float32],
) -> None:
    """Play events and add them to a stereo bus where they begin.

    Args:
        group: its patches' numbers are those of the events.
        events: all held as long as the note.
        constants: values of the modules' constants by full name.
        note: how long they are held, and where the bus ends.
        both: (2, at least note.samples) float32.
    """
    rate = float(note.sample_rate)
    note_off = max(1, round(note.length_seconds * rate))
    rest = note_off + max(_release_samples(part.lanes, rate) for part in group.parts)
    fade = max(1, round(_FADE_SECONDS * rate))
    members = group.patches
    owner = np.zeros(len(events), np.int64)
    owner[members] = np.arange(len(members))
    begins = [round(events[member].onset * rate) for member in members]
    taken = [events[member].until * rate for member in members]
    ends = [
        int(min(note.samples - begin, rest, until + fade))
        for begin, until in zip(begins, taken, strict=True)
    ]
    longest = max(ends)
    if longest < 1:
        return
    played = np.zeros((2, len(members), longest), np.float32)
    mono = np.zeros(len(events), bool)
    play_group(group, constants, longest, note_off, rate, owner, mono, played)
    for row, (begin, end, until) in enumerate(zip(begins, ends, taken, strict=True)):
        piece = played[:, row, : max(0, end)]
        if until < end:
            silent = np.arange(end) - (until if math.isfinite(until) else end)
            piece *= np.clip(1.0 - silent / fade, 0.0, 1.0).astype(np.float32)
        both[:, begin : begin + piece.shape[1]] += piece


def _release_samples(lanes: LaneInputs, rate: float) -> int:
    """Samples in which the slowest amplifier of some lanes closes from its full level."""
    factor, step = lanes.shapes[:, 2, _RELEASE, 0], lanes.shapes[:, 2, _RELEASE, 1]
    straight = factor >= 1.0
    below = -step / np.where(straight, 1.0, 1.0 - factor)  # how far below 0 it aims
    below = np.maximum(1e-5, below)
    exponential = np.log(below / (1.0 + below)) / np.log(np.where(straight, 0.5, factor))
    samples = np.where(straight, -1.0 / np.where(straight, step, -1.0), exponential)
    return int(np.ceil(samples.max())) + round(_MARGIN_SECONDS * rate)
