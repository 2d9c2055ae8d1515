"""The embedded engine: Diva's MS-20-like voice, remade from measurements of real recordings."""

from deepdiva.engine.constants import EngineConstants
from deepdiva.engine.mapping import Nuisance
from deepdiva.engine.renderer import ENGINE_VERSION, EmbeddedRenderer
from deepdiva.renderer import Ignored

__all__ = ["ENGINE_VERSION", "EmbeddedRenderer", "EngineConstants", "Ignored", "Nuisance"]
