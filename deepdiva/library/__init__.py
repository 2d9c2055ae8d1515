"""A folder of presets as a library: which of them sound like a recording."""

from deepdiva.library.nearest import Nearest, nearest_presets
from deepdiva.library.rendered import PRESET_SUFFIX, Library, Unplayed, open_library

__all__ = ["PRESET_SUFFIX", "Library", "Nearest", "Unplayed", "nearest_presets", "open_library"]
