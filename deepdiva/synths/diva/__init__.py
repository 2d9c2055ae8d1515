"""u-he Diva: its parameters, and the 11 that are free unless somebody says otherwise.

Presets are in `deepdiva.synths.diva.preset`.
"""

from deepdiva.synths.diva.space import SEED_PROJECT_FREE, USUAL_VARIETY, VOICE_STACK, default_space
from deepdiva.synths.diva.table import DIVA

__all__ = ["DIVA", "SEED_PROJECT_FREE", "USUAL_VARIETY", "VOICE_STACK", "default_space"]
