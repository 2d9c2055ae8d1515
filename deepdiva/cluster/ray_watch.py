"""Whether a Ray cluster still answers, asked by a thread of its own.

Ray itself waits for its head for a minute, in whatever call comes first, and then ends the process
that waits, without a word. So nobody but this thread asks the head, and whoever runs tasks asks
this thread.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import ray

LOOK_SECONDS = 1.0
"""Between two looks."""

PATIENCE_SECONDS = 20.0
"""A cluster that says nothing is given up after this; one that refuses, at the second look."""

_CONNECT_SECONDS = 2.0


class RayWatch:
    """Looks for the head of the cluster, and for the node of this process.

    Attributes:
        is_gone: whether one of them does not answer any more.
        cores: of the whole cluster, as they were counted last.
    """

    def __init__(self) -> None:
        self.is_gone = False
        self.cores = _cores()
        self._ends = _ends()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="ray watch", daemon=True)
        self._thread.start()

    def answers(self) -> bool:
        """Look at once; whether the cluster is there."""
        if not self.is_gone:
            self.is_gone = any(_refuses(end) for end in self._ends)
        return not self.is_gone

    def close(self) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join(_CONNECT_SECONDS)

    def _look(self) -> None:
        refusals = 0
        answered = time.monotonic()
        while not self._end.wait(LOOK_SECONDS):
            found = {_refuses(end) for end in self._ends}
            refusals = refusals + 1 if True in found else 0
            if found <= {False}:
                answered = time.monotonic()
                with contextlib.suppress(ConnectionError, ray.exceptions.RayError):
                    self.cores = _cores()
            elif refusals > 1 or time.monotonic() - answered > PATIENCE_SECONDS:
                self.is_gone = True
                return


def _cores() -> int:
    return int(ray.cluster_resources().get("CPU", 0))


def _ends() -> tuple[tuple[str, int], ...]:
    """Addresses of the head, and of the node of this process; none through Ray's client."""
    if ray.util.client.ray.is_connected():
        return ()
    context = ray.get_runtime_context()
    host, _, port = context.gcs_address.rpartition(":")
    own = context.get_node_id()
    nodes = [
        (node["NodeManagerAddress"], int(node["NodeManagerPort"]))
        for node in ray.nodes()
        if node["NodeID"] == own
    ]
    return ((host, int(port)), *nodes)


def _refuses(end: tuple[str, int]) -> bool | None:
    """Whether nobody listens at an address; None where nothing is said."""
    try:
        socket.create_connection(end, _CONNECT_SECONDS).close()
    except ConnectionError:
        return True
    except OSError:
        return None
    return False
