"""How the engine's loops are compiled, what is kept on disk, and what is said meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from numba.core import event

from deepdiva.compiled_code import njit

FAST: Final = {"error_model": "numpy", "fastmath": True, "nogil": True}
"""For what is called from inside: it becomes part of the kernel that is kept."""

INLINE: Final = {**FAST, "inline": "always"}
"""For what is called once a sample."""

KEPT: Final = {**FAST, "cache": True}
"""For what is kept on disk and calls nothing outside its own file."""

_LOG = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def edition() -> int:
    """A number that changes with every change in the engine's sources.

    numba keeps compiled code for as long as the file of the outermost function stands unchanged;
    it does not look at the files of what that function calls. A kernel that closes over this
    number is compiled anew whenever any of them changes.
    """
    digest = sha256()
    sources = (entry for entry in files("deepdiva.engine").iterdir() if entry.name.endswith(".py"))
    for source in sorted(sources, key=lambda entry: entry.name):
        digest.update(source.read_bytes())
    return int.from_bytes(digest.digest()[:6], "big")


def kept(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel on its first call, keep it on disk, and say so when that takes a while."""
    compiled: Callable[..., Any] = njit(cache=True, **FAST)(kernel)
    event.register("numba:compile", _Announcement(compiled))
    return compiled


class _Announcement(event.Listener):  # type: ignore[misc]
    """Hears of all that numba compiles (not of what it finds on disk); speaks of one kernel."""

    def __init__(self, kernel: Callable[..., Any]) -> None:
        self._kernel = kernel

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"] is self._kernel:
            _LOG.warning(
                "Compiling the embedded engine for this processor: some seconds, once. "
                "The result is kept on disk."
            )

    def on_end(self, event: Any) -> None:
        pass
