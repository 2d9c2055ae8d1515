"""The first lines of a worker process; nothing heavy may be imported before them.

Some plug-ins take random numbers from where the system happened to put them in memory: Kars' level
differs between processes for no other reason. With addresses fixed, a fresh process is like every
other. Linux alone can be asked for that, and a container may refuse; then such a plug-in does not
repeat itself, which `PluginRenderer.info` measures.
"""

from __future__ import annotations

import ctypes
import os
import sys

_ADDR_NO_RANDOMIZE = 0x0040000  # personality(2)
_QUERY = 0xFFFFFFFF


def main() -> None:
    """Fix the addresses, start over, and serve."""
    if sys.platform == "linux" and _fix_addresses():
        os.execv(sys.executable, sys.orig_argv)
    from deepdiva.hosts.worker import serve

    serve()


def _fix_addresses() -> bool:
    """Whether they were random until now and will not be after a restart."""
    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    current = personality(_QUERY)
    if current < 0 or current & _ADDR_NO_RANDOMIZE:
        return False
    return bool(personality(current | _ADDR_NO_RANDOMIZE) >= 0)
