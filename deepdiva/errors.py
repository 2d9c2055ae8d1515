"""Errors that a user can act on.

Every error of the package is a `DeepDivaError` and also the built-in that it resembles, so that
both `except DeepDivaError` and `except ValueError` work. A message names the offending value, the
rule that it breaks and the way out. The command line prints it without a traceback; anything else
is a bug and stays a traceback.
"""

from __future__ import annotations


class DeepDivaError(Exception):
    """Base of all errors that the user, and not the program, can mend."""


class InvalidValueError(DeepDivaError, ValueError):
    """A value outside its range, of the wrong shape, or not one of the choices."""


class UnknownNameError(DeepDivaError, LookupError):
    """A parameter, section, optimizer or test set that does not exist."""


class PresetError(DeepDivaError, ValueError):
    """A preset file that cannot be read, or a value that cannot be written into one."""


class AudioError(DeepDivaError, ValueError):
    """A sound that cannot be read or cannot serve as a target."""


class MissingFileError(DeepDivaError, FileNotFoundError):
    """A path that does not exist."""


class FileExistsAlreadyError(DeepDivaError, FileExistsError):
    """A file that would be overwritten, and nobody said that it may be."""


class StorageError(DeepDivaError, OSError):
    """A folder that cannot be written, or a disk without enough room."""


class MissingFeatureError(DeepDivaError, ImportError):
    """An optional dependency or plug-in that is not installed."""


class NoMatchError(DeepDivaError, RuntimeError):
    """A search ended without a match that can be heard."""


class RenderError(DeepDivaError, RuntimeError):
    """A synthesizer that crashed, hung, or returned something that is not audio."""


class ClusterError(DeepDivaError, ConnectionError):
    """A cluster that cannot be reached, is gone, or whose workers do not fit."""
