"""The parameter space of one recording: what the recording itself says of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from deepdiva.patch_writer import PatchWriter, PresetWriter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from deepdiva.pipeline.match import MatchOptions
    from deepdiva.pipeline.note_choice import Chosen
    from deepdiva.renderer import Renderer
    from deepdiva.space import ParameterSpace
    from deepdiva.synths.synthesizer import Patch


IN_TUNE = "The preset plays in tune, and is compared at this tuning (--keep-tuning writes it)."
"""Said where a recording is out of tune."""


@dataclass(frozen=True)
class FittedSpace:
    """The space in which one recording is matched.

    Attributes:
        space: around a base that is tuned as the recording is, with its release free where that is
            heard.
        remarks: what is to be said of this, one sentence each.
        fixed: values in units that are written in the place of a patch's own, by their columns.
    """

    space: ParameterSpace
    remarks: tuple[str, ...] = ()
    fixed: Mapping[int, float] = field(default_factory=dict)

    def written_by(self, writer: PatchWriter) -> PatchWriter:
        """A writer that leaves out what only stands in the space to compare with the recording."""
        if not self.fixed or not isinstance(writer, PresetWriter):
            return writer
        return replace(writer, fixed=self.fixed)


def fitted(
    chosen: Sequence[Chosen],
    space: ParameterSpace,
    held: Sequence[str],
    synth: Renderer,
    options: MatchOptions,
) -> FittedSpace:
    """Fit a parameter space to a recording, or to several that get one preset.

    Where the user has not listed what is free, the release is if it is heard, and what follows key
    and velocity is if there are several of them. A preset plays in tune, and is compared at the
    recording's own tuning: that of the candidates is moved, and left out of what is written, unless
    the user keeps it.

    Args:
        chosen: what was heard in each recording.
        space: as the user asked for it.
        held: parameters that keep their values.
        synth: plays the candidates.
        options: of the match.
    """
    from deepdiva.synths import synthesizer_of

    synthesizer = synthesizer_of(space.table)
    wanted: list[str] = []
    if any(one.is_released for one in chosen):
        wanted += synthesizer.releases
    if len({one.note.pitch for one in chosen}) > 1:
        wanted += synthesizer.key_following
    if len({one.note.velocity for one in chosen}) > 1:
        wanted += synthesizer.velocity_following
    if options.space.free is None or options.space.named(space.table) is not None:
        known = (*space.names, *held)
        more = [name for name in wanted if name in synth.supported and name not in known]
        space = replace(space, free=(*space.free, *more))
    name = synthesizer.fine_tuning
    cents = float(np.median([one.cents for one in chosen]))
    tuned = tuned_base(space.base, cents, synth, (*space.names, *held))
    if tuned is None or name is None:
        return FittedSpace(space)
    column = space.table.index(name)
    before = float(space.base[column])
    space = replace(space, base=tuned)
    if options.recording.keep_tuning:
        return FittedSpace(space)
    return FittedSpace(space, (IN_TUNE,), {column: before})


def tuned_base(base: Patch, cents: float, synth: Renderer, kept: Collection[str]) -> Patch | None:
    """A base patch that is tuned as a recording; None where that cannot or need not be.

    Args:
        base: shape (len(table),), in units.
        cents: how far the recording is above the keyboard.
        synth: plays the candidates.
        kept: parameters that are searched or held.
    """
    from deepdiva.synths import synthesizer_of

    name = synthesizer_of(synth.table).fine_tuning
    if not cents or name is None or name not in synth.supported or name in kept:
        return None
    parameter, column = synth.table[name], synth.table.index(name)
    tuned = base.copy()
    tuned[column] = round(
        float(np.clip(base[column] + cents, parameter.minimum, parameter.maximum)), 2
    )
    return tuned
