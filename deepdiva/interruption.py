"""SIGTERM and SIGHUP act as Ctrl-C: what is done is kept, and the exit code says which it was.

A scheduler that takes its machine back sends SIGTERM, a terminal that closes SIGHUP. Both raise
where Ctrl-C does, so whatever handles KeyboardInterrupt handles them: a search writes its best
match, a run ends between two cells.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""That interrupt. Windows has no SIGHUP."""


class Interrupted(KeyboardInterrupt):
    """An interruption by a signal.

    Attributes:
        signal: its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


class _Last:
    """The signal that came last, for whoever asks after it was handled."""

    signal: int | None = None


def exit_code(error: BaseException | None = None) -> int:
    """128 + signal, as shells report it; of Ctrl-C where no other signal came.

    Args:
        error: the interruption, if it is at hand.
    """
    number = error.signal if isinstance(error, Interrupted) else _Last.signal
    return 128 + (number or signal.SIGINT)


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    _Last.signal = number
    raise Interrupted(number)


def install() -> None:
    """Let the signals interrupt this program; one that is ignored (`nohup`) stays ignored."""
    _Last.signal = None
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


def leave_to_the_parent() -> None:
    """Ignore them in a worker: they reach every process of a group, and one of these decides."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def first_one_does(act: Callable[[], object]) -> Iterator[None]:
    """Let the first signal do something else than raise; the second raises at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    caught = {n: way for n, way in before.items() if way is not signal.SIG_IGN and way is not None}

    def back() -> None:
        for number, way in caught.items():
            signal.signal(number, way)

    def once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        _Last.signal = number
        back()
        act()

    for number in caught:
        signal.signal(number, once)
    try:
        yield
    finally:
        back()
