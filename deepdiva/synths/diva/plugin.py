"""u-he Diva behind a host: its state is the preset's own text, its parameters go by name.

Diva keeps its state as the text of an `.h2p` file. Wrapped as VST 2 `.fxb` or VST 3 `.vstpreset`,
the very file that the user will load is what is heard.

The VST 2 and the VST 3 plug-in list the same 281 parameters in different orders, and spell their
names with other capitals and blanks. They are therefore matched by normalised name, never by index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import RenderError
from deepdiva.hosts.binding import PluginBinding
from deepdiva.hosts.host import Host, PluginDescription
from deepdiva.hosts.loading import Loader, normalised
from deepdiva.hosts.quality import DivaQuality
from deepdiva.hosts.vst2_files import ChunkBank, PluginIdentity
from deepdiva.hosts.vst3_files import Vst3Preset, Vst3State
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.synthesizer import SYNTHESIZER
from deepdiva.synths.synthesizer import Synthesizer

if TYPE_CHECKING:
    from deepdiva.hosts.check import Check
    from deepdiva.hosts.plugin_renderer import PluginRenderer

UNIQUE_ID = b"DiVa"

# One VST 3 host reports the colour of a light without its module's name.
_ALIASES = {"ledcolour": "pcoreledcolour"}
_SHOWN = 12  # names in a message


@dataclass(frozen=True, eq=False)
class DivaStateLoader(Loader):
    """Loads the text of the preset, then the settings that a preset does not hold.

    Attributes:
        preset: everything that is no parameter: its other keys, tuning, detune pots.
        plugin: tells the container, and for VST 3 the class id in it.
        quality: of the instance.
        indices: the host's index of each parameter of DIVA, shape (281,).
    """

    preset: Preset
    plugin: PluginDescription
    quality: DivaQuality
    indices: NDArray[np.intp]

    def rows(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        return with_quality(patches, self.quality)

    def load(self, host: Host, row: NDArray[np.float64]) -> None:
        text = self.preset.with_values(row).to_bytes()
        host.load_state(state_container(text, self.plugin))
        unwritten = [parameter for parameter in DIVA if parameter.spelling is None]
        places = [parameter.index for parameter in unwritten]
        positions = [parameter.to_normalised(row[parameter.index]) for parameter in unwritten]
        host.set_values(self.indices[places], np.array(positions))


@dataclass(frozen=True, eq=False)
class DivaNameLoader(Loader):
    """Sets all parameters by name, where the host cannot load a state.

    Attributes:
        quality: of the instance.
        indices: the host's index of each parameter of DIVA, shape (281,).
    """

    quality: DivaQuality
    indices: NDArray[np.intp]

    def rows(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        return normalised(DIVA, with_quality(patches, self.quality))

    def load(self, host: Host, row: NDArray[np.float64]) -> None:
        host.set_values(self.indices, row)


class DivaBinding(PluginBinding):
    """Diva as a plug-in."""

    @property
    def synthesizer(self) -> Synthesizer:
        return SYNTHESIZER

    @cached_property
    def indices(self) -> NDArray[np.intp]:
        return diva_indices(self.plugin)

    def loader(self, preset: Preset | None, quality: DivaQuality) -> Loader:
        if not self.plugin.takes_state:
            return DivaNameLoader(quality, self.indices)
        preset = Preset.template() if preset is None else preset
        return DivaStateLoader(preset, self.plugin, quality, self.indices)

    def checks(self, topic: str, renderer: PluginRenderer) -> Iterator[Check]:
        from deepdiva.synths.diva.plugin_checkup import check_diva

        return check_diva(topic, renderer)

    def quality(self, quality: DivaQuality) -> str:
        return str(quality)


def bind(plugin: PluginDescription) -> DivaBinding | None:
    """The binding of a plug-in that is Diva; None of another."""
    return DivaBinding(plugin) if is_diva(plugin) else None


def with_quality(patches: NDArray[np.float64], quality: DivaQuality) -> NDArray[np.float64]:
    """Patches of DIVA, shape (batch, 281), with the settings of the instance in their columns."""
    changed = patches.copy()
    for name, label in (
        ("OPT.Acc", quality.accuracy),
        ("OPT.OffAcc", quality.offline),
        ("VCC.MuCore", "on" if quality.multicore else "off"),
    ):
        changed[:, DIVA.index(name)] = DIVA[name].parse(label)
    return changed


def state_container(text: bytes, plugin: PluginDescription) -> bytes:
    """The text of an `.h2p` file as a preset file of the plug-in's format."""
    if plugin.format == "vst2":
        return ChunkBank(PluginIdentity(UNIQUE_ID), text).to_bytes()
    return Vst3Preset(plugin.unique_id, Vst3State(text)).to_bytes()


def normalised_name(name: str) -> str:
    """A parameter's name with everything dropped that hosts spell differently."""
    folded = "".join(letter for letter in name.lower() if letter.isalnum())
    return _ALIASES.get(folded, folded)


def is_diva(plugin: PluginDescription) -> bool:
    """Whether a plug-in is Diva, of whatever version: by its id, or by most of its names."""
    if plugin.format == "vst2" and plugin.unique_id:
        return plugin.unique_id.encode("latin-1") == UNIQUE_ID
    known = {normalised_name(parameter.host_name) for parameter in DIVA}
    reported = {normalised_name(parameter.name) for parameter in plugin.parameters}
    return 2 * len(known & reported) > len(known)


def diva_indices(plugin: PluginDescription) -> NDArray[np.intp]:
    """The host's index of each parameter of DIVA, shape (281,), found by name.

    Raises:
        RenderError: names are missing, or occur twice; the message lists them.
    """
    found: dict[str, list[int]] = {}
    for parameter in plugin.parameters:
        found.setdefault(normalised_name(parameter.name), []).append(parameter.index)
    wanted = {normalised_name(parameter.host_name): parameter.host_name for parameter in DIVA}
    missing = [name for key, name in wanted.items() if key not in found]
    twice = [name for key, name in wanted.items() if len(found.get(key, ())) > 1]
    if missing or twice:
        unknown = [
            parameter.name
            for parameter in plugin.parameters
            if normalised_name(parameter.name) not in wanted
        ]
        raise RenderError(
            f"{plugin.path} is a Diva whose parameters are not those of DeepDiva: "
            f"{_listed('missing', missing)}{_listed('twice', twice)}"
            f"{_listed('unknown', unknown)}update Diva, or report its version."
        )
    return np.array([found[key][0] for key in wanted], dtype=np.intp)


def _listed(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{title} ({len(names)}): {', '.join(names[:_SHOWN])}{more}; "
