"""numba's compiler, once there is a place where it can keep what it compiles.

numba keeps compiled code beside the sources, or in the user's folder of caches, and refuses to
compile what is to be kept where it can write to neither: in a container of another user, say. Then
the code is kept in a temporary folder, for this process and those that it starts.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from numba import config, njit

__all__ = ["njit"]


def _kept() -> None:
    """Stands for all functions that are kept."""


def _find_place() -> None:
    try:
        njit(cache=True)(_kept)
    except RuntimeError:
        folder = tempfile.mkdtemp(prefix="deepdiva-compiled-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["NUMBA_CACHE_DIR"] = config.CACHE_DIR = folder


_find_place()
