"""What a host library must be able to do with one plug-in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import MissingFileError, RenderError
from deepdiva.note import Note

PluginFormat = Literal["vst2", "vst3"]

QUIET = 1e-4
"""Peak below which a tail counts as gone: -80 dB of full scale."""


@dataclass(frozen=True)
class HostParameter:
    """One entry of a plug-in's list of parameters.

    Attributes:
        index: by which the host addresses it.
        name: as the plug-in reports it; may be empty, and may occur twice.
        default: value in [0, 1] right after loading.
        steps: display text of each position k / (n - 1); empty where it is continuous.
        unit: display text of the unit, may be empty.
    """

    index: int
    name: str
    default: float
    steps: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class PluginDescription:
    """What a loaded plug-in says of itself.

    Attributes:
        name: of the synthesizer.
        path: absolute path of the plug-in.
        format: `vst2` or `vst3`.
        version: of the plug-in; empty where it does not tell.
        host: name and version of the host library.
        unique_id: what its preset files carry: 4 characters (VST 2) or 32 hexadecimal digits
            (VST 3); empty where the host cannot tell.
        parameters: in the host's order.
        takes_state: whether preset files can be loaded, and the state saved.
        knows_defaults: whether the parameters' defaults were read, not assumed.
    """

    name: str
    path: str
    format: PluginFormat
    version: str
    host: str
    unique_id: str
    parameters: tuple[HostParameter, ...]
    takes_state: bool
    knows_defaults: bool


class Host(ABC):
    """One plug-in, loaded in this process by one host library.

    Args:
        plugin: absolute path of the plug-in, which is loaded at once.
        sample_rate: Hz.
        block_size: samples that the plug-in is asked for at a time.
        scratch: folder for files that the library insists on.

    Raises:
        MissingFeatureError: the host library is not installed.
        RenderError: the plug-in cannot be loaded.
    """

    @abstractmethod
    def __init__(self, plugin: Path, sample_rate: int, block_size: int, scratch: Path) -> None: ...

    @staticmethod
    @abstractmethod
    def library() -> ModuleType:
        """Import the host library and touch nothing in it: the process can still be forked.

        Raises:
            MissingFeatureError: it is not installed.
        """

    @abstractmethod
    def describe(self) -> PluginDescription:
        """Read everything that the plug-in says of itself.

        The display texts are found by trying, so this belongs before or after renders, not between.
        """

    @abstractmethod
    def set_values(self, indices: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        """Set parameters, addressed by the host's index, to values in [0, 1], both shape (n,)."""

    @abstractmethod
    def values(self, indices: NDArray[np.intp]) -> NDArray[np.float64]:
        """Read parameters back, shape (n,), in [0, 1]."""

    @abstractmethod
    def load_state(self, container: bytes) -> None:
        """Load a preset file's content: `.fxp` or `.fxb` (VST 2), `.vstpreset` (VST 3).

        Raises:
            RenderError: the plug-in refuses it, or the host cannot do this.
        """

    @abstractmethod
    def state(self) -> bytes:
        """The plug-in's state: the content of an `.fxb` (VST 2), or JUCE's block (VST 3).

        Raises:
            RenderError: the host cannot do this.
        """

    @abstractmethod
    def play(self, note: Note) -> NDArray[np.float32]:
        """One note as it comes, shape (samples,), the mean of the main channels."""

    @abstractmethod
    def settle(self, note: Note, limit_seconds: float) -> float:
        """Bring the plug-in from the last patch to the next: tails die, values arrive.

        Values that were just set reach a VST 3 processor only while it plays, and many synthesizers
        glide to them only while a voice sounds; so where the host can end it at once, a moment of
        the note is played.

        Args:
            note: that will be played next.
            limit_seconds: of audio after which to give up: some patches sound on for ever.

        Returns:
            Peak of the last piece; at most `QUIET` unless the limit was reached.
        """


def plugin_format(plugin: Path) -> PluginFormat:
    """The format of a plug-in by its suffix.

    Raises:
        MissingFileError: there is no such file or bundle.
        RenderError: the suffix belongs to neither format.
    """
    if not plugin.exists():
        raise MissingFileError(f"{plugin} does not exist: --plugin takes the path of a plug-in.")
    suffix = plugin.suffix.lower()
    if suffix == ".vst3":
        return "vst3"
    if suffix in (".vst", ".so", ".dll", ".dylib"):
        return "vst2"
    raise RenderError(
        f"{plugin} has the suffix {suffix!r}: a plug-in ends in .vst3 (VST 3), or in .so, .vst, "
        ".dylib or .dll (VST 2)."
    )
