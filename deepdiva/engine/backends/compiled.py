"""numba's compiler as the engine uses it."""

from __future__ import annotations

from typing import Any, Final

from deepdiva.compiled_code import njit

FAST: Final = {"error_model": "numpy", "fastmath": True, "nogil": True}
INLINE: Final = {**FAST, "forceinline": True}
"""Of helpers, which LLVM inlines: numba's own inlining makes them much slower to compile."""

LANES: Final = 32


def kept(function: Any) -> Any:
    """Compile on first call, keep on disk."""
    return njit(cache=True, **FAST)(function)
