"""Nevergrad's optimizers as strategies, under Nevergrad's own names."""

from __future__ import annotations

import builtins
import difflib
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError, MissingFeatureError, UnknownNameError
from deepdiva.names import one_line
from deepdiva.search.encoding import ClassScores
from deepdiva.search.registry import OPTIMIZERS
from deepdiva.search.start import Start
from deepdiva.search.strategy import Strategy, reflect
from deepdiva.space import ParameterSpace

AUTO = "auto"
"""The name that stands for this project's own search instead of one of Nevergrad's."""


def optimizer_name(name: str) -> str:
    """The exact name of an optimizer that a person typed; case does not matter.

    Raises:
        UnknownNameError: Nevergrad has none of that name; similar names are listed.
        MissingFeatureError: it may have, and is not installed.
    """
    own = {known.casefold(): known for known in (AUTO, *OPTIMIZERS)}
    if name.casefold() in own:
        return own[name.casefold()]
    names = {known.casefold(): known for known in optimizer_names()}
    if name.casefold() in names:
        return names[name.casefold()]
    if not names:
        raise MissingFeatureError(
            f"{one_line(name, 40)!r} would be an optimizer of Nevergrad, which is not installed: "
            "pip install 'deepdiva[optimizers]', or leave --optimizer out."
        )
    near = difflib.get_close_matches(name.casefold(), names, n=5, cutoff=0.5)
    inside = sorted((key for key in names if name.casefold() in key), key=len)
    hints = [names[key] for key in dict.fromkeys([*near, *inside])][:6]
    similar = f" Similar: {', '.join(hints)}." if hints else ""
    raise UnknownNameError(
        f"Nevergrad has no optimizer {name!r}.{similar} {', '.join(map(repr, own.values()))} "
        "and names such as CMA, DE, TwoPointsDE, PSO, NGOpt and RandomSearch work."
    )


def optimizer_names() -> tuple[str, ...]:
    """Names of all optimizers of Nevergrad, sorted; none where it is not installed."""
    if importlib.util.find_spec("nevergrad") is None:
        return ()
    return tuple(sorted(_registry()))


class NevergradSearch(Strategy):
    """One Nevergrad optimizer over all free parameters, classes as scores.

    Args:
        name: as Nevergrad registers it.
        space: the parameter space.
        start: candidates that are asked for first; the best founded of them is the centre.
        budget: evaluations that the whole search may take, which some optimizers plan with.
        population: points in a batch. Optimizers that cannot work in batches get one at a time.
        seed: of all randomness.

    Raises:
        UnknownNameError: an unknown optimizer.
        InvalidValueError: an optimizer that needs a library that is not installed, or that does
            not take this problem.
    """

    def __init__(
        self,
        name: str,
        space: ParameterSpace,
        start: Start,
        budget: int,
        population: int,
        seed: int,
    ) -> None:
        self._name = optimizer_name(name)
        if self._name == AUTO or self._name in OPTIMIZERS:
            raise InvalidValueError(f"{self._name!r} is no optimizer of Nevergrad.")
        make = _registry()[self._name]
        self._batch = 1 if make.no_parallelization else min(population, budget)
        self._scores = ClassScores(space)
        first = self._scores.flat(start.candidates)
        with self._guarded():
            import nevergrad as ng

            centre = first[0] if len(first) else np.full(self._scores.dimensions, 0.5)
            sigma = float(start.deviations.mean())
            array = ng.p.Array(init=centre).set_mutation(sigma=sigma)
            # Nevergrad 1.0.12's particles stand still between bounds, on a plain sphere too; the
            # others come nearer with bounds than folded.
            if not isinstance(make, ng.families.ConfPSO):
                array.set_bounds(0.0, 1.0)
            array.random_state.seed(seed)
            self._optimizer = make(array, budget=budget, num_workers=self._batch)
            # What was suggested last is asked for first.
            for point in first[::-1]:
                self._optimizer.suggest(point)
        self._asked: list[Any] = []

    def ask(self) -> NDArray[np.float64]:
        with self._guarded():
            self._asked = [self._optimizer.ask() for _ in range(self._batch)]
        values = np.array([candidate.value for candidate in self._asked])
        return self._scores.points(reflect(values))

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:  # noqa: ARG002
        with self._guarded():
            for candidate, distance in zip(self._asked, distances, strict=True):
                self._optimizer.tell(candidate, float(distance))

    @property
    def done(self) -> bool:
        """Nevergrad's optimizers never say that they are done."""
        return False

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Silence Nevergrad's warnings, which users cannot act on, and name its failures."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield
            except (ImportError, NotImplementedError, RuntimeError, ValueError, TypeError) as error:
                raise InvalidValueError(
                    f"Nevergrad's optimizer {self._name} failed here: {error}. Choose another; "
                    f"{AUTO!r} is the default."
                ) from error


def _registry() -> Any:
    """Nevergrad's table of optimizers, imported on first use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nevergrad as ng
        from nevergrad.optimization import metamodel

    # Nevergrad 1.0.12 calls float() on the one-element arrays that its models predict (NGOpt and
    # all optimizers with a metamodel); NumPy 2.4 refuses that. The name is looked up in the
    # module before it is in builtins.
    metamodel.float = _float_of_one
    return ng.optimizers.registry


def _float_of_one(value: Any) -> float:
    """`float`, also of an array with one element."""
    return builtins.float(value.item() if isinstance(value, np.ndarray) else value)
