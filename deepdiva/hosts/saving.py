"""A patch as a preset file of the plug-in's own format, checked by loading it again.

It has arrived where the plug-in then names the same values, or saves the same state again: some
VST 3 plug-ins play a switch that they have loaded and go on showing the old one.

VST 3 has one file, `.vstpreset`. VST 2 has `.fxp`, in which a plug-in keeps either a block of its
own or a list of its parameters. The block is preferred: it holds what is no parameter. But hosts
hand out the block of the whole bank, and only some plug-ins take that for a program; the others get
the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import PresetError, RenderError
from deepdiva.hosts.host import Host, PluginDescription
from deepdiva.hosts.loading import Loader
from deepdiva.hosts.plugin_table import host_indices
from deepdiva.hosts.vst2_files import ChunkBank, ChunkProgram, ParameterProgram, parse_vst2
from deepdiva.hosts.vst3_files import Vst3Preset, parse_juce_state
from deepdiva.note import Note

_TOLERANCE = 1e-3  # plug-ins keep values as text of a few digits


@dataclass(frozen=True, eq=False)
class SavedPatch:
    """A preset file that the plug-in has taken back.

    Attributes:
        suffix: `.fxp` or `.vstpreset`.
        data: content of the file.
        values: what the plug-in then said of its parameters, in [0, 1], in the host's order.
    """

    suffix: str
    data: bytes
    values: NDArray[np.float64]


def save_patch(
    host: Host,
    plugin: PluginDescription,
    loader: Loader,
    row: NDArray[np.float64],
    reference: NDArray[np.float64],
    name: str,
) -> SavedPatch:
    """Make a preset file from a patch.

    Args:
        host: the plug-in, loaded.
        plugin: what it said of itself.
        loader: that brings rows into it.
        row: the patch.
        reference: another patch, loaded before the file is tried.
        name: shown by hosts beside the file.

    Raises:
        RenderError: the host cannot save states.
        PresetError: the plug-in takes none of the forms back.
    """
    indices = host_indices(plugin)
    loader.load(host, row)
    host.settle(Note(), 0.0)
    wanted, state = host.values(indices), host.state()
    for suffix, data in _forms(state, plugin, wanted, name):
        loader.load(host, reference)
        host.settle(Note(), 0.0)
        is_another = host.state() != state
        try:
            host.load_state(data)
        except RenderError:
            continue
        taken = host.values(indices)
        named = np.allclose(taken, wanted, rtol=0.0, atol=_TOLERANCE)
        if named or (is_another and host.state() == state):
            return SavedPatch(suffix, data, taken)
    raise PresetError(f"{plugin.path} does not take back what it saved: no preset can be made.")


def _forms(
    state: bytes, plugin: PluginDescription, values: NDArray[np.float64], name: str
) -> Iterator[tuple[str, bytes]]:
    """Suffix and content of the files that could be written, the best first."""
    if plugin.format == "vst3":
        yield ".vstpreset", Vst3Preset(plugin.unique_id, parse_juce_state(state)).to_bytes()
        return
    saved = parse_vst2(state, plugin.path)
    if isinstance(saved, ChunkBank | ChunkProgram):
        program = ChunkProgram(saved.identity, saved.chunk, len(plugin.parameters), name)
        yield ".fxp", program.to_bytes()
    yield ".fxp", ParameterProgram(saved.identity, tuple(values.tolist()), name).to_bytes()
