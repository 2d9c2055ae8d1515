"""Libraries that only evaluation needs, imported when a metric asks for them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from deepdiva.errors import MissingFeatureError


def require(module: str, distribution: str) -> ModuleType:
    """Import an optional library.

    Args:
        module: name to import.
        distribution: name to install, for the message.

    Raises:
        MissingFeatureError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingFeatureError(
            f"{distribution} is not installed, and a metric of the evaluation needs it: "
            "install the extra with pip install 'deepdiva[evaluation]'."
        ) from error
