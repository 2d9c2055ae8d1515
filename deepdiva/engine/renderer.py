"""The embedded engine behind the renderer's interface."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.engine import controls as c
from deepdiva.engine import filters as f
from deepdiva.engine import kernel as k
from deepdiva.engine import voices as v
from deepdiva.engine.constants import EngineConstants
from deepdiva.engine.decimation import decimate, low_pass
from deepdiva.engine.honoured import ignored
from deepdiva.engine.mapping import MS_REV1_POTS, Nuisance, drift_seconds, laws, to_voices
from deepdiva.engine.oscillators import noise_table
from deepdiva.errors import InvalidValueError
from deepdiva.files import page_aligned
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.renderer import Ignored, Renderer, RendererInfo, Seeds
from deepdiva.synths.diva import DIVA

if TYPE_CHECKING:
    from deepdiva.synths.diva.preset import Preset

ENGINE_VERSION: Final = "2"
"""Counts changes that a listener or a network could notice; weights are tied to it."""

_DRAWN: Final = Nuisance()


class EmbeddedRenderer(Renderer):
    """Diva's MS-20-like modules, remade from measurements; runs anywhere numba does.

    Args:
        detune_pots: (8, 2 or 3), detune pots of each voice's oscillators, as `Preset.detune_pots`
            gives them; those of MS-REV1 by default. They stand in presets but not in patches.
        oversampling: 1, 2 or 4. At 2 aliases lie lower and a render takes 2.5 times as long.
        constants: engine constants that differ from the table (see `EngineConstants`).
        threads: how many threads one call of `render` may use.

    Raises:
        InvalidValueError: a value outside its range.
    """

    def __init__(
        self,
        detune_pots: ArrayLike | None = None,
        oversampling: int = 1,
        constants: Mapping[str, float] | EngineConstants | None = None,
        threads: int = 1,
    ) -> None:
        pots = np.array(MS_REV1_POTS if detune_pots is None else detune_pots, dtype=np.float64)
        if pots.ndim != 2 or pots.shape[0] != 8 or pots.shape[1] < 2 or not np.isfinite(pots).all():
            raise InvalidValueError(
                f"detune_pots has shape {pots.shape}: it must hold finite pots of 8 voices and at "
                "least 2 oscillators, as Preset.detune_pots() gives them."
            )
        if oversampling not in (1, 2, 4):
            raise InvalidValueError(f"oversampling is {oversampling!r}: it must be 1, 2 or 4.")
        if threads < 1:
            raise InvalidValueError(f"threads is {threads!r}: it must be at least 1.")
        self._pots = pots
        self._oversampling = oversampling
        if not isinstance(constants, EngineConstants):
            constants = EngineConstants(constants)
        self._constants = constants
        self._threads = threads

    @classmethod
    def of_preset(cls, preset: Preset | None) -> EmbeddedRenderer:
        """The engine with the detune pots of a preset; None stands for those of MS-REV1."""
        return cls(None if preset is None else preset.detune_pots())

    @property
    def info(self) -> RendererInfo:
        """Name and version of the engine; it repeats itself exactly.

        The version tells oversampling and constants apart, where they are not the usual ones.
        """
        version = ENGINE_VERSION
        if self._oversampling != 1:
            version += f"@{self._oversampling}x"
        if self._constants.changes:
            version += f"+{self._constants.digest}"
        return RendererInfo(
            "embedded",
            version,
            repeatable=True,
            workers="threading",
            cheap_to_copy=True,
            takes_realizations=True,
        )

    @property
    def table(self) -> ParameterTable:
        """Diva's 281 parameters."""
        return DIVA

    @property
    def honoured(self) -> frozenset[str]:
        """The parameters that act; `deepdiva.engine.mapping.laws` says how."""
        return frozenset(laws())

    @property
    def constants(self) -> EngineConstants:
        """The constants that this engine works with."""
        return self._constants

    def ignored(self, patch: NDArray[np.float64]) -> tuple[Ignored, ...]:
        """What one patch asks for and this engine does not do.

        Args:
            patch: (281,) in the units of `DIVA`.
        """
        return ignored(patch)

    def render(
        self,
        patches: NDArray[np.float64],
        note: Note,
        seeds: Seeds = 0,
        nuisance: Nuisance | None = None,
    ) -> NDArray[np.float32]:
        """Play one note with each patch; see `Renderer.render`.

        Args:
            patches: (batch, 281) in the units of `DIVA`.
            note: what is played.
            seeds: one for all or (batch,); decides start phases, drift, noise and slop.
            nuisance: those of them that are given instead of drawn.

        Returns:
            (batch, note.samples) float32.

        Raises:
            InvalidValueError: patches of another width or not finite, seeds of another length.
        """
        patches = np.asarray(patches, dtype=np.float64)
        if patches.ndim != 2 or patches.shape[1] != len(DIVA):
            raise InvalidValueError(
                f"patches has shape {patches.shape}: it must be (batch, {len(DIVA)})."
            )
        if not np.isfinite(patches).all():
            raise InvalidValueError("A patch holds a value that is not finite.")
        if np.shape(seeds) not in ((), (len(patches),)):
            raise InvalidValueError(
                f"seeds has shape {np.shape(seeds)}: give one seed, or one for each of the "
                f"{len(patches)} patches."
            )
        audio = page_aligned((len(patches), note.samples), np.float32)
        if len(patches) == 0:
            return audio
        rate = note.sample_rate * self._oversampling
        lanes = to_voices(
            patches,
            note,
            np.broadcast_to(np.asarray(seeds), (len(patches),)).astype(np.int64).astype(np.uint64),
            self._constants,
            self._pots,
            nuisance or _DRAWN,
            float(rate),
        )
        self._play(lanes, patches, note, rate, audio)
        return audio

    def realization_size(self, patch: NDArray[np.float64]) -> int:
        """Two start phases and a place in the noise for each voice; see `Renderer`."""
        return 3 * int(np.clip(np.rint(patch[DIVA.index("VCC.Voicing")]), 1, 6))

    def render_realizations(
        self,
        patches: NDArray[np.float64],
        note: Note,
        realizations: NDArray[np.float64],
        seeds: Seeds = 0,
    ) -> NDArray[np.float32]:
        """Play with given start phases and noise; see `Renderer`.

        Raises:
            InvalidValueError: realizations of another shape.
        """
        voices = realizations.shape[-1] // 3
        shaped = realizations.reshape(len(patches), voices, 3)
        nuisance = Nuisance(phases=shaped[:, :, :2], noise=shaped[:, :, 2])
        return self.render(patches, note, seeds, nuisance)

    def _play(
        self,
        lanes: v.Voices,
        patches: NDArray[np.float64],
        note: Note,
        rate: int,
        audio: NDArray[np.float32],
    ) -> None:
        factor = self._oversampling
        revisions = np.stack(
            [patches[:, DIVA.index("HPF.Rev")] > 1.5, patches[:, DIVA.index("VCF1.SkRev")] > 1.5],
            axis=1,
        )
        scale = 1.0 if factor == 1 else factor**0.5
        law = _laws(self._constants)
        law[c.GAIN_NOISE] *= scale
        shared: dict[str, Any] = {
            "drift_samples": max(1, round(drift_seconds(self._constants) * rate)),
            "laws": law,
            "noise": noise_table(),
            "rate": float(rate),
            "note_off": min(note.samples * factor, max(1, round(note.length_seconds * rate))),
        }

        def work(group: tuple[bool, NDArray[np.int64], NDArray[np.int64]]) -> None:
            moving, members, rows = group
            second_hp, second_lp = revisions[members[0]]
            circuit = _circuit(self._constants, bool(second_hp), bool(second_lp), rate)
            owner = lanes.patch[rows]
            heard = audio
            if factor > 1:
                heard = np.empty((len(members), note.samples * factor), np.float32)
                owner = np.searchsorted(members, owner)
            k.play(moving)(
                lanes.values[rows],
                lanes.envelopes[rows],
                lanes.lfos[rows],
                lanes.sources[rows],
                lanes.depths[rows],
                lanes.drift[rows],
                owner,
                shared["drift_samples"],
                shared["laws"],
                circuit,
                shared["noise"],
                shared["rate"],
                (k.BLOCK if moving else k.STILL_BLOCK) * factor,
                shared["note_off"],
                heard,
            )
            if factor > 1:
                coarse = np.empty((len(members), note.samples), np.float32)
                decimate(heard, low_pass(factor), factor, coarse)
                audio[members] = coarse

        groups = list(_groups(lanes, revisions))
        if self._threads == 1 or len(groups) == 1:
            for group in groups:
                work(group)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(work, groups))


def _laws(constants: EngineConstants) -> NDArray[np.float64]:
    law = np.empty(c.LAWS)
    for name in (
        "LEVEL_GAIN",
        "LEVEL_POWER",
        "GAIN_TRIANGLE",
        "GAIN_SAW_1",
        "GAIN_PULSE",
        "GAIN_NOISE",
        "GAIN_SAW_2",
        "GAIN_SQUARE",
        "GAIN_NARROW",
        "GAIN_RING",
        "LP_FEEDBACK_GAIN",
        "LP_FEEDBACK_POWER",
        "HP_FEEDBACK_GAIN",
        "HP_FEEDBACK_POWER",
        "NOISE_COLOUR",
    ):
        law[getattr(c, name)] = constants[name.lower()]
    return law


def _circuit(
    constants: EngineConstants, second_hp: bool, second_lp: bool, rate: float
) -> NDArray[np.float32]:
    circuit = np.empty(f.CIRCUIT, np.float32)
    circuit[f.HP_CLIP] = constants["hp_clip_2" if second_hp else "hp_clip"]
    circuit[f.LOOP_CLIP] = constants["loop_clip_2" if second_lp else "loop_clip"]
    circuit[f.LOOP_BIAS] = 0.0 if second_lp else constants["loop_bias"]
    circuit[f.DRIVE_CLIP] = constants["drive_clip"]
    circuit[f.COUPLING] = -math.expm1(-2.0 * math.pi * constants["coupling_hertz"] / rate)
    return circuit


def _groups(
    lanes: v.Voices, revisions: NDArray[np.bool_]
) -> Iterator[tuple[bool, NDArray[np.int64], NDArray[np.int64]]]:
    """Patches that one call of the kernel takes: alike in circuit, at most `filters.LANES` lanes.

    Yields:
        Whether they are moving, the patches (ascending), and their lanes.
    """
    first = np.searchsorted(lanes.patch, np.arange(len(revisions)))
    last = np.searchsorted(lanes.patch, np.arange(len(revisions)), side="right")
    kind = lanes.moving * 4 + revisions[:, 0] * 2 + revisions[:, 1]
    for value in np.unique(kind):
        members: list[int] = []
        width = 0
        for patch in np.flatnonzero(kind == value):
            size = int(last[patch] - first[patch])
            if members and width + size > f.LANES:
                yield _group(value, members, first, last)
                members, width = [], 0
            members.append(int(patch))
            width += size
        yield _group(value, members, first, last)


def _group(
    kind: int, members: list[int], first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[bool, NDArray[np.int64], NDArray[np.int64]]:
    rows = np.concatenate([np.arange(first[patch], last[patch]) for patch in members])
    return bool(kind >= 4), np.array(members), rows
