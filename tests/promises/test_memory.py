"""Memory follows the note and not the file, and lengths that do not fit are refused before work."""

import sys

import numpy as np
import pytest

from deepdiva import room
from deepdiva.errors import InvalidValueError

CODE = """
import resource, sys
from deepdiva.audio import load_target
from deepdiva.note import Note
target = load_target(sys.argv[1], Note())
assert abs(target.audio).max() > 0.1
unit = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
"""


def sparse_wav(path, seconds, sample_rate, channels):
    """A file that is silent but for a note, and takes hardly any room on the disk."""
    frames = seconds * sample_rate
    size = frames * channels * 2
    rate = sample_rate * channels * 2
    header = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt "
    header += b"".join(
        value.to_bytes(width, "little")
        for value, width in (
            *((16, 4), (1, 2), (channels, 2), (sample_rate, 4)),
            *((rate, 4), (channels * 2, 2), (16, 2)),
        )
    )
    header += b"data" + size.to_bytes(4, "little")
    moments = np.arange(2 * sample_rate) / sample_rate
    note = 16000 * np.sin(2 * np.pi * 130.8 * moments) * np.exp(-moments)
    with path.open("wb") as file:
        file.write(header)
        file.seek(len(header) + sample_rate * channels * 2)
        file.write(np.repeat(note[:, None], channels, axis=1).astype("<i2").tobytes())
        file.truncate(len(header) + size)


@pytest.mark.skipif(sys.platform == "win32", reason="does not say how much memory was taken")
def test_a_long_recording_takes_no_more_than_its_note(program, tmp_path):
    path = tmp_path / "long.wav"
    sparse_wav(path, 200, 192_000, 2)  # 307 MB as floats
    run = program(path, code=CODE)
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 0, output
    assert int(output.splitlines()[-1]) < 500e6


def test_lengths_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(room, "available_bytes", lambda: 4 * 10**9)
    room.check_room("A search", 2 * 44100, 64, "")
    with pytest.raises(InvalidValueError, match=r"4\.0 GB are free: shorten it"):
        room.check_room("A search", 600 * 44100, 64, "shorten it")


def test_the_system_says_what_is_free():
    found = room.available_bytes()
    assert found is None or found > 1 << 20
