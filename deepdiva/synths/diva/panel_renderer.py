"""The embedded engine, Diva's whole panel, behind the renderer's interface."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.engine.backends import cuda
from deepdiva.engine.chain import LaneInputs
from deepdiva.engine.effects import Setting, bus, play_effects
from deepdiva.engine.module import Confidence
from deepdiva.engine.player import Group, groups, play_group
from deepdiva.engine.voice_constants import voice_values
from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.files import page_aligned
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.performance import AT_REST, Performance
from deepdiva.renderer import Renderer, RendererInfo, Seeds, Unsupported
from deepdiva.synths.diva import DIVA, acting, panel
from deepdiva.synths.diva.phrase import Event, has_phrase, phrase
from deepdiva.synths.diva.phrase_player import add_events, alike
from deepdiva.synths.diva.space import MS_REV1_POTS
from deepdiva.synths.diva.trimmers import AT_REST as UNTRIMMED
from deepdiva.synths.diva.trimmers import Trimmers

if TYPE_CHECKING:
    from deepdiva.synths.diva.preset import Preset

ENGINE_VERSION: Final = "3"
"""Counts changes that a listener or a network could notice; weights are tied to it."""


class PanelRenderer(Renderer):
    """Plays every chain of Diva's panel that has a module for each of its choices.

    Args:
        detune_pots: (8, 2 or 3), detune pots of each voice's oscillators, as `Preset.detune_pots`
            gives them; those of MS-REV1 by default. They stand in presets but not in patches.
        constants: that differ from those of the modules (`filter.ladder.drive`) and of the voice
            (`attack_longest`).
        threads: how many threads one call of `render` may use.
        performance: tempo, wheels, chord and tuning of all that is rendered.
        trimmers: of the preset, beside detune pots.
        device: `cpu` or `cuda`; None for what the variable `DEEPDIVA_DEVICE` says, or the
            processor. On `cuda` chords and arpeggios are played by the processor.

    Raises:
        InvalidValueError: a value outside its range.
        MissingFeatureError: `cuda` where there is no numba-cuda or no NVIDIA card.
        UnknownNameError: no such constant.
    """

    def __init__(
        self,
        detune_pots: ArrayLike | None = None,
        constants: Mapping[str, float] | None = None,
        threads: int = 1,
        performance: Performance = AT_REST,
        trimmers: Trimmers = UNTRIMMED,
        device: str | None = None,
    ) -> None:
        self._device = cuda.chosen_device(device)
        pots = np.array(MS_REV1_POTS if detune_pots is None else detune_pots, np.float64)
        if pots.ndim != 2 or pots.shape[0] != 8 or pots.shape[1] < 2 or not np.isfinite(pots).all():
            raise InvalidValueError(
                f"detune_pots has shape {pots.shape}: it must hold finite pots of 8 voices and at "
                "least 2 oscillators, as Preset.detune_pots() gives them."
            )
        if threads < 1:
            raise InvalidValueError(f"threads is {threads!r}: it must be at least 1.")
        self._pots = pots
        self._changes = dict(constants or {})
        known = panel.constants()
        for name, value in self._changes.items():
            if name not in known:
                raise UnknownNameError(
                    f"The engine has no constant {name!r}; it has {', '.join(known)}."
                )
            if not np.isfinite(value):
                raise InvalidValueError(f"{name} is {value!r}: a constant must be finite.")
        self._threads = threads
        self._performance = performance
        self._trimmers = trimmers
        self._voice = voice_values(self._changes)
        self._modules = {
            module.full_name: np.array(
                [
                    self._changes.get(f"{module.full_name}.{entry.name}", entry.value)
                    for entry in module.constants
                ],
                np.float64,
            )
            for module in panel.modules()
        }

    @classmethod
    def of_preset(
        cls,
        preset: Preset | None,
        performance: Performance = AT_REST,
        constants: Mapping[str, float] | None = None,
    ) -> PanelRenderer:
        """The engine with what a preset holds and no patch does: pots, reset, trimmers."""
        if preset is None:
            return cls(constants=constants, performance=performance)
        return cls(
            detune_pots=preset.detune_pots(),
            constants=constants,
            performance=performance,
            trimmers=Trimmers.of(preset),
        )

    @property
    def info(self) -> RendererInfo:
        """Name and version of the engine; it repeats itself exactly."""
        version = ENGINE_VERSION
        if self._changes:
            digest = hashlib.sha256(repr(sorted(self._changes.items())).encode()).hexdigest()
            version += f"+{digest[:8]}"
        return RendererInfo(
            "embedded",
            version,
            repeatable=True,
            workers="threading",
            preferred_batch=16,
            cheap_to_copy=True,
            takes_realizations=True,
            stereo=True,
        )

    @property
    def table(self) -> ParameterTable:
        """Diva's 281 parameters."""
        return DIVA

    @property
    def supported(self) -> frozenset[str]:
        """The parameters that act in some patch."""
        return acting.known()

    def unsupported(self, patch: NDArray[np.float64]) -> tuple[Unsupported, ...]:
        """What one patch asks for and this engine does not do.

        Args:
            patch: (281,) in the units of `DIVA`.
        """
        return acting.unsupported(patch, self._performance, self._trimmers)

    def uncalibrated(self, patch: NDArray[np.float64]) -> tuple[str, ...]:
        """Modules of one patch, and ways of playing it, that no sound of Diva has judged.

        Args:
            patch: (281,) in the units of `DIVA`.
        """
        chain = panel.chain_of(*panel.played_models(patch))
        used = (*chain.modules, *(fitting.module for fitting in panel.played_effects(patch)))
        names = [m.full_name for m in used if m.confidence is Confidence.GUESS]
        if patch[DIVA.index("ARP.OnOff")] > 0.5:
            names.append("arpeggiator")
        if self._performance.glide_from is not None and patch[DIVA.index("VCC.Porta")] > 0.0:
            names.append("glide")
        names += [f"{key} (unknown)" for key in self._trimmers.unknown]
        return tuple(dict.fromkeys(names))

    def render(
        self,
        patches: NDArray[np.float64],
        note: Note,
        seeds: Seeds = 0,
        nuisance: panel.Nuisance | None = None,
    ) -> NDArray[np.float32]:
        """Play one note with each patch; see `Renderer.render`.

        Where a patch chooses a model that has no module, the nearest one plays, and `unsupported`
        says so.

        Args:
            patches: (batch, 281) in the units of `DIVA`.
            note: what is played.
            seeds: one for all or (batch,); decides start phases, drift, noise and slop.
            nuisance: what of these is given; None where all is drawn.

        Returns:
            (batch, note.samples) float32, the mean of both channels.

        Raises:
            InvalidValueError: patches of another width or not finite, seeds or nuisance of another
                shape.
        """
        audio: NDArray[np.float32] = self._play(patches, note, seeds, nuisance, channels=1)[0]
        return audio

    def realization_size(self, patch: NDArray[np.float64]) -> int:
        """Start phases and a place in the noise for each voice; see `Renderer`."""
        voices, numbers = panel.realization_shape(patch)
        return voices * numbers

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
        if len(patches) == 0:
            return self.render(patches, note, seeds)
        voices, numbers = panel.realization_shape(patches[0])
        if realizations.shape != (len(patches), voices * numbers):
            raise InvalidValueError(
                f"realizations have shape {realizations.shape}: they must have "
                f"{(len(patches), voices * numbers)}."
            )
        shaped = realizations.reshape(len(patches), voices, numbers)
        nuisance = panel.Nuisance(phases=shaped[:, :, :-1], noise=shaped[:, :, -1])
        return self.render(patches, note, seeds, nuisance)

    def render_stereo(
        self,
        patches: NDArray[np.float64],
        note: Note,
        seeds: Seeds = 0,
        nuisance: panel.Nuisance | None = None,
    ) -> NDArray[np.float32]:
        """As `render`, both channels: (2, batch, note.samples) float32."""
        return self._play(patches, note, seeds, nuisance, channels=2)

    def _play(
        self,
        patches: NDArray[np.float64],
        note: Note,
        seeds: Seeds,
        nuisance: panel.Nuisance | None,
        channels: int,
    ) -> NDArray[np.float32]:
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
        out = page_aligned((channels * len(patches), note.samples), np.float32)
        out = out.reshape(channels, len(patches), note.samples)
        if len(patches) == 0:
            return out
        chance = nuisance or panel.DRAWN
        if nuisance is not None:
            nuisance.check(patches)
        own = np.broadcast_to(np.asarray(seeds), (len(patches),)).astype(np.int64)
        rate = float(note.sample_rate)
        note_off = min(note.samples, max(1, round(note.length_seconds * rate)))
        settings = panel.effect_settings(
            patches, note, own.astype(np.uint64), self._voice, rate, self._performance
        )
        gains = [panel.output_gain(patch) for patch in patches]
        work: list[Callable[[], None]] = []
        phrases = self._phrases(patches, note, own)
        plain = np.array([k for k in range(len(patches)) if not _is_phrase(phrases.get(k))])
        if len(plain):
            events = [phrases[k][0] for k in plain] if phrases else None
            inputs = list(
                self._lane_inputs(patches[plain], note, own[plain], events, chance.rows(plain))
            )
            for lanes in inputs:
                lanes.patch = plain[lanes.patch]
            inputs = self._left_by_card(inputs, settings, gains, note, note_off, out)
            work += [
                partial(self._play_group, group, settings, gains, note, note_off, out)
                for group in groups(inputs)
            ]
        for k in np.setdiff1d(np.arange(len(patches)), plain):
            work.append(
                partial(
                    self._play_phrase, patches[k], phrases[k], int(own[k]), settings[k], gains[k],
                    note, chance.rows(np.array([k])), out[:, k],
                )
            )  # fmt: skip
        if self._threads == 1 or len(work) == 1:
            for play in work:
                play()
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(lambda play: play(), work))
        return out

    def _left_by_card(
        self, inputs: list[LaneInputs], settings: list[tuple[Setting, ...]], gains: list[float],
        note: Note, note_off: int, out: NDArray[np.float32],
    ) -> list[LaneInputs]:  # fmt: skip
        """What the processor has to play: all of it, or nothing where there is a card."""
        if self._device != "cuda":
            return inputs
        rate = float(note.sample_rate)
        for batch in cuda.batches(inputs):
            cuda.play_batch(batch, settings, gains, self._modules, rate, note_off, out)
        return []

    def _phrases(
        self, patches: NDArray[np.float64], note: Note, seeds: NDArray[np.int64]
    ) -> dict[int, tuple[Event, ...]]:
        """What patches play: all of them, or none where each has the note's key alone."""
        if not has_phrase(patches, self._performance).any():
            return {}
        return {
            k: phrase(patch, note, self._performance, int(seed), self._voice)
            for k, (patch, seed) in enumerate(zip(patches, seeds, strict=True))
        }

    def _lane_inputs(
        self,
        patches: NDArray[np.float64],
        note: Note,
        seeds: NDArray[np.int64],
        events: Sequence[Event] | None,
        nuisance: panel.Nuisance,
    ) -> Iterator[LaneInputs]:
        return panel.lane_inputs(
            patches, note, seeds.astype(np.uint64), self._voice, self._pots,
            float(note.sample_rate), self._performance, events, self._trimmers, nuisance,
        )  # fmt: skip

    def _play_phrase(
        self, patch: NDArray[np.float64], events: Sequence[Event], seed: int,
        effects: tuple[Setting, ...], gain: float, note: Note, nuisance: panel.Nuisance,
        out: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Several events of one patch, summed before its effects and the output knob.

        Args:
            patch: (281,).
            events: by their onsets.
            seed: of the patch.
            effects: of the patch.
            gain: of the output knob behind effects.
            note: what is played.
            nuisance: of the patch; every event of it gets the same.
            out: (channels, samples) float32; overwritten.
        """
        both = bus(1, note.samples)
        both[:] = 0.0
        for some in alike(events):
            piece = replace(note, length_seconds=min(some[0].length, note.length_seconds))
            patches = np.tile(patch, (len(some), 1))
            seeds = np.full(len(some), seed)
            chance = nuisance.rows(np.zeros(len(some), np.int64))
            for group in groups(self._lane_inputs(patches, piece, seeds, some, chance)):
                add_events(group, some, self._modules, piece, both[:, 0])
        left, right = both[0, 0], both[1, 0]
        if effects:
            play_effects(effects, self._modules, float(note.sample_rate), left, right)
        else:
            gain = 1.0
        if len(out) == 1:
            np.add(left[: note.samples], right[: note.samples], out=out[0])
            out[0] *= np.float32(0.5 * gain)
        else:
            np.multiply(both[:, 0, : note.samples], np.float32(gain), out=out)

    def _play_group(
        self, group: Group, settings: list[tuple[Setting, ...]], gains: list[float], note: Note,
        note_off: int, out: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Voices, and behind them the effects and the output knob of the patches that have some.

        Args:
            group: whole patches.
            settings: effects of every patch of the batch.
            gains: of the output knobs behind effects.
            note: what is played.
            note_off: sample of the key's release.
            out: (channels, batch, samples) float32; the rows of these patches are overwritten.
        """
        rate = float(note.sample_rate)
        channels = len(out)
        members = group.patches
        mono = np.array([channels == 1 and not setting for setting in settings])
        if not any(settings[k] for k in members):
            owner = np.arange(out.shape[1])
            play_group(group, self._modules, note.samples, note_off, rate, owner, mono, out)
            return
        owner = np.zeros(out.shape[1], np.int64)
        owner[members] = np.arange(len(members))
        both = bus(len(members), note.samples)
        play_group(group, self._modules, note.samples, note_off, rate, owner, mono, both)
        for row, k in enumerate(members):
            left, right = both[0, row], both[1, row]
            sides = left[: note.samples], right[: note.samples]
            gain = np.float32(1.0)
            if settings[k]:
                play_effects(settings[k], self._modules, rate, left, right)
                gain = np.float32(gains[k])
            if channels == 1 and settings[k]:
                np.add(*sides, out=out[0, k])
                out[0, k] *= np.float32(0.5) * gain
            else:
                for side, row_out in zip(sides, out[:, k], strict=False):
                    np.multiply(side, gain, out=row_out)


def _is_phrase(events: tuple[Event, ...] | None) -> bool:
    """Whether it is more than one key that is held as long as the note."""
    return events is not None and (len(events) > 1 or math.isfinite(events[0].length))
