"""What every test set with a name of its own can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from deepdiva.data.testsets.testset import TestSet


class NamedTestSet(ABC):
    """A test set that the project names.

    Attributes:
        name: by which it is asked for.
        about: one line for a list.
        count: sounds of the complete set.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    count: ClassVar[int]

    @abstractmethod
    def is_current(self, there: TestSet) -> bool:
        """Whether a copy that was fetched before is still what would be fetched now."""

    @abstractmethod
    def fetch(self, folder: Path, source: Path | None = None) -> TestSet:
        """Bring the set into a folder, over what is there.

        Args:
            folder: made if it does not exist.
            source: folder that holds the sounds, or some of them; None gets them where they are.

        Raises:
            MissingFileError: the source holds none of the sounds.
            InvalidValueError: a file that is not the sound of its name, or a source where none is
                needed.
            StorageError: they cannot be got or written.
        """
