"""What a recording holds, and its samples, for the page."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError

LONGEST_SOUND_SECONDS = 300.0


def understood(file: Path) -> dict[str, Any]:
    """What `deepdiva hear` says of a recording, ready for JSON, without its path.

    Raises:
        AudioError: it cannot be read, or is silent.
        InvalidValueError: it is longer than the page takes.
    """
    from deepdiva.audio import open_recording
    from deepdiva.hearing import understand

    seconds = open_recording(file).seconds
    if seconds > LONGEST_SOUND_SECONDS:
        raise InvalidValueError(
            f"{file} lasts {seconds:.0f} s: the page takes {LONGEST_SOUND_SECONDS:.0f} s at "
            "most. Cut it."
        )
    about = understand(file).to_dict()
    del about["path"]
    found: dict[str, Any] = _json(about)
    return found


def recorded(file: Path) -> tuple[NDArray[np.float32], int]:
    """The channel that is matched, shape (samples,), and its rate in samples per second.

    Raises:
        AudioError: it cannot be read, or is silent.
    """
    from deepdiva.audio import open_recording

    recording = open_recording(file)
    return recording.read(0, recording.scan.frames), recording.scan.sample_rate


def warm_up_listening() -> None:
    """Load whatever `understood` needs, by a sound of a moment."""
    from deepdiva.app.wav import wav_bytes

    time = np.arange(8820) / 44100
    with tempfile.TemporaryDirectory(prefix="deepdiva-") as folder:
        sound = Path(folder) / "warm.wav"
        sound.write_bytes(wav_bytes(np.sin(2 * np.pi * 220.0 * time).astype(np.float32), 44100))
        understood(sound)


def _json(value: Any) -> Any:
    """The same with plain numbers, and None for those that JSON does not have."""
    if isinstance(value, dict):
        return {key: _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
