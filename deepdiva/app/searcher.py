"""Searches, one after the other, in a process that stays: all that is loaded is loaded once."""

from __future__ import annotations

import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from deepdiva.app.child import has_message
from deepdiva.errors import DeepDivaError, StorageError

LOCK_SECONDS = 10.0
"""The search of a server that was killed leaves its folder by itself, within moments."""


def main(pipe: Connection) -> None:
    """Search what is asked for.

    Receives `("warm", None)`, `("search", (take, request))` and, during one, `("stop", take)`.
    Sends `("ready", None)`, `("told", (take, message))` and at the end of each search
    `("done", (take, answer))`, `("failed", (take, sentence))` or `("stopped", (take, None))` where
    it had no match yet.
    """
    while True:
        kind, content = pipe.recv()
        if kind == "warm":
            from deepdiva.app.matching import warm_up

            with tempfile.TemporaryDirectory(prefix="deepdiva-") as folder:
                warm_up(Path(folder))
            pipe.send(("ready", None))
        elif kind == "search":
            pipe.send(_searched(pipe, *content))


def _searched(pipe: Connection, take: str, request: Any) -> tuple[str, tuple[str, Any]]:
    from deepdiva.app.matching import search

    is_stopped = False

    def stopped() -> bool:
        nonlocal is_stopped
        while has_message(pipe):
            is_stopped = is_stopped or pipe.recv() == ("stop", take)
        return is_stopped

    def tell(message: dict[str, Any]) -> None:
        pipe.send(("told", (take, message)))

    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return "done", (take, search(request, tell, stopped))
        except StorageError as error:
            if time.monotonic() > until:
                return "failed", (take, str(error))
            time.sleep(0.2)
        except DeepDivaError as error:
            return "failed", (take, str(error))
        except KeyboardInterrupt:
            return "stopped", (take, None)
