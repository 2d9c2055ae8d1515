"""Plays the panel network with numpy alone: the same numbers as PyTorch's within 1e-4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepdiva.models.panel.views import LAYOUT

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


def silu(x: Array) -> Array:
    """X times its logistic function."""
    with np.errstate(over="ignore"):
        return np.asarray(x / (1.0 + np.exp(-x)), dtype=np.float32)


def layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    """Normalised along the last axis, as torch.nn.LayerNorm."""
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + np.float32(1e-5))
    return np.asarray(centred / spread * weight + bias, dtype=np.float32)


def convolve(x: Array, weight: Array, bias: Array, stride: int, padding: int) -> Array:
    """Two-dimensional convolution: (batch, in, high, wide) to (batch, out, high', wide')."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    size = weight.shape[2:]
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    batch, _, high, wide = windows.shape[:4]
    flat = windows.transpose(0, 2, 3, 1, 4, 5).reshape(batch * high * wide, -1)
    out = flat @ weight.reshape(len(weight), -1).T + bias
    return np.asarray(out.reshape(batch, high, wide, -1).transpose(0, 3, 1, 2), dtype=np.float32)


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
        high, wide = LAYOUT["picture"]
        start = int(np.prod(LAYOUT["lines"]))
        x = vectors[:, start : start + high * wide].reshape(-1, 1, high, wide)
        for name, padding in (("conv1", 2), ("conv2", 1), ("conv3", 1)):
            weight, bias = self._layer(f"encoder.{name}")
            x = silu(convolve(x, weight, bias, 2, padding))
        merged = self._dense("encoder.from_picture", x.reshape(len(x), -1))
        merged = merged + self._dense("encoder.plain", vectors)
        for number in range(self._blocks):
            at = f"encoder.blocks.{number}"
            inner = layer_norm(merged, *self._layer(f"{at}.norm"))
            inner = silu(self._dense(f"{at}.dense1", inner))
            merged = merged + self._dense(f"{at}.dense2", inner)
        normed = layer_norm(merged, *self._layer("encoder.norm"))
        return silu(self._dense("encoder.out", normed))

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
        logits = (hidden @ self._arrays["readout"][some].T + direct[some]).astype(np.float64)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def _layer(self, name: str) -> tuple[Array, Array]:
        return self._arrays[f"{name}.weight"], self._arrays[f"{name}.bias"]

    def _dense(self, name: str, x: Array) -> Array:
        weight, bias = self._layer(name)
        return np.asarray(x @ weight.T + bias, dtype=np.float32)
