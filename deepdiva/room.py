"""Whether work fits into memory, asked before it begins."""

from __future__ import annotations

import os
from pathlib import Path

from deepdiva.errors import InvalidValueError

BYTES_PER_SAMPLE = 12
"""Of a sound that is rendered and compared: float32, its copy, and the spectra of a part."""

SHARE = 0.8
"""Of the memory that is free."""


def available_bytes() -> int | None:
    """Memory that a process may still take; None where the system does not say."""
    found = [value for value in (_free(), _left_in_group()) if value is not None]
    return min(found, default=None)


def check_room(
    what: str, samples: int, sounds: int, way_out: str, each: float = BYTES_PER_SAMPLE
) -> None:
    """Refuse work that does not fit into memory.

    Args:
        what: the work, such as "A search".
        samples: of one sound.
        sounds: that are held at once.
        way_out: what to make smaller.
        each: bytes that a sample takes.

    Raises:
        InvalidValueError: it needs more than most of what is free.
    """
    needed = each * samples * sounds
    free = available_bytes()
    if free is not None and needed > SHARE * free:
        raise InvalidValueError(
            f"{what} with sounds of {samples:,} samples holds {sounds} of them at once and needs "
            f"about {needed / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free: {way_out}"
        )


def _free() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _left_in_group() -> int | None:
    """What the limit of a container leaves; what its files keep in memory can be taken back."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text("ascii"))
        used = int((group / "memory.current").read_text("ascii"))
        lines = (group / "memory.stat").read_text("ascii").splitlines()
        cached = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    except (OSError, ValueError):
        return None
    return max(0, limit - used + cached)
