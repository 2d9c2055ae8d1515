"""All that decides the bytes of a data set, apart from the renderer and the number of batches."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from deepdiva.data.corpora.faults import QualityPolicy
from deepdiva.data.sampling import BLOCK, Sampling, Uniform
from deepdiva.errors import InvalidValueError
from deepdiva.features import MelSettings, MfccSettings, usual_fmax
from deepdiva.note import Note
from deepdiva.space import ParameterSpace

Store = Literal["float32", "float16", "features"]


@dataclass(frozen=True)
class BaseFile:
    """The preset file that a base patch came from, with whatever in it is no parameter.

    Attributes:
        name: of the file.
        sha256: of its bytes.
    """

    name: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> BaseFile:
        """Describe a file."""
        return cls(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass(frozen=True)
class DatasetSettings:
    """What is drawn, how it is played, and what of it is kept.

    Attributes:
        space: the free parameters, and the base patch that holds the others.
        sample_size: sounds in a batch, 1 to 10 million.
        base_preset: where the base patch and whatever is no parameter (detune pots) come from; None
            for the renderer's own. The renderer must have been made for the same.
        note: what is played.
        seed: of everything that is drawn, 0 or more.
        file_prefix: what the names of all files begin with, such as `train_`; letters, digits,
            `_`, `-` and `.`.
        sampling: the distribution of the patches.
        quality: what happens to silent, clipping and non-finite sounds.
        store: audio as float32 or float16, or only its features.
        save_audio: also write each sound as a WAV file.

    Raises:
        InvalidValueError: a value outside its range.
    """

    space: ParameterSpace
    sample_size: int
    base_preset: BaseFile | None = None
    note: Note = field(default_factory=Note)
    seed: int = 0
    file_prefix: str = ""
    sampling: Sampling = field(default_factory=Uniform)
    quality: QualityPolicy = field(default_factory=QualityPolicy)
    store: Store = "float32"
    save_audio: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.sample_size <= 10_000_000:
            raise InvalidValueError(
                f"sample_size is {self.sample_size!r}: a batch holds 1 to 10,000,000 sounds; make "
                "more batches instead."
            )
        if self.seed < 0:
            raise InvalidValueError(f"seed is {self.seed!r}: it must be 0 or more.")
        if not re.fullmatch(r"[A-Za-z0-9_.-]*", self.file_prefix) or self.file_prefix[:1] == ".":
            raise InvalidValueError(
                f"file_prefix is {self.file_prefix!r}: it may hold letters, digits, '_', '-' and "
                "'.', and must not begin with '.'."
            )
        if self.store not in ("float32", "float16", "features"):
            raise InvalidValueError(
                f"store is {self.store!r}: it must be 'float32', 'float16' or 'features'."
            )
        if self.store == "features" and self.quality.non_finite == "keep":
            raise InvalidValueError(
                "Sounds that are not finite have no features: redraw them, or store the audio."
            )

    @property
    def mel(self) -> MelSettings:
        """The mel spectrogram that is stored instead of the audio."""
        rate = self.note.sample_rate
        return MelSettings(sample_rate=rate, fmax=usual_fmax(rate))

    @property
    def mfcc(self) -> MfccSettings:
        """The MFCCs that are stored instead of the audio."""
        return MfccSettings(replace(self.mel, hop_length=1024))

    def to_dict(self) -> dict[str, Any]:
        """The settings in words and numbers, ready for JSON.

        Two data sets with the same of these, and the same renderer, have the same sounds.
        """
        features = None
        if self.store == "features":
            features = {"mel": self.mel.to_dict(), "mfcc": self.mfcc.to_dict()}
        return {
            "note": self.note.to_dict(),
            "base_preset": asdict(self.base_preset) if self.base_preset else None,
            "space": self.space.to_dict(),
            "sample_size": self.sample_size,
            "seed": self.seed,
            "draws": f"numpy default_rng(SeedSequence(seed, (batch, block, attempt))), {BLOCK} a "
            "block: points, then one render seed for each sound",
            "sampling": self.sampling.to_dict(),
            "quality": self.quality.to_dict(),
            "store": self.store,
            "features": features,
            "save_audio": self.save_audio,
            "file_prefix": self.file_prefix,
        }
