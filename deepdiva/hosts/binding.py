"""What is known of a plug-in: how patches of its synthesizer get into it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepdiva.hosts.host import PluginDescription
from deepdiva.hosts.loading import Loader, ParameterLoader
from deepdiva.hosts.plugin_table import host_indices, plugin_table
from deepdiva.hosts.quality import DivaQuality
from deepdiva.synths import KNOWN
from deepdiva.synths.synthesizer import Synthesizer

if TYPE_CHECKING:
    from deepdiva.hosts.check import Check
    from deepdiva.hosts.plugin_renderer import PluginRenderer
    from deepdiva.synths.diva.preset import Preset


@dataclass(frozen=True, eq=False)
class PluginBinding(ABC):
    """A plug-in and its synthesizer.

    Attributes:
        plugin: what it says of itself.
    """

    plugin: PluginDescription

    @property
    @abstractmethod
    def synthesizer(self) -> Synthesizer:
        """Whose patches it plays."""

    @property
    @abstractmethod
    def indices(self) -> NDArray[np.intp]:
        """The host's index of each parameter of the table, shape (len(table),).

        Raises:
            RenderError: parameters of the synthesizer are not there.
        """

    @property
    def is_known(self) -> bool:
        """Whether more is known of the synthesizer than what the plug-in says."""
        return True

    @abstractmethod
    def loader(self, preset: Preset | None, quality: DivaQuality) -> Loader:
        """What brings patches into the plug-in.

        Args:
            preset: for whatever is no parameter; the built-in one if None.
            quality: of the instance.
        """

    def checks(self, topic: str, renderer: PluginRenderer) -> Iterator[Check]:
        """What `deepdiva doctor` looks at beyond what it asks of any plug-in.

        Args:
            topic: of the checks.
            renderer: of the plug-in, in mode `reuse`.
        """
        del topic, renderer
        yield from ()

    def quality(self, quality: DivaQuality) -> str:
        """What `RendererInfo.quality` says, of what was asked; empty where nothing can be."""
        del quality
        return ""


class PlainBinding(PluginBinding):
    """Any plug-in, by its own list of parameters."""

    @cached_property
    def synthesizer(self) -> Synthesizer:
        return Synthesizer(plugin_table(self.plugin))

    @cached_property
    def indices(self) -> NDArray[np.intp]:
        return host_indices(self.plugin)

    @property
    def is_known(self) -> bool:
        return False

    def loader(self, preset: Preset | None, quality: DivaQuality) -> Loader:
        del preset, quality
        return ParameterLoader(self.synthesizer.table, self.indices)


def bind(plugin: PluginDescription) -> PluginBinding:
    """The binding of the first known synthesizer that recognises a plug-in, or a plain one."""
    for folder in KNOWN.values():
        found: PluginBinding | None = import_module(f"{folder}.plugin").bind(plugin)
        if found is not None:
            return found
    return PlainBinding(plugin)
