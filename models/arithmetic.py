"""Layers of PyTorch, played with numpy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def silu(x: Array) -> Array:
    """X times its logistic function."""
    with np.errstate(over="ignore"):
        return np.asarray(x / (1.0 + np.exp(-x)), dtype=np.float32)


def softmax(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of logits, along the last axis."""
    shares = np.exp(x.astype(np.float64) - x.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    """Normalised along the last axis, as torch.nn.LayerNorm."""
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + np.float32(1e-5))
    return np.asarray(centred / spread * weight + bias, dtype=np.float32)


def group_norm(x: Array, weight: Array, bias: Array) -> Array:
    """Normalised over at most 8 groups of channels, as torch.nn.GroupNorm; (batch, channels, ...).

    There are as many groups as divide the channels evenly.
    """
    flat = x.reshape(len(x), math.gcd(8, x.shape[1]), -1)
    centred = flat - flat.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + np.float32(1e-5))
    shape = (1, -1, *[1] * (x.ndim - 2))
    normed = (centred / spread).reshape(x.shape)
    return np.asarray(normed * weight.reshape(shape) + bias.reshape(shape), dtype=np.float32)


def convolve(x: Array, weight: Array, bias: Array | float, stride: int) -> Array:
    """Convolution of an odd width that keeps the size: (batch, in, ...) to (batch, out, ...).

    Args:
        x: with one or two axes behind the channels.
        weight: shape (out, in, ...).
        bias: shape (out,), or 0.
        stride: along each axis.
    """
    size = weight.shape[2:]
    axes = tuple(range(2, 2 + len(size)))
    padded = np.pad(x, [(0, 0), (0, 0), *((width // 2, width // 2) for width in size)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=axes)
    windows = windows[(slice(None), slice(None), *[slice(None, None, stride)] * len(size))]
    places = windows.shape[2 : 2 + len(size)]
    moved = np.moveaxis(windows, 1, 1 + len(size))
    out = moved.reshape(len(x) * math.prod(places), -1) @ weight.reshape(len(weight), -1).T + bias
    return np.moveaxis(out.reshape(len(x), *places, -1), -1, 1)
