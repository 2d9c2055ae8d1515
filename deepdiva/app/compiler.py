"""Compiles the engine's chains while nothing else needs the processor, in a process of its own."""

from __future__ import annotations

import os
from multiprocessing.connection import Connection

_NICE = 19


def main(pipe: Connection) -> None:
    """Compile all chains once they are asked for; sends (done, total) after each."""
    from deepdiva.synths.diva.warmth import is_warm, mark_warm, warm_steps

    pipe.recv()
    if is_warm():
        return
    if hasattr(os, "nice"):
        os.nice(_NICE)
    steps = warm_steps()
    for done, step in enumerate(steps, start=1):
        step()
        if done == len(steps):
            mark_warm()
        pipe.send((done, len(steps)))
