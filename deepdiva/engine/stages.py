"""Kernels of the stages: written when first needed, kept on disk, found again by their text."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib.util
import logging
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache, wraps
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from numba.core import event

import deepdiva.compiled_code  # noqa: F401  (finds a place where numba can keep what it compiles)
from deepdiva.engine.backends.compiled import INLINE
from deepdiva.engine.compose import (
    coefficients_text,
    effect_text,
    filter_text,
    plain_source_text,
    source_text,
)
from deepdiva.engine.module import Module
from deepdiva.files import atomic_write

_LOG = logging.getLogger(__name__)


def kernel_folder() -> Path:
    """Where generated kernels and their machine code lie.

    `DEEPDIVA_CACHE` names another folder. Where nothing can be written, a temporary one is used.
    """
    named = os.environ.get("DEEPDIVA_CACHE")
    base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    folder = base / "deepdiva" / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return _temporary_folder()


@cache
def _temporary_folder() -> Path:
    """A folder for temporary files that nobody else can write to: what lies in it is run."""
    if hasattr(os, "getuid"):
        folder = Path(tempfile.gettempdir()) / f"deepdiva-kernels-{os.getuid()}"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            about = folder.lstat()
            private = stat.S_ISDIR(about.st_mode) and not about.st_mode & 0o077
            if private and about.st_uid == os.getuid():
                return folder
    folder = Path(tempfile.mkdtemp(prefix="deepdiva-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_LOCK = threading.RLock()


def _once(make: Callable[..., Any]) -> Callable[..., Any]:
    """Make each kernel once, one at a time: Python 3.11's parser fails where two threads use it."""
    made = cache(make)

    @wraps(make)
    def get(*modules: Any) -> Any:
        with _LOCK:
            return made(*modules)

    return get


_PREFIX: Final = "deepdiva_kernel_"


class _Announcement(event.Listener):  # type: ignore[misc]
    """Hears of all that numba compiles (not of what it finds on disk); speaks once, of kernels."""

    def __init__(self) -> None:
        self._spoken = False

    def on_start(self, event: Any) -> None:
        kernel = event.data["dispatcher"].py_func.__module__.startswith(_PREFIX)
        if kernel and not self._spoken:
            self._spoken = True
            _LOG.warning(
                "Compiling the embedded engine for this processor: some seconds, once for each "
                "chain of oscillator and filters. The result is kept on disk."
            )

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Announcement())


def _load(text: str, title: str) -> ModuleType:
    made_by = f"{version('numba')} {INLINE}"
    digest = hashlib.sha256((text + made_by).encode()).hexdigest()[:16]
    name = f"{_PREFIX}{title}_{digest}"
    path = kernel_folder() / f"{name}.py"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text.encode(), force=True)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@_once
def generated(text: str, title: str) -> ModuleType:
    """A generated file of another backend, loaded; kept beside those of the processor."""
    return _load(text, title)


@_once
def coefficients_of(module: Module) -> Callable[..., None]:
    """The compiled `controls` of a module, for all lanes and blocks of a segment."""
    loaded = _load(coefficients_text(module), f"{module.slot}_{module.name}_coefficients")
    function: Callable[..., None] = loaded.coefficients
    return function


@_once
def effect(module: Module) -> Callable[..., None]:
    """The compiled `step` of an effect."""
    function: Callable[..., None] = _load(effect_text(module), f"effect_{module.name}").play
    return function


@_once
def plain_source_stage(module: Module, moving: bool) -> Callable[..., None]:
    """The compiled source stage of lanes without states; see `compose.plain_source_text`."""
    title = f"{module.name}_{'moving' if moving else 'static'}_plain"
    function: Callable[..., None] = _load(plain_source_text(module, moving), title).play
    return function


@_once
def source_stage(module: Module, moving: bool, light: bool = False) -> ModuleType:
    """The compiled source stage of an oscillator panel; see `compose.source_text`."""
    title = f"{module.name}_{'moving' if moving else 'static'}{'_light' if light else ''}"
    return _load(source_text(module, moving, light), title)


@_once
def filter_stage(
    highpass: Module, lowpass: Module, amplifier: Module, moving: bool, feedback: bool
) -> ModuleType:
    """The compiled filter stage of a pair of filters; see `compose.filter_text`."""
    title = f"{highpass.name}_{lowpass.name}_{'moving' if moving else 'static'}"
    title += "_feedback" if feedback else ""
    return _load(filter_text(highpass, lowpass, amplifier, moving, feedback), title)
