"""Plays the panel network with numpy alone: the same numbers as PyTorch's within 1e-4."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepdiva.models.arithmetic import convolve, group_norm, layer_norm, silu, softmax
from deepdiva.models.panel.views import LAYOUT, PITCHES, harmonic_shifts

Array = NDArray[np.float32]
Arrays = Mapping[str, Array]


class Presence(Protocol):
    """Says which variables act, given those decided before."""

    def __call__(self, classes: NDArray[np.int16], stage: int, /) -> NDArray[np.bool_]:
        """Classes (batch, variables) and a stage to (batch, variables of the stage)."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Patches drawn from the network for one sound, as classes.

    Attributes:
        classes: shape (draws, variables), -1 where a variable does not act.
        log_probability: natural logarithm of the probability of each, shape (draws,).
        marginals: for each variable the probability of each class where it acts, a mean over the
            draws; uniform where it acts in none.
        acting: share of the draws in which each variable acts, shape (variables,).
    """

    classes: NDArray[np.int16]
    log_probability: NDArray[np.float64]
    marginals: list[NDArray[np.float64]]
    acting: NDArray[np.float64]


class PanelPlayer:
    """The network of `deepdiva.models.panel.network`, for prediction.

    Args:
        arrays: weights by their names in PyTorch, float32.
        sizes: classes of each variable.
        stages: of each variable, rising.
    """

    def __init__(self, arrays: Arrays, sizes: tuple[int, ...], stages: NDArray[np.intp]) -> None:
        self._arrays = {name: np.asarray(a, dtype=np.float32) for name, a in arrays.items()}
        self._sizes, self._stages = sizes, np.asarray(stages)
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._blocks = sum(name.endswith("dense1.weight") for name in arrays)

    def encode(self, vectors: Array) -> Array:
        """Views of sounds, (batch, WIDTH), to vectors, (batch, encoding)."""
        size, (windows, _), (high, wide) = (
            math.prod(LAYOUT["lines"]), LAYOUT["lines"], LAYOUT["picture"],
        )  # fmt: skip
        lines = vectors[:, :size].reshape(-1, *LAYOUT["lines"])
        harmonics = self._arrays["encoder.lines_in.weight"].shape[1] // windows
        shifts = harmonic_shifts(harmonics)
        beyond = max(0, shifts[-1] + PITCHES - lines.shape[-1])
        lines = np.pad(lines, ((0, 0), (0, 0), (0, beyond)), constant_values=-1.0)
        stacked = np.concatenate([lines[..., at : at + PITCHES] for at in shifts], axis=1)
        picture = vectors[:, size : size + high * wide].reshape(-1, 1, high, wide)
        merged = self._dense("encoder.plain", vectors)
        for name, x in (("lines", stacked), ("picture", picture)):
            x = convolve(x, *self._layer(f"encoder.{name}_in"), 2)
            for stage in (1, 2):
                x = self._residual(f"encoder.{name}_{stage}", x)
            x = silu(group_norm(x, *self._layer(f"encoder.{name}_norm")))
            merged = merged + self._dense(f"encoder.from_{name}", x.reshape(len(x), -1))
        for number in range(self._blocks):
            at = f"encoder.blocks.{number}"
            inner = layer_norm(merged, *self._layer(f"{at}.norm"))
            inner = silu(self._dense(f"{at}.dense1", inner))
            merged = merged + self._dense(f"{at}.dense2", inner)
        normed = layer_norm(merged, *self._layer("encoder.norm"))
        return silu(self._dense("encoder.out", normed))

    def _residual(self, name: str, x: Array) -> Array:
        inner = silu(group_norm(x, *self._layer(f"{name}.norm1")))
        inner = convolve(inner, *self._layer(f"{name}.conv1"), 2)
        inner = silu(group_norm(inner, *self._layer(f"{name}.norm2")))
        inner = convolve(inner, *self._layer(f"{name}.conv2"), 1)
        return np.asarray(convolve(x, *self._layer(f"{name}.short"), 2) + inner, np.float32)

    def log_probabilities(self, encoding: Array, classes: NDArray[np.int16]) -> NDArray[np.float64]:
        """Of each variable of patches, given those before it: (batch, variables), 0 where absent.

        Args:
            encoding: of one sound, shape (encoding,).
            classes: shape (batch, variables).
        """
        direct, state = self._begin(encoding, len(classes))
        found = np.zeros(classes.shape)
        for column in range(len(self._sizes)):
            here = np.flatnonzero(classes[:, column] >= 0)
            if len(here):
                shares = self._shares(column, direct, state[here])
                chosen = classes[here, column]
                found[here, column] = np.log(shares[np.arange(len(here)), chosen])
                state[here] += self._arrays["embedding"][self._starts[column] + chosen]
        return found

    def chain(self, encoding: Array, variables: int = 3) -> tuple[NDArray[np.int16], Array]:
        """All classes of the first variables with their probabilities, the likeliest first.

        Returns:
            Shape (combinations, variables) and (combinations,).
        """
        grid = np.indices(self._sizes[:variables]).reshape(variables, -1).T.astype(np.int16)
        classes = np.full((len(grid), len(self._sizes)), -1, dtype=np.int16)
        classes[:, :variables] = grid
        weight = np.exp(self.log_probabilities(encoding, classes).sum(axis=1))
        order = np.argsort(-weight, kind="stable")
        return grid[order], weight[order].astype(np.float32)

    def draw(self, encoding: Array, uniform: NDArray[np.float64], presence: Presence) -> Draws:
        """Draw patches for one sound.

        Args:
            encoding: shape (encoding,).
            uniform: in [0, 1), shape (draws, variables); decides all.
            presence: which variables act.
        """
        count = len(uniform)
        direct, state = self._begin(encoding, count)
        classes = np.full((count, len(self._sizes)), -1, dtype=np.int16)
        total = np.zeros(count)
        marginals = [np.full(size, 1.0 / size) for size in self._sizes]
        acting = np.zeros(len(self._sizes))
        for stage in np.unique(self._stages):
            columns = np.flatnonzero(self._stages == stage)
            present = presence(classes, int(stage))
            for place, column in enumerate(columns):
                here = np.flatnonzero(present[:, place])
                if not len(here):
                    continue
                shares = self._shares(int(column), direct, state[here])
                ends = np.cumsum(shares, axis=1)
                wanted = uniform[here, column] * ends[:, -1]
                chosen = np.minimum((ends <= wanted[:, None]).sum(axis=1), shares.shape[1] - 1)
                classes[here, column] = chosen
                total[here] += np.log(shares[np.arange(len(here)), chosen])
                state[here] += self._arrays["embedding"][self._starts[column] + chosen]
                marginals[column] = shares.mean(axis=0)
                acting[column] = len(here) / count
        return Draws(classes, total, marginals, acting)

    def _begin(self, encoding: Array, count: int) -> tuple[Array, Array]:
        direct = self._dense("direct", encoding[None])[0]
        return direct, np.repeat(self._dense("to_state", encoding[None]), count, axis=0)

    def _shares(self, column: int, direct: Array, state: Array) -> NDArray[np.float64]:
        """Probabilities of the classes of a variable: (batch, classes)."""
        some = slice(self._starts[column], self._starts[column + 1])
        hidden = silu(self._arrays["shift"][column] + state * self._arrays["gain"][column])
        logits = hidden @ self._arrays["readout"][some].T + direct[some]
        return softmax(logits)

    def _layer(self, name: str) -> tuple[Array, Array]:
        return self._arrays[f"{name}.weight"], self._arrays[f"{name}.bias"]

    def _dense(self, name: str, x: Array) -> Array:
        weight, bias = self._layer(name)
        return np.asarray(x @ weight.T + bias, dtype=np.float32)
