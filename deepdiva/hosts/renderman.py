"""Plug-ins through librenderman (https://github.com/fedden/RenderMan), where a user built it.

It loads VST 2 only. Several variants of its interface are in circulation, told apart by trying:

* `load_plugin` takes a path and an index, or a path;
* `render_patch` takes four arguments, or a fifth that says whether the patch is to be sent;
* the list of parameters is a list of `(index, name)`, or a text of lines `index: name`;
* some can `load_preset`, `save_preset` and `get_parameter`; most cannot.

None of them complains when it should. Without a plug-in `render_patch` crashes; before `set_patch`
it sends zeros for all parameters; `set_patch` prints a line and does nothing if the patch is of
another length; nothing is reset between two renders. So the plug-in is checked, a complete patch is
always sent, and it is read back.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import MissingFeatureError, RenderError
from deepdiva.hosts.host import (
    QUIET,
    Host,
    HostParameter,
    PluginDescription,
    plugin_format,
)
from deepdiva.hosts.vst2_files import parse_vst2
from deepdiva.note import Note

_FFT_SIZE = 512  # of its MFCCs, which nobody here reads
_UNKNOWN_DEFAULT = 0.5  # where the library cannot read the plug-in's own values
_PIECE_SECONDS = 0.25
_LINE = re.compile(r"\s*(\d+)\s*:\s?(.*)")


class RenderManHost(Host):
    """One plug-in in a librenderman engine."""

    def __init__(self, plugin: Path, sample_rate: int, block_size: int, scratch: Path) -> None:
        self._plugin = plugin
        self._scratch = scratch
        self._sample_rate = sample_rate
        if plugin_format(plugin) != "vst2":
            raise RenderError(f"{plugin}: librenderman loads VST 2 only; take the VST 2 plug-in.")
        self._engine: Any = self.library().RenderEngine(sample_rate, block_size, _FFT_SIZE)
        loaded = _first_accepted(self._engine.load_plugin, [(str(plugin), 0), (str(plugin),)])
        self._names = parameter_names(self._engine.get_plugin_parameters_description())
        # The older variant returns nothing from load_plugin: a plug-in without parameters then
        # means that there is none, and the next call would crash.
        if loaded is False or not self._names:
            raise RenderError(f"{plugin} cannot be loaded by librenderman.")
        self._patch = dict(self._own_values())
        self._send()

    @staticmethod
    def library() -> ModuleType:
        try:
            return importlib.import_module("librenderman")
        except ImportError as error:
            raise MissingFeatureError(
                f"librenderman cannot be imported ({error}): it is not on PyPI; build it as its "
                "README says and put the module on PYTHONPATH, or use DawDreamer instead."
            ) from error

    def describe(self) -> PluginDescription:
        unique_id = ""
        if self._can_save:
            unique_id = parse_vst2(self.state()).identity.unique_id.decode("latin-1")
        return PluginDescription(
            name=self._plugin.stem,
            path=str(self._plugin),
            format="vst2",
            version="",
            host="librenderman",
            unique_id=unique_id,
            parameters=tuple(
                HostParameter(index=index, name=name, default=self._patch[index])
                for index, name in self._names
            ),
            takes_state=self._can_load,
            knows_defaults=self._can_read,
        )

    def set_values(self, indices: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        self._patch.update(zip(indices.tolist(), values.tolist(), strict=True))
        self._send()

    def values(self, indices: NDArray[np.intp]) -> NDArray[np.float64]:
        patch = dict(self._engine.get_patch())
        return np.array([patch[index] for index in indices.tolist()])

    def load_state(self, container: bytes) -> None:
        if not self._can_load:
            raise RenderError("This variant of librenderman cannot load presets: set parameters.")
        path = self._scratch / "state.fxp"
        path.write_bytes(container)
        if not self._engine.load_preset(str(path)):
            raise RenderError(f"{self._plugin} refuses the preset: it was made for another.")
        self._patch = dict(self._own_values())
        self._send()

    def state(self) -> bytes:
        if not self._can_save:
            raise RenderError("This variant of librenderman cannot save presets.")
        path = self._scratch / "saved-state.fxb"
        self._engine.save_preset(str(path))
        return path.read_bytes()

    def play(self, note: Note) -> NDArray[np.float32]:
        return self._rendered(note.pitch, note.velocity, note.length_seconds, note.samples)

    def settle(self, note: Note, limit_seconds: float) -> float:
        # Velocity 0 is a note-off. A note that sounds could not be ended at once.
        samples = max(2, round(_PIECE_SECONDS * self._sample_rate))
        played = 0.0
        while True:
            piece = self._rendered(note.pitch, 0, _PIECE_SECONDS / 2, samples)
            played += _PIECE_SECONDS
            peak = float(np.max(np.abs(piece[len(piece) // 2 :])))
            if not peak > QUIET or played >= limit_seconds:
                return peak

    @property
    def _can_read(self) -> bool:
        """Whether the plug-in's own values can be read."""
        return hasattr(self._engine, "get_parameter")

    @property
    def _can_load(self) -> bool:
        """Whether a preset survives: a render sends all parameters, so they must be readable."""
        return hasattr(self._engine, "load_preset") and self._can_read

    @property
    def _can_save(self) -> bool:
        return hasattr(self._engine, "save_preset")

    def _own_values(self) -> list[tuple[int, float]]:
        """The plug-in's values as far as the variant can read them."""
        if not self._can_read:
            return [(index, _UNKNOWN_DEFAULT) for index, _ in self._names]
        return [(index, float(self._engine.get_parameter(index))) for index, _ in self._names]

    def _send(self) -> None:
        """Give the engine the whole patch, and make sure that it took it."""
        # A length other than the engine's own would be ignored with a printed line.
        complete = [
            (index, float(np.float32(self._patch.get(index, value))))
            for index, value in self._engine.get_patch()
        ]
        self._engine.set_patch(complete)
        taken = dict(self._engine.get_patch())
        for index, value in complete:
            if not abs(taken.get(index, np.nan) - value) < 1e-6:
                raise RenderError(
                    f"librenderman did not take the patch: parameter {index} was set to {value:g} "
                    f"and reads {taken.get(index)}."
                )

    def _rendered(
        self, pitch: int, velocity: int, length_seconds: float, samples: int
    ) -> NDArray[np.float32]:
        arguments = (pitch, velocity, float(length_seconds), (samples + 0.5) / self._sample_rate)
        _first_accepted(self._engine.render_patch, [arguments, (*arguments, True)])
        # It renders whole blocks: at least as many samples as asked for.
        audio = np.asarray(self._engine.get_audio_frames(), dtype=np.float32)
        if len(audio) < samples:
            raise RenderError(f"librenderman rendered {len(audio)} of {samples} samples.")
        return audio[:samples]


def parameter_names(description: str | list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Indices and names from either form of `get_plugin_parameters_description`."""
    if not isinstance(description, str):
        return [(int(index), str(name)) for index, name in description]
    matches = (_LINE.fullmatch(line) for line in description.splitlines())
    return [(int(match[1]), match[2].strip()) for match in matches if match]


def _first_accepted(call: Callable[..., object], variants: list[tuple[object, ...]]) -> object:
    """Call a function with the first list of arguments that its variant accepts.

    Boost.Python refuses a list of another length or type with a subclass of TypeError before it
    does anything.
    """
    *others, last = variants
    for arguments in others:
        try:
            return call(*arguments)
        except TypeError:
            continue
    return call(*last)
