"""`python -m deepdiva` is `deepdiva`."""

from __future__ import annotations

import atexit
import os
import sys


class Leaving:
    """Ends the process as soon as everybody else has cleaned up.

    What Python would still do is free, object by object, what the system takes back at once: after
    torch and numba that takes longer than many a command. Exit functions run in the reverse of the
    order in which they were registered; this one is the first, and so the last to run.
    """

    status = 1

    def leave(self) -> None:
        """Flush what was printed, and go."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # whoever read it is gone
                self.status = self.status or 1
        os._exit(self.status)


def run() -> None:
    """Run the command line as a program of its own."""
    leaving = Leaving()
    atexit.register(leaving.leave)
    from deepdiva.cli import main
    from deepdiva.interruption import install

    install()
    try:
        main(prog_name="deepdiva")
        leaving.status = 0
    except SystemExit as end:
        leaving.status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


if __name__ == "__main__":
    run()
