"""Methods by what a user types: `mean`, `predict:64`, `refine:thorough`, `presets:DIR` ..."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdiva.errors import (
    InvalidValueError,
    MissingFileError,
    PresetError,
    UnknownNameError,
)
from deepdiva.evaluation.method import Method
from deepdiva.evaluation.methods import EntryMethod, PredictorMethod, PresetsMethod, RefineMethod
from deepdiva.evaluation.scoring import EvaluationSettings
from deepdiva.renderer import Renderer
from deepdiva.synths.diva.preset import Preset

if TYPE_CHECKING:
    from deepdiva.models.predictor import Predictor

STORED_PATCHES = 10_000
"""What `nearest` chooses from, unless told otherwise."""

DRAWS = 64
"""Candidates of `predict` and of models, unless told otherwise."""

_NAMED = 6
"""So many parameters are named where a model does not fit."""


@dataclass(frozen=True)
class Context:
    """What methods are made with.

    Attributes:
        renderer: renders candidates; pickled into each worker.
        base: preset into which answers are written; its values are the base of the run's space.
        settings: of the run.
    """

    renderer: Renderer
    base: Preset
    settings: EvaluationSettings


def make_methods(entries: Sequence[str], context: Context) -> list[Method]:
    """The methods that a user named, in order.

    Args:
        entries: `KIND`, `KIND:ARGUMENT` or `NAME=KIND:ARGUMENT`; see `KINDS`. Without NAME the
            entry names the method: `refine:quick` becomes `refine-quick`. A NAME holds no colon
            and no slash of either kind, so that a path may hold `=`.
        context: what they are made with.

    Raises:
        UnknownNameError: no such kind.
        InvalidValueError: an argument that does not fit the kind, or a model for another note.
        MissingFileError: no such model or folder.
    """
    return [_make(entry, context) for entry in entries]


def _make(entry: str, context: Context) -> Method:
    given, equals, rest = entry.partition("=")
    named = bool(equals) and not re.search(r"[:/\\]", given)
    kind, _, argument = (rest if named else entry).partition(":")
    if kind not in KINDS:
        raise UnknownNameError(
            f"There is no method {kind!r}: choose from "
            f"{'; '.join(each.usage for each in KINDS.values())}."
        )
    tail = Path(argument).stem if kind in ("model", "presets", "entry") else argument
    name = given if named else f"{kind}-{tail}" if tail else kind
    return KINDS[kind].make(re.sub(r"[^\w.+-]+", "-", name), argument, context)


def _mean(name: str, argument: str, context: Context) -> Method:
    if argument:
        raise InvalidValueError(f"mean:{argument}: mean takes no argument.")
    return _predictor(name, {"kind": "mean"}, partial(_make_mean, context.settings), context)


def _nearest(name: str, argument: str, context: Context) -> Method:
    count = _number(argument, STORED_PATCHES, "nearest")
    seed = context.settings.seed
    make = partial(_make_nearest, context.settings, context.renderer, count, seed)
    return _predictor(name, {"kind": "nearest", "patches": count, "seed": seed}, make, context)


def _predict(name: str, argument: str, context: Context) -> Method:
    draws = _number(argument, DRAWS, "predict")
    return _trained(name, None, draws, context)


def _model(name: str, argument: str, context: Context) -> Method:
    if not argument:
        raise InvalidValueError("model: name the weights file, as in model:FILE.")
    return _trained(name, Path(argument), DRAWS, context)


def _trained(name: str, path: Path | None, draws: int, context: Context) -> Method:
    make = partial(_load, path, context, draws)
    make()
    description = {"kind": "model", "draws": draws, "sha256": _digest(path, context.settings)}
    return _predictor(name, description, make, context)


def _refine(name: str, argument: str, context: Context) -> Method:
    path = _weights(None, context.settings)
    if not path.exists():
        raise MissingFileError(
            f"{path}, the trained default that begins the search, does not exist: take `search`, "
            "which begins from nothing."
        )
    make = partial(_load, None, context, DRAWS)
    make()
    return _search_from(
        name, argument, make, {"draws": DRAWS, "sha256": _digest(None, context.settings)}, context
    )


def _search(name: str, argument: str, context: Context) -> Method:
    return _search_from(name, argument, None, None, context)


def _presets(name: str, argument: str, context: Context) -> Method:  # noqa: ARG001
    if not argument:
        raise InvalidValueError("presets: name the folder, as in presets:DIR.")
    return PresetsMethod(name, Path(argument))


def _entry(name: str, argument: str, context: Context) -> Method:
    if not argument:
        raise InvalidValueError("entry: name the folder, as in entry:DIR.")
    return EntryMethod(name, Path(argument), context.settings)


@dataclass(frozen=True)
class Kind:
    """A kind of method that can take part.

    Attributes:
        usage: how it is written, and what it is.
        make: of a name, an argument (which may be empty) and the context.
    """

    usage: str
    make: Callable[[str, str, Context], Method]


KINDS: dict[str, Kind] = {
    "mean": Kind("mean: every parameter in its middle", _mean),
    "nearest": Kind("nearest[:N]: the nearest of N stored random patches", _nearest),
    "predict": Kind("predict[:K]: the trained default, nearest of K candidates", _predict),
    "model": Kind("model:FILE: weights of one's own", _model),
    "refine": Kind(
        "refine[:MODE|N]: the search, begun by the trained default; N evaluations", _refine
    ),
    "search": Kind("search[:MODE|N]: the search from nothing", _search),
    "presets": Kind("presets:DIR: presets of the sounds' names", _presets),
    "entry": Kind("entry:DIR: presets or sounds of any tool, of the sounds' names", _entry),
}
"""What can take part: one row a kind."""


def _predictor(
    name: str, description: dict[str, Any], make: Callable[[], Predictor], context: Context
) -> Method:
    return PredictorMethod(
        name,
        {**description, **_kept_by(context.base)},
        make,
        context.renderer,
        context.base,
        context.settings,
    )


def _search_from(
    name: str,
    argument: str,
    make: Callable[[], Predictor] | None,
    start: dict[str, Any] | None,
    context: Context,
) -> Method:
    from deepdiva.search.refine_settings import DEFAULT_MODE, RefineSettings, mode_evaluations

    mode = argument or DEFAULT_MODE
    evaluations = int(mode) if mode.isdecimal() else mode_evaluations(mode)
    budget = RefineSettings(evaluations=evaluations)
    described = {
        key: value for key, value in budget.to_dict().items() if key not in ("seed", "jobs")
    }
    return RefineMethod(
        name,
        {"kind": "refine", "start": start, **described, **_kept_by(context.base)},
        budget,
        make,
        context.renderer,
        context.base,
        context.settings,
    )


def _kept_by(base: Preset) -> dict[str, str]:
    """What stands for all of a base preset that is no parameter; nothing for the built-in one."""
    try:
        built_in = Preset.template().with_values(base.values())
    except PresetError:  # a value between the plug-in's steps
        built_in = None
    if built_in is not None and built_in.data == base.data:
        return {}
    return {"base_sha256": hashlib.sha256(base.data).hexdigest()[:16]}


def _make_mean(settings: EvaluationSettings) -> Predictor:
    from deepdiva.models.baselines import MeanPredictor

    return MeanPredictor(settings.space, settings.note)


def _make_nearest(
    settings: EvaluationSettings, renderer: Renderer, count: int, seed: int
) -> Predictor:
    from deepdiva.models.baselines import NearestPredictor

    return NearestPredictor(settings.space, settings.note, renderer, count, seed)


def _load(path: Path | None, context: Context, draws: int) -> Predictor:
    """A trained predictor that fits the run.

    Raises:
        InvalidValueError: made for a note too different, or for parameters that are not free here.
    """
    from deepdiva.models.registry import load_predictor
    from deepdiva.models.transposition import for_note

    settings = context.settings
    weights = _weights(path, settings)
    predictor, _ = load_predictor(weights, context.renderer.info, draws=draws, seed=settings.seed)
    try:
        predictor = for_note(predictor, settings.note, settings.space.base)
    except InvalidValueError as error:
        raise InvalidValueError(
            f"{weights} does not fit {settings.note}: {error}. Leave it out, or train a "
            "model for that note."
        ) from error
    if predictor.whole:
        return predictor
    answered, free = set(predictor.space.free), set(settings.space.free)
    if answered != free:
        raise InvalidValueError(
            f"{weights} answers {_some(answered)}, and free are {_some(free)}: "
            "leave it out, or name its parameters with --free."
        )
    return predictor


def _some(names: Collection[str]) -> str:
    """Names for a sentence; of many, the first and how many more."""
    shown = sorted(names)[:_NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _weights(path: Path | None, settings: EvaluationSettings) -> Path:
    """A weights file, or where none is named that of the package for what is free."""
    from deepdiva.models.weights import weights_for

    return weights_for(settings.space.names) if path is None else path


def _digest(path: Path | None, settings: EvaluationSettings) -> str:
    """SHA-256 of a weights file, 16 hexadecimal digits."""
    with _weights(path, settings).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _number(argument: str, default: int, kind: str) -> int:
    if not argument:
        return default
    if not argument.isdecimal() or int(argument) < 1:
        raise InvalidValueError(f"{kind}:{argument}: write a number from 1 after the colon.")
    return int(argument)
