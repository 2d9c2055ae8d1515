"""What a user may say, in groups that belong together, with their defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deepdiva.errors import InvalidValueError
from deepdiva.hosts.quality import Accuracy, DivaQuality, OfflineAccuracy
from deepdiva.performance import AT_REST, Performance
from deepdiva.renderers import make_renderer, renderer_kind
from deepdiva.search.refine_settings import DEFAULT_MODE, MODES, SIMPLE_PRICE, RefineSettings

if TYPE_CHECKING:
    from deepdiva.parameters import ParameterTable
    from deepdiva.renderer import Renderer
    from deepdiva.space import ParameterSpace
    from deepdiva.synths.diva.preset import Preset

STATE_SUFFIXES = (".fxp", ".fxb", ".vstpreset")  # of presets of other plug-ins


def _nothing(sentence: str) -> None:
    """Says nothing to nobody."""


@dataclass(frozen=True)
class Listener:
    """Who is told what happens along the way, a sentence at a time.

    Attributes:
        say: what one may want to know.
        warn: what one should know.
    """

    say: Callable[[str], None] = _nothing
    warn: Callable[[str], None] = _nothing


def grouped(reasons: dict[str, str]) -> str:
    """Parameters in a sentence, those of one reason together."""
    names: dict[str, list[str]] = {}
    for parameter, reason in reasons.items():
        names.setdefault(reason, []).append(parameter)
    return "; ".join(f"{', '.join(group)} ({reason})" for reason, group in names.items())


@dataclass(frozen=True)
class SpaceChoice:
    """What the user said about the parameters that are searched.

    Attributes:
        base: preset that holds the others: an `.h2p`, the name of a built-in one, or for another
            plug-in than Diva its own preset file; None for MS-REV1, or for the plug-in as it
            loads.
        free: names, patterns or indices as typed, or the name of a set such as `all`; None for
            the default ones, of another plug-in all.
        lock: `NAME=VALUE` as typed.
    """

    base: Path | None = None
    free: str | None = None
    lock: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        base: Path | str | None,
        free: Sequence[str] | None,
        lock: Mapping[str, float] | None,
    ) -> SpaceChoice:
        """The same from values of Python: names of parameters, and values by name in units."""
        return cls(
            None if base is None else Path(base),
            None if free is None else ",".join(free),
            tuple(f"{name}={value!r}" for name, value in (lock or {}).items()),
        )

    @property
    def state(self) -> Path | None:
        """The base preset, if it is of another plug-in than Diva."""
        is_state = self.base is not None and self.base.suffix.lower() in STATE_SUFFIXES
        return self.base if is_state else None

    def preset(self) -> Preset:
        """The base preset, or the built-in one if it is of another plug-in.

        Raises:
            MissingFileError: it does not exist, and is the name of no built-in preset.
            PresetError: it is no preset of Diva.
        """
        from deepdiva.synths.diva.bases import built_in
        from deepdiva.synths.diva.preset import Preset

        if self.base is None or self.state is not None:
            return Preset.template()
        if not self.base.exists():
            found = built_in(str(self.base))
            if found is not None:
                return found
        return Preset.read(self.base)

    def space(
        self, preset: Preset, table: ParameterTable, *, whole: bool = False
    ) -> ParameterSpace:
        """The parameter space around a base preset.

        Args:
            preset: of Diva; another table's defaults stand for it.
            table: of the renderer, which holds the values of `state` as its defaults.
            whole: by default the whole panel is free, where it is known.

        Raises:
            UnknownNameError: a parameter that the table does not have.
            InvalidValueError: a value outside its range, nothing left free, or a base preset of
                another synthesizer.
        """
        from deepdiva.space import ParameterSpace, parse_free
        from deepdiva.synths import synthesizer_of

        synthesizer = synthesizer_of(table)
        has_presets = bool(synthesizer.preset_suffix)
        if self.base is not None and has_presets != (self.state is None):
            raise InvalidValueError(
                f"{self.base} is no preset of {table.name}: --base takes one of the synthesizer "
                "that renders."
            )
        named = self.named(table)
        if self.free is not None:
            free = parse_free(table, self.free) if named is None else named
        elif whole and synthesizer.structure is not None:
            free = synthesizer.structure.panel
        else:
            free = synthesizer.default_free
        locks = self.locks(table)
        values = preset.values() if has_presets else table.defaults()
        return ParameterSpace(table, values, free).locked(locks)

    def named(self, table: ParameterTable) -> tuple[str, ...] | None:
        """The set of free parameters that was named; None where they were listed, or not at all."""
        from deepdiva.synths import synthesizer_of

        return synthesizer_of(table).free_sets.get((self.free or "").strip().casefold())

    def locks(self, table: ParameterTable) -> dict[str, float]:
        """Values at which parameters are held, by name, in units.

        Raises:
            UnknownNameError: a parameter that the table does not have.
            InvalidValueError: a value that it does not have.
        """
        from deepdiva.space import parse_lock

        return dict(parse_lock(table, text) for text in self.lock)


@dataclass(frozen=True)
class RendererChoice:
    """What the user said about the synthesizer that renders.

    Attributes:
        name: one of `RENDERERS`; None for the usual one.
        plugin: path of a plug-in; None for the embedded engine, or for Diva where it is installed.
        diva_accuracy: of Diva itself, for the three see `DivaQuality`.
        diva_offline: of Diva itself.
        diva_multicore: of Diva itself.
        constants: of the embedded engine: a file of `deepdiva calibrate`, or `builtin`; None for
            the user's own where there are some.
    """

    name: str | None = None
    plugin: Path | None = None
    diva_accuracy: Accuracy = DivaQuality.accuracy
    diva_offline: OfflineAccuracy = DivaQuality.offline
    diva_multicore: bool = DivaQuality.multicore
    constants: Path | str | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether the usual engine renders, that of the network and of online training."""
        return renderer_kind(self.name, self.plugin) is renderer_kind()

    def open(
        self,
        preset: Preset,
        *,
        workers: int = 1,
        mode: Literal["reuse", "fresh"] = "reuse",
        state: Path | None = None,
        performance: Performance = AT_REST,
    ) -> Renderer:
        """A renderer for patches of a preset, for the caller to close.

        Takes and raises what `make_renderer` does.
        """
        return make_renderer(
            self.name,
            self.plugin,
            workers=workers,
            mode=mode,
            preset=preset,
            state=state,
            quality=self.quality,
            performance=performance,
            constants=self.constants,
        )

    def own_constants(self) -> str:
        """Which constants of the user's own the embedded engine plays with, as a sentence.

        Empty where it plays with its own, or a plug-in plays.

        Raises:
            MissingFileError: no such file.
            InvalidValueError: it is damaged, or does not fit this engine.
        """
        from deepdiva.synths.diva.own_constants import chosen_constants, constants_file

        own = chosen_constants(self.constants) if self.is_embedded else None
        if own is None or not own.values:
            return ""
        return (
            f"The engine plays with the constants of {own.title} in "
            f"{constants_file(self.constants)} (--constants builtin: its own)."
        )

    @property
    def quality(self) -> DivaQuality:
        """What was asked of Diva itself."""
        return DivaQuality(self.diva_accuracy, self.diva_offline, self.diva_multicore)


@dataclass(frozen=True)
class SearchChoice:
    """What the user said about the search.

    Attributes:
        mode: a named budget of `MODES`; None for the default where no limit is given.
        evaluations: candidates at most; None for no limit.
        seconds: time at most; None for no limit.
        optimizer: `auto`, or one of Nevergrad's, in any case.
        target_distance: the match that is near enough; None to go on.
        patience: evaluations without a better match that end a stage; None to go on.
        weights: `DISTANCE=WEIGHT` as typed; nothing for the measured best.
        price: of a module in use, as a part of the distance; None for the usual one.
        simple: a preset of few modules counts more than the last per cent.
        chain: models of the chain as typed, such as `Triple VCO + Ladder`; None for any.
        effects: whether effects may be used.
    """

    mode: str | None = None
    evaluations: int | None = None
    seconds: float | None = None
    optimizer: str = RefineSettings.optimizer
    target_distance: float | None = None
    patience: int | None = None
    weights: tuple[str, ...] = ()
    price: float | None = None
    simple: bool = False
    chain: str | None = None
    effects: bool = True

    def locks(self, table: ParameterTable) -> dict[str, float]:
        """Values at which the chosen chain and missing effects are held, by name, in units.

        Raises:
            InvalidValueError: a word that names no model, or a synthesizer without known models.
        """
        from deepdiva.synths import synthesizer_of

        structure = synthesizer_of(table).structure
        if structure is None:
            if self.chain is not None or not self.effects:
                raise InvalidValueError(
                    f"The models of {table.name} are not known: leave out --chain and "
                    "--no-effects, and say --lock NAME=VALUE."
                )
            return {}
        chain = {} if self.chain is None else structure.chain_values(self.chain)
        return chain if self.effects else {**chain, **structure.effects}

    def settings(self, seed: int, jobs: int | None, held: tuple[str, ...] = ()) -> RefineSettings:
        """The settings of a search.

        Args:
            seed: of everything that is drawn at random.
            jobs: workers; None for one for each core.
            held: parameters that keep the values of the base patch.

        Raises:
            InvalidValueError: a value outside its range, or a weight that is no number.
            UnknownNameError: no such mode, optimizer or distance.
        """
        from deepdiva.search.optimizers import optimizer_name

        return RefineSettings(
            optimizer=optimizer_name(self.optimizer),
            evaluations=self._limit(),
            seconds=self.seconds,
            target_distance=self.target_distance,
            patience=self.patience,
            seed=seed,
            jobs=jobs,
            weights=self._weights(),
            price=self._price(),
            held=held,
        )

    def _price(self) -> float:
        if self.price is not None:
            return self.price
        return SIMPLE_PRICE if self.simple else RefineSettings.price

    def _limit(self) -> int | None:
        """The limit in evaluations: as given, of the mode, or the default where nothing is."""
        from deepdiva.search.refine_settings import mode_evaluations

        if self.evaluations is not None or self.mode is not None:
            given = math.inf if self.evaluations is None else self.evaluations
            return int(min(given, math.inf if self.mode is None else mode_evaluations(self.mode)))
        return None if self.seconds is not None else MODES[DEFAULT_MODE]

    def _weights(self) -> dict[str, float] | None:
        weights = {}
        for text in self.weights:
            name, _, number = text.partition("=")
            try:
                weights[name.strip()] = float(number)
            except ValueError:
                raise InvalidValueError(
                    f"--weight {text}: it takes a distance and a number, such as full=1."
                ) from None
        return weights or None


@dataclass(frozen=True)
class PriorChoice:
    """What the user said about what is known before the search.

    Attributes:
        predict: whether to ask the network; None where it knows note and parameters.
        model_file: its weights; None for those that come with the package.
        engine_first: with Diva as plug-in, search the embedded engine before.
        library: folder of presets; the nearest of them are tried, too. None for none.
    """

    predict: bool | None = None
    model_file: Path | None = None
    engine_first: bool = True
    library: Path | None = None


@dataclass(frozen=True)
class RecordingChoice:
    """What the user said about the recordings.

    Attributes:
        part_start: where in the file the sound begins, in seconds; None to find out.
        part_length: seconds of the file; None for what is needed.
        channel: which one to take, from 1 on; None for those that hold the note.
        keep_tuning: write the recording's own tuning into the preset.
    """

    part_start: float | None = None
    part_length: float | None = None
    channel: int | None = None
    keep_tuning: bool = False
