"""The panel as JSON: what the page draws knobs from."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.parameters import Parameter
from deepdiva.synths.diva import DIVA, acting
from deepdiva.synths.diva.front_panel import front_panel


@lru_cache(maxsize=1)
def panel_description() -> dict[str, Any]:
    """Modules in the order of the signal, and all parameters in the order of a patch."""
    return {
        "modules": [
            {
                "key": module.key,
                "title": module.title,
                "names": module.names,
                "selector": module.selector,
                "choices": {str(choice): names for choice, names in module.choices.items()},
                "switch": module.switch,
            }
            for module in front_panel()
        ],
        "parameters": [_parameter(parameter) for parameter in DIVA],
    }


def acting_names(patch: NDArray[np.float64]) -> list[str]:
    """Parameters that shape the sound of a patch, shape (len(DIVA),), in units."""
    return sorted(acting.acts(patch), key=DIVA.index)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "title": parameter.title,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "default": parameter.default,
        "unit": parameter.unit,
        "class": parameter.is_class,
        "choices": [{"value": choice.value, "label": choice.label} for choice in parameter.choices],
        "description": parameter.description,
    }
