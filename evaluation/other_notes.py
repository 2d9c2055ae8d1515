"""How a match fares on keys and at a velocity that its method has not heard.

A match to one note may have it right for wrong reasons: a filter that does not follow the key, an
envelope that velocity does not reach. Where the patch of a target is known, both are played on
other keys and compared there; where the source was recorded on other notes, with these recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.evaluation import metrics
from deepdiva.evaluation.scoring import EvaluationSettings, OpenRenderer, play
from deepdiva.evaluation.sounds import Sound, seeds_for
from deepdiva.note import Note
from deepdiva.synths.diva.preset import Preset

SEMITONES = (-12, 7, 12, 24)
"""From the target's key."""

VELOCITY = 60

KEYS = (metrics.PRIMARY, *(key for key in ("known",) if key != metrics.PRIMARY))
"""Measures that are taken there."""

Elsewhere = dict[str, dict[str, float | None]]
"""Name of a note, as `name_of` gives it, to measure to value."""


@dataclass(frozen=True, eq=False)
class Heard:
    """The target on another note.

    Attributes:
        name: of the note, as seen from the target's.
        note: that is played.
        audio: shape (note.samples,), not silent.
    """

    name: str
    note: Note
    audio: NDArray[np.float32]


def name_of(note: Note, own: Note) -> str:
    """A note as seen from another: `+7`, `velocity 60`, `-12 velocity 60`."""
    parts = []
    if note.pitch != own.pitch:
        parts.append(f"{note.pitch - own.pitch:+d}")
    if note.velocity != own.velocity:
        parts.append(f"velocity {note.velocity}")
    return " ".join(parts)


def other_notes(own: Note) -> list[Note]:
    """The notes on which known patches are compared, besides their own."""
    notes = [
        replace(own, pitch=own.pitch + semitones)
        for semitones in SEMITONES
        if 0 <= own.pitch + semitones <= 127
    ]
    return notes if own.velocity == VELOCITY else [*notes, replace(own, velocity=VELOCITY)]


def heard_elsewhere(
    sound: Sound, open_renderer: OpenRenderer, settings: EvaluationSettings
) -> list[Heard]:
    """The target on other notes: recorded, or played where its patch is known.

    Args:
        sound: the target.
        open_renderer: opens what plays its preset.
        settings: of the run, with the note of the sound.

    Returns:
        Notes on which it sounds; empty where nothing is known but the one recording.
    """
    own = settings.note
    heard = [(note, audio) for note, audio in sound.further if note != own]
    if not heard and sound.preset is not None:
        for note in other_notes(own):
            seeds = seeds_for(f"{sound.name} {name_of(note, own)}", settings.seed, 1)
            [audio] = play(sound.preset, open_renderer, note, seeds)
            heard.append((note, audio))
    return [
        Heard(name_of(note, own), note, audio)
        for note, audio in heard
        if not metrics.is_silent(audio)
    ]


def score_elsewhere(
    sound: Sound,
    preset: Preset | None,
    heard: Sequence[Heard],
    open_renderer: OpenRenderer,
    settings: EvaluationSettings,
) -> Elsewhere:
    """Score a match on other notes, each played once.

    Args:
        sound: the target.
        preset: the match; None for one that failed, which is scored as silence.
        heard: the target on other notes.
        open_renderer: opens what plays the match.
        settings: of the run.

    Raises:
        RenderError: the preset cannot be played there.
    """
    found: Elsewhere = {}
    for each in heard:
        if preset is None:
            audio = np.zeros_like(each.audio)
        else:
            seeds = seeds_for(f"{sound.name} {each.name} match", settings.seed, 1)
            [audio] = play(preset, open_renderer, each.note, seeds)
        found[each.name] = metrics.evaluate(each.audio, audio, each.note.sample_rate, keys=KEYS)
    return found
