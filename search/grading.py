"""The grade of a match, with the likely reason and the option that helps.

What is measured, and where the grades lie, stands in `deepdiva.grade`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import SpectralDistance
from deepdiva.errors import RenderError
from deepdiva.grade import (
    LEVEL_DB,
    Grade,
    Measures,
    compared,
    grade_name,
    is_silent,
    spectrum_difference,
)
from deepdiva.level import at_reference
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.search.refine import RefineResult
from deepdiva.search.refine_settings import DEFAULT_MODE, MODES
from deepdiva.search.sequence import SequenceRenderer
from deepdiva.space import ParameterSpace
from deepdiva.synths import synthesizer_of
from deepdiva.units import key_name

OTHER_SEEDS: Final = 2
"""Renders of the match with other seeds, from which the noise floor is taken."""

SHORT_SECONDS: Final = 0.15
"""Sounds that are shorter say little."""

_MORE = "--free all searches all that the synthesizer has"

_KINDS: Final = {
    "chord": (
        "it is a chord, and one preset is matched to it as to one key",
        "record its notes one by one",
    ),
    "melody": ("it is a melody, and one note is matched", "--start and --length choose the note"),
    "hits": ("it is several notes or hits", "--start and --length choose one"),
    "loop": ("it is a loop, and one hit is matched", "--start and --length choose it"),
    "speech": ("it is speech, which no preset says", "--start and --length choose one vowel"),
    "glide": ("its pitch glides, and one key is matched", "--start takes the steady part"),
    "sweep": ("its pitch falls as a drum's does", _MORE),
    "drum": ("it is a drum without a key", _MORE),
    "vibrato": ("its pitch moves", _MORE),
    "inharmonic": ("its partials are no harmonics of one key, as those of a bell", _MORE),
    "reverberant": ("most of it is reverberation", _MORE),
}
"""For each kind of sound that is no plain note: what makes it hard, and what helps."""


@dataclass(frozen=True)
class Circumstances:
    """What is known of a match beside its sound.

    Attributes:
        kind: of the recording, as `deepdiva.hearing` names it; empty where it is not known.
        other_keys: keys that it may be of as well.
        evaluations: candidates that the search may try; None for no limit.
    """

    kind: str = ""
    other_keys: tuple[int, ...] = ()
    evaluations: int | None = None


def graded(
    target: NDArray[np.float32],
    result: RefineResult,
    renderer: Renderer,
    space: ParameterSpace,
    note: Note,
    pieces: Sequence[Note],
    seed: int,
    circumstances: Circumstances,
) -> Grade:
    """Grade a match.

    Renders the base patch, and the match with other seeds where that makes a difference.

    Args:
        target: shape (note.samples,), not silent.
        result: of the search.
        renderer: that played the candidates.
        space: the free parameters around the base patch.
        note: that is played.
        pieces: notes that the target holds one after the other; of none, it holds `note` alone.
        seed: of the search.
        circumstances: what is known beside the sounds.
    """
    if pieces:
        renderer = SequenceRenderer(renderer, pieces)
    measures = _measured(target, result, renderer, space, note, seed)
    name = grade_name(measures)
    if name == "good":
        return Grade(name, "", "", measures)
    reason, advice = _reason(measures, space, note, circumstances)
    return Grade(name, reason, advice, measures)


def _measured(
    target: NDArray[np.float32],
    result: RefineResult,
    renderer: Renderer,
    space: ParameterSpace,
    note: Note,
    seed: int,
) -> Measures:
    rate = note.sample_rate
    others = np.empty((0, note.samples), np.float32)
    base = None
    # The match is there: what cannot be rendered beside it is left out.
    with contextlib.suppress(RenderError):
        base = renderer.render(space.base[None], note, seed)
        if renderer.info.repeatable:
            patches = np.repeat(result.patch[None], OTHER_SEEDS, axis=0)
            others = renderer.render(patches, note, seed + 1 + np.arange(OTHER_SEEDS))
    own = [target[None], result.sound[None], result.preview[None], others]
    sounds, _ = at_reference(np.concatenate([*own, *([] if base is None else [base])]))
    distance = SpectralDistance(sounds[0], rate)
    found = distance(np.concatenate([sounds[1:], np.zeros_like(sounds[:1])]))
    floor = 0.0 if result.noise is None else result.noise.median
    spectrum_floor = 0.0
    if len(others):
        again = sounds[3 : 3 + len(others)]
        floor = float(np.median(SpectralDistance(sounds[1], rate)(again)))
        spectrum_floor = float(
            np.median([spectrum_difference(sounds[1], one, rate) for one in again])
        )
    nearer = result.sound if found[0] <= found[1] else result.preview
    return Measures(
        distance=float(found[:2].min()),
        silence=float(found[-1]),
        base=None if base is None else float(found[-2]),
        floor=floor,
        spectrum_floor_db=spectrum_floor,
        **compared(target, nearer, rate),
    )


def _reason(
    measures: Measures, space: ParameterSpace, note: Note, circumstances: Circumstances
) -> tuple[str, str]:
    """The likeliest reason why a match is not good, and the option that helps."""
    if circumstances.kind in _KINDS:
        reason, advice = _KINDS[circumstances.kind]
        return _sayable(reason, advice, space)
    if note.render_seconds < SHORT_SECONDS:
        return (
            f"it lasts {1000 * note.render_seconds:.0f} ms, which is too short to tell much",
            "--note-length and --render-length give it more time",
        )
    if is_silent(measures):
        return "nothing that was tried can be heard", "--base starts from another preset"
    if circumstances.other_keys:
        keys = " or ".join(f"{key} ({key_name(key)})" for key in circumstances.other_keys)
        return f"its key may be another than {note.pitch}", f"--note-pitch {keys}"
    wanted = circumstances.evaluations
    off = f"its spectrum is {measures.spectrum_db:.0f} dB off"
    if measures.level_db >= LEVEL_DB:
        off = f"its level over time is {measures.level_db:.0f} dB off"
    elif measures.colour_db >= 0.8 * measures.spectrum_db:
        off = f"its colour is {measures.colour_db:.0f} dB off"
    if not _is_whole(space):
        return off, _MORE
    if wanted is not None and wanted <= MODES[DEFAULT_MODE]:
        return off, "--mode thorough searches longer"
    return off, "--base starts from another preset"


def _sayable(reason: str, advice: str, space: ParameterSpace) -> tuple[str, str]:
    """The same; where all is free already, there is no more of that."""
    return reason, "" if advice == _MORE and _is_whole(space) else advice


def _is_whole(space: ParameterSpace) -> bool:
    """Whether far more than the usual parameters are free, or all that there are."""
    usual = len(synthesizer_of(space.table).default_free)
    return space.dimensions in (len(space.table), max(space.dimensions, 2 * usual))
