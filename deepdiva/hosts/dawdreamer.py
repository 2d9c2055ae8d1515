"""Plug-ins through DawDreamer (https://github.com/DBraun/DawDreamer): VST 2 and VST 3, headless.

Of its ways to load a state, only those that open no window are used: `load_preset` for VST 2 and
`load_vst3_preset` for VST 3. (`load_state` constructs the plug-in's editor, which ends the process
or crashes it where there is no display.)
"""

from __future__ import annotations

import importlib
import itertools
import math
import re
import struct
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import MissingFeatureError, PresetError, RenderError
from deepdiva.hosts.host import (
    QUIET,
    Host,
    HostParameter,
    PluginDescription,
    plugin_format,
)
from deepdiva.hosts.vst2_files import parse_vst2
from deepdiva.hosts.vst3_factory import instrument_class
from deepdiva.note import Note

_CONTINUOUS = 0x7FFFFFFF  # JUCE's number of steps of a parameter that has none
_MOST_STEPS = 128  # a parameter of more steps is treated as continuous
_SWEEP = 257  # positions at which the display text of a VST 2 parameter is read
_MOST_FOUND_STEPS = 32  # a coarser display of a VST 2 parameter is taken for steps
_TICKS_PER_SECOND = 1000  # of MIDI, whose tempo is 120 quarters a minute unless it says otherwise
_NUDGE = 1e-3  # of a range of 1; more than any rounding of a value on its way
_MOMENT_SECONDS = 0.015  # of the note that lets values arrive
_SETTLING_SECONDS = 0.022  # at least: the moment, and a last quarter in which nothing should sound
_PIECE_SECONDS = 0.25  # of silence until a tail is gone
# Names of entries that DPF and other frameworks add to the list of a VST 3 plug-in.
_MIDI_ENTRY = re.compile(r"(MIDI Ch\. ?\d+ |CC ?\d+|MIDI CC)", re.IGNORECASE)


class DawDreamerHost(Host):
    """One plug-in in a DawDreamer engine."""

    def __init__(self, plugin: Path, sample_rate: int, block_size: int, scratch: Path) -> None:
        self._plugin = plugin
        self._format = plugin_format(plugin)
        self._sample_rate = sample_rate
        # A begun block costs as much as a whole one.
        blocks = math.ceil(_SETTLING_SECONDS * sample_rate / block_size)
        self._settling_samples = blocks * block_size
        self._scratch = scratch
        self._engine: Any = self.library().RenderEngine(sample_rate, block_size)
        try:
            self._processor: Any = self._engine.make_plugin_processor("plugin", str(plugin))
        except RuntimeError as error:
            raise RenderError(
                f"{plugin} cannot be loaded ({error}): it must be a VST 2 or VST 3 plug-in for "
                "this operating system and processor."
            ) from error
        # A graph must be loaded before rendering; an instrument takes no input.
        self._engine.load_graph([(self._processor, [])])
        self._sent: set[int] = set()

    @staticmethod
    def library() -> ModuleType:
        try:
            return importlib.import_module("dawdreamer")
        except ImportError as error:
            raise MissingFeatureError(
                f"DawDreamer cannot be imported ({error}): pip install 'deepdiva[plugin]'."
            ) from error

    def describe(self) -> PluginDescription:
        entries = self._processor.get_parameters_description()
        name, plugin_version, unique_id = self._identity()
        return PluginDescription(
            name=name,
            path=str(self._plugin),
            format=self._format,
            version=plugin_version,
            host=f"DawDreamer {version('dawdreamer')}",
            unique_id=unique_id,
            parameters=tuple(
                HostParameter(
                    index=entry["index"],
                    name=entry["name"],
                    default=float(np.clip(self._processor.get_parameter(entry["index"]), 0, 1)),
                    steps=self._steps(entry["index"], entry["numSteps"]),
                    unit=entry["label"],
                )
                for entry in entries
                if self._format == "vst2" or not _MIDI_ENTRY.match(entry["name"])
            ),
            takes_state=True,
            knows_defaults=True,
        )

    def set_values(self, indices: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        places = indices.tolist()
        patch = list(zip(places, values.tolist(), strict=True))
        # JUCE keeps back a value that the plug-in already reports, and some plug-ins report
        # defaults that they do not play before they are told: so each is first told a neighbour.
        if not self._sent.issuperset(places):
            unsent = [(index, value) for index, value in patch if index not in self._sent]
            self._processor.set_patch([(index, _neighbour(value)) for index, value in unsent])
            self._sent.update(index for index, _ in unsent)
        self._processor.set_patch(patch)

    def values(self, indices: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.array([self._processor.get_parameter(index) for index in indices.tolist()])

    def load_state(self, container: bytes) -> None:
        if self._format == "vst2":
            self._check_vst2(container)
        suffix, load = {
            "vst2": (".fxp", self._processor.load_preset),
            "vst3": (".vstpreset", self._processor.load_vst3_preset),
        }[self._format]
        path = self._scratch / f"state{suffix}"
        path.write_bytes(container)
        try:
            accepted = load(str(path))
        except RuntimeError as error:
            raise RenderError(f"{self._plugin} refuses the preset: {error}.") from error
        if not accepted:
            raise RenderError(f"{self._plugin} refuses the preset: it was made for another.")

    def state(self) -> bytes:
        path = self._scratch / "saved-state"
        self._processor.save_state(str(path))
        return path.read_bytes()

    def play(self, note: Note) -> NDArray[np.float32]:
        self._processor.clear_midi()
        self._processor.add_midi_note(note.pitch, note.velocity, 0.0, note.length_seconds)
        return self._rendered(note.samples)

    def settle(self, note: Note, limit_seconds: float) -> float:
        midi = self._scratch / f"settle-{note.pitch}-{note.velocity}.mid"
        if not midi.exists():
            midi.write_bytes(settling_midi(note))
        self._processor.load_midi(str(midi))
        peak = self._tail(self._settling_samples)
        self._processor.clear_midi()
        played = self._settling_samples
        piece = max(4, round(_PIECE_SECONDS * self._sample_rate))
        while peak > QUIET and played < limit_seconds * self._sample_rate:
            peak = self._tail(piece)
            played += piece
        return peak

    def _tail(self, samples: int) -> float:
        """Play a piece and return the peak of its last quarter."""
        end = self._rendered(samples)[-(samples // 4) :]
        return float(np.max(np.abs(end)))

    def _rendered(self, samples: int) -> NDArray[np.float32]:
        # DawDreamer cuts seconds * rate down to a whole number; half a sample more is safe.
        self._engine.render((samples + 0.5) / self._sample_rate)
        audio: NDArray[np.float32] = self._engine.get_audio()
        if audio.shape[0] == 0:
            raise RenderError(f"{self._plugin} has no audio output.")
        if audio.shape[0] == 1:
            return np.asarray(audio[0])
        # Further channels, where there are any, are single outputs for mixing elsewhere.
        mono: NDArray[np.float32] = np.add(audio[0], audio[1])
        mono *= np.float32(0.5)
        return mono

    def _check_vst2(self, container: bytes) -> None:
        """JUCE does not look whose preset of a VST 2 plug-in it is."""
        try:
            made_for = parse_vst2(container).identity.unique_id
        except PresetError as error:
            raise RenderError(f"{self._plugin} refuses the preset: {error}") from error
        if made_for != self._vst2_id:
            raise RenderError(f"{self._plugin} refuses the preset: it was made for another.")

    @cached_property
    def _vst2_id(self) -> bytes:
        return parse_vst2(self.state()).identity.unique_id

    def _identity(self) -> tuple[str, str, str]:
        """Name, version and unique id."""
        if self._format == "vst3":
            found = instrument_class(self._plugin)
            return found.name, found.version, found.class_id
        identity = parse_vst2(self.state()).identity
        return (
            self._plugin.stem,
            _version_text(identity.version),
            identity.unique_id.decode("latin-1"),
        )

    def _steps(self, index: int, declared: int) -> tuple[str, ...]:
        if 1 < declared <= _MOST_STEPS:
            return tuple(self._texts(index, declared))
        if declared == _CONTINUOUS and self._format == "vst2":
            return shown_steps(lambda count: self._texts(index, count))
        return ()

    def _texts(self, index: int, count: int) -> list[str]:
        """Display texts at evenly spaced positions from 0 to 1."""
        before = self._processor.get_parameter(index)
        texts = []
        for position in np.linspace(0.0, 1.0, count).tolist():
            self._processor.set_parameter(index, position)
            texts.append(str(self._processor.get_parameter_text(index)).strip())
        self._processor.set_parameter(index, before)
        return texts


def _neighbour(value: float) -> float:
    """A value in [0, 1] that is another, and hardly differs."""
    return value + _NUDGE if value < 0.5 else value - _NUDGE


def shown_steps(texts: Callable[[int], Sequence[str]]) -> tuple[str, ...]:
    """The steps of a parameter, as far as its display betrays them.

    VST 2 does not say which parameters have steps. One whose display shows few texts, each over one
    stretch of the range, and the k-th of n at k / (n - 1), has them.

    Args:
        texts: display texts at so many evenly spaced positions from 0 to 1.

    Returns:
        The text of each step; empty where the parameter is continuous.
    """
    runs = tuple(text for text, _ in itertools.groupby(texts(_SWEEP)))
    count = len(runs)
    if not 2 <= count <= _MOST_FOUND_STEPS or len(set(runs)) != count:
        return ()
    return runs if tuple(texts(count)) == runs else ()


def _version_text(number: int) -> str:
    """A VST 2 version for people; most makers pack its places into bytes."""
    if number > 0xFFFF:
        return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"
    return str(number) if number > 0 else ""


def settling_midi(note: Note) -> bytes:
    """A MIDI file with a moment of a note, and All Sound Off (controller 120) before and after.

    All Sound Off ends at once what would otherwise ring; not every plug-in heeds it. It goes to the
    one channel that is ever played: a plug-in may clear all its voices and delays for each.
    """
    off = bytes([0, 0xB0, 120, 0])
    ticks = round(_MOMENT_SECONDS * _TICKS_PER_SECOND)
    on = bytes([1, 0x90, note.pitch, note.velocity])
    track = off + on + bytes([ticks, 0x80, note.pitch, 0]) + off + b"\x00\xff\x2f\x00"
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS_PER_SECOND // 2)
    return head + b"MTrk" + struct.pack(">I", len(track)) + track
