"""Match the sound of a synthesizer: audio in, a preset for u-he Diva out.

    import deepdiva

    result = deepdiva.match("bass.wav", mode="quick")
    print(result.distance)
    result.save("matched")

What `__all__` names is the public interface, and stays as it is from one version to the next; all
else may change. The package does nothing on import: what is asked for is imported then.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepdiva.errors import DeepDivaError
    from deepdiva.note import Note
    from deepdiva.pipeline.match import MatchResult, match
    from deepdiva.pipeline.predict import Prediction, predict
    from deepdiva.synths.diva.preset import Preset

__version__ = "0.1.0"

__all__ = [
    "DeepDivaError",
    "MatchResult",
    "Note",
    "Prediction",
    "Preset",
    "__version__",
    "match",
    "predict",
]

_HOMES = {
    "DeepDivaError": "deepdiva.errors",
    "MatchResult": "deepdiva.pipeline.match",
    "Note": "deepdiva.note",
    "Prediction": "deepdiva.pipeline.predict",
    "Preset": "deepdiva.synths.diva.preset",
    "match": "deepdiva.pipeline.match",
    "predict": "deepdiva.pipeline.predict",
}
"""Where each public name lives."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Public names, and what every module has."""
    return sorted({*globals(), *__all__})
