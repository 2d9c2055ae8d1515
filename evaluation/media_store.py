"""Where a report has its sounds, pictures and presets: in itself, or beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from deepdiva.evaluation import media
from deepdiva.evaluation.folder import RunFolder
from deepdiva.files import atomic_write

MOST_EMBEDDED = 320
"""Sounds, targets and matches together, that a report holds in itself: at 45 kB each, 15 MB."""

PICTURES = "pictures"
"""Folder of the pictures that a report links."""


class MediaStore(ABC):
    """Gives the addresses of what a report shows.

    Attributes:
        policy: what of the page's content security policy allows images and sounds.
        about: where they are, for the reader.
        fills_later: whether the page fills the card of a sound when it is opened.
    """

    policy: ClassVar[str]
    about: ClassVar[str]
    fills_later: ClassVar[bool]

    @abstractmethod
    def audio(self, path: Path, audio: NDArray[np.float32], rate: int, gain: float) -> str:
        """Attributes of a player: its source, and the gain where that is not in the source.

        Args:
            path: of the WAV file in the run's folder.
            audio: what it holds, shape (samples,).
            rate: samples per second.
            gain: that it is played with, at most 1.
        """

    @abstractmethod
    def picture(self, path: Path, png: bytes) -> str:
        """Address of a picture that belongs to a WAV file in the run's folder."""

    @abstractmethod
    def preset(self, path: Path) -> str:
        """Address of a preset in the run's folder."""


class Embedded(MediaStore):
    """Everything in the page: sounds as MP3s."""

    policy = "img-src data:; media-src data:"
    about = "sounds are MP3s for listening, and the WAV files that were scored lie beside it."
    fills_later = False

    def audio(self, path: Path, audio: NDArray[np.float32], rate: int, gain: float) -> str:
        del path
        address = media.data_uri("audio/mpeg", media.mp3(audio * np.float32(gain), rate))
        return f'src="{address}"'

    def picture(self, path: Path, png: bytes) -> str:
        del path
        return media.data_uri("image/png", png)

    def preset(self, path: Path) -> str:
        return media.data_uri("application/octet-stream", path.read_bytes())


class Linked(MediaStore):
    """Files in the run's folder, of which a browser loads what is asked for.

    Args:
        folder: of the run; pictures are written into it.
    """

    policy = "img-src 'self' file: data:; media-src 'self' file:"
    about = "it shows the files of the folder in which it lies, and moves only with them."
    fills_later = True

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def audio(self, path: Path, audio: NDArray[np.float32], rate: int, gain: float) -> str:
        del audio, rate
        return f'src="{self._address(path)}" data-gain="{gain:.4f}"'

    def picture(self, path: Path, png: bytes) -> str:
        place = self._folder.path / PICTURES / path.relative_to(self._folder.path)
        place = place.with_name(f"{path.stem}.png")
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(place, png, force=True)
        return self._address(place)

    def preset(self, path: Path) -> str:
        return self._address(path)

    def _address(self, path: Path) -> str:
        return quote(path.relative_to(self._folder.path).as_posix())


def store_for(folder: RunFolder, sounds: int) -> MediaStore:
    """The store for a report.

    Args:
        folder: of the run.
        sounds: targets and matches that it shows.
    """
    return Embedded() if sounds <= MOST_EMBEDDED else Linked(folder)
