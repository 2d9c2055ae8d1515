"""What the page shows, and the processes that work for it. Everything here runs on one event loop.

Searches wait in a queue for one of `SEARCHERS` processes; notes are played by another one. Whatever
changes is told to all pages that listen, as JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.app import compiler, player, searcher
from deepdiva.app.child import Child
from deepdiva.app.library import Library, Sound, Take
from deepdiva.app.listening import warm_up_listening
from deepdiva.app.target import TargetChoice
from deepdiva.errors import DeepDivaError, InvalidValueError, RenderError
from deepdiva.note import Note
from deepdiva.pipeline.note_choice import NoteChoice

if TYPE_CHECKING:
    from deepdiva.app.matching import Request
    from deepdiva.app.player import Play, Played

SEARCHERS = 2
"""Searches side by side, at most."""

MOST_EVENTS = 1000
"""A page that is so far behind is told to begin anew."""

Event = dict[str, Any]


@dataclass
class _Searcher:
    """A process that searches.

    Attributes:
        child: the process.
        take: what it works at; None where it waits.
    """

    child: Child
    take: Take | None = None


@dataclass
class Live:
    """What is known of a search while it runs; nothing of it is kept.

    Attributes:
        stage: what it does.
        share: of the budget, 0 to 1.
        left_seconds: time that the rest will take.
        evaluations: candidates so far.
        best: the best match so far.
        branches: the best of several combinations of switches.
        said: what was done to the recording, and what is left out.
        is_stopping: whether the user has enough.
    """

    stage: str = "preparing"
    share: float = 0.0
    left_seconds: float | None = None
    evaluations: int = 0
    best: dict[str, Any] | None = None
    branches: list[dict[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    is_stopping: bool = False


class Studio:
    """Sounds, takes, the queue, and who is told of them.

    Args:
        library: where they are kept.
        searchers: processes that search.
        evaluations: candidates that a search tries at most; None for as many as the page asks for.
        compiles: compile the whole engine in the background, where it is not.
    """

    def __init__(
        self,
        library: Library,
        searchers: int = SEARCHERS,
        evaluations: int | None = None,
        *,
        compiles: bool = False,
    ) -> None:
        self._compiles = compiles
        self._evaluations = evaluations
        self.library = library
        self._live: dict[str, Live] = {}
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._searchers = [self._searcher(number) for number in range(searchers)]
        self._cold = {"search", "play", "listen"}
        self._player = Child(player.main, self._on_thread(self._played), self._call(self._mute))
        self._compiler = Child(
            compiler.main, self._on_thread(self._compiled), self._call(lambda: None)
        )
        self._compiling: tuple[int, int] | None = None
        self._plays: dict[int, Future[Played]] = {}
        self._numbers = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._warming: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Start the processes and go on with searches that were interrupted; on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._warming = [asyncio.create_task(self._warm_listening())]
        for take in self.library.takes.values():
            if take.state == "running":
                take.state = "waiting"
        self._fill()
        if self._searchers[0].take is None:
            self._searchers[0].child.send(("warm", None))

    def _warmed_by_search(self) -> None:
        """A search, for the user or to warm up, has loaded and compiled all that it needs."""
        if "search" in self._cold:
            self._warmed("search")
            # Not before: both would compile the same code.
            self._warming.append(asyncio.create_task(self._warm_player()))

    def _warmed(self, part: str) -> None:
        self._cold.discard(part)
        if not self._cold:
            self._tell({"type": "ready"})
            # Not before: what the page needs at once is compiled first.
            if self._compiles:
                self._compiler.send("compile")

    def _compiled(self, progress: tuple[int, int]) -> None:
        done, total = progress
        self._compiling = progress if done < total else None
        self._tell({"type": "compiling", "compiling": self._compiling})

    async def _warm_player(self) -> None:
        from deepdiva.app.player import Play
        from deepdiva.synths.diva import DIVA

        with suppress(DeepDivaError):
            await self.play(Play(DIVA.defaults(), Note(length_seconds=0.1, render_seconds=0.2)))
        self._warmed("play")

    async def _warm_listening(self) -> None:
        await asyncio.to_thread(warm_up_listening)
        self._warmed("listen")

    def close(self) -> None:
        """End the processes; searches go on when the studio is opened again."""
        for task in self._warming:
            task.cancel()
        for one in self._searchers:
            one.child.close()
        self._player.close()
        self._compiler.close()
        for listener in self._listeners:
            listener.put_nowait(None)

    # What is shown.

    def snapshot(self) -> Event:
        """All that the page shows."""
        return {
            "type": "all",
            "ready": not self._cold,
            "compiling": self._compiling,
            "folder": str(self.library.folder),
            "sounds": [
                asdict(sound) for sound in self.library.sounds.values() if not sound.is_hidden
            ],
            "takes": [self.shown(take) for take in self.library.takes.values()],
        }

    async def events(self) -> AsyncIterator[Event]:
        """The snapshot, then every change, until the studio is closed."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(MOST_EVENTS)
        self._listeners.add(queue)
        try:
            yield self.snapshot()
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)

    def _tell(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            if listener.full():
                while not listener.empty():
                    listener.get_nowait()
                listener.put_nowait(self.snapshot())
            else:
                listener.put_nowait(event)

    def tell_sound(self, sound: Sound) -> None:
        """Keep a sound and tell of it."""
        self.library.keep(sound)
        self._tell({"type": "sound", "sound": asdict(sound)})

    def tell_take(self, take: Take) -> None:
        """Tell of a take."""
        self._tell({"type": "take", "take": self.shown(take)})

    def shown(self, take: Take) -> dict[str, Any]:
        """What the page is told of a take."""
        live = self._live.get(take.id)
        return {**asdict(take), "live": None if live is None else asdict(live)}

    # Searches.

    def search(self, take: Take) -> None:
        """Put a take into the queue."""
        take.state = "waiting"
        self.library.keep(take)
        self.tell_take(take)
        self._fill()

    def stop(self, take: Take) -> None:
        """Have enough of a search: it ends with its best match."""
        if take.state == "waiting":
            self._end(take, error="It was stopped before it began.")
        for one in self._searchers:
            if one.take is take:
                self._live[take.id].is_stopping = True
                one.child.send(("stop", take.id))
                self.tell_take(take)

    def target(self, take: Take) -> TargetChoice | None:
        """What a take is compared with; None without its recording."""
        file = self.library.file(self.library.sound(take.sound))
        if file is None:
            return None
        return TargetChoice(
            file,
            NoteChoice(**take.wanted),
            take.start_seconds,
            take.length_seconds,
            0.0 if take.base is None else transposition(np.array(take.base)),
        )

    def _fill(self) -> None:
        """Give waiting takes to searchers that are free."""
        waiting = [take for take in self.library.takes.values() if take.state == "waiting"]
        for one in self._searchers:
            if one.take is None and waiting:
                self._begin(one, waiting.pop(0))

    def _begin(self, one: _Searcher, take: Take) -> None:
        try:
            request = self._request(take)
        except DeepDivaError as error:
            self._end(take, error=str(error))
            return
        one.take, take.state = take, "running"
        take.curve = []
        self._live[take.id] = Live()
        self.library.keep(take)
        self.tell_take(take)
        one.child.send(("search", (take.id, request)))

    def _request(self, take: Take) -> Request:
        from deepdiva.app.matching import Request
        from deepdiva.synths.diva import DIVA

        target = self.target(take)
        if target is None:
            raise InvalidValueError("The recording is not here: drop it again.")
        limits = [most for most in (take.evaluations, self._evaluations) if most is not None]
        base = DIVA.defaults() if take.base is None else np.array(take.base)
        return Request(
            target=target,
            output=self.library.output(take),
            base=self.library.base_file(take),
            lock=tuple((name, float(base[DIVA.index(name)])) for name in take.locked),
            mode=take.mode,
            evaluations=min(limits, default=None),
            seed=take.seed,
            jobs=max(1, (os.cpu_count() or 2) // SEARCHERS),
        )

    def _heard_from(self, one: _Searcher, message: tuple[str, Any]) -> None:
        kind, content = message
        if kind == "ready":
            self._warmed_by_search()
            return
        take_id, news = content
        take = self.library.takes.get(take_id)
        if take is None or one.take is not take:
            return
        if kind == "told":
            self._progress(take, news)
            return
        self._warmed_by_search()
        one.take = None
        if kind == "done":
            self._end(take, answer=news)
        else:
            self._end(take, error=news or "It was stopped before it had found anything.")
        self._fill()

    def _progress(self, take: Take, news: dict[str, Any]) -> None:
        live = self._live[take.id]
        if news["kind"] == "said":
            live.said.append(news["sentence"])
        else:
            self._warmed_by_search()
            for name in ("stage", "share", "left_seconds", "evaluations"):
                setattr(live, name, news[name])
            live.best = news.get("best", live.best)
            live.branches = news.get("branches", live.branches)
            take.curve.append([news["seconds"], news["evaluations"], news["distance"]])
        self.tell_take(take)

    def _end(self, take: Take, answer: dict[str, Any] | None = None, error: str = "") -> None:
        take.answer, take.error = answer, error
        take.state = "done" if answer is not None else "failed"
        self._live.pop(take.id, None)
        self.library.keep(take)
        self.tell_take(take)

    def _lost(self, one: _Searcher) -> None:
        """A searcher died: its search goes on in a new one, once."""
        take, one.take = one.take, None
        if take is not None:
            self._end(
                take,
                error="Its process died. Search again: it goes on where it stood. If it dies "
                "again, there may be too little memory.",
            )
        self._fill()

    # Notes.

    async def play(self, play: Play) -> Played:
        """Render a note.

        Raises:
            DeepDivaError: what does not fit, or a process that died.
        """
        number = next(self._numbers)
        future: Future[Played] = Future()
        self._plays[number] = future
        self._player.send((number, play))
        return await asyncio.wrap_future(future)

    def _played(self, message: tuple[int, Played | DeepDivaError]) -> None:
        number, answer = message
        future = self._plays.pop(number, None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        if isinstance(answer, DeepDivaError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def _mute(self) -> None:
        for number in tuple(self._plays):
            self._played((number, RenderError("The process that plays died: play again.")))

    # Threads of the children call into the event loop.

    def _searcher(self, number: int) -> _Searcher:
        def heard(message: tuple[str, Any]) -> None:
            self._heard_from(self._searchers[number], message)

        def lost() -> None:
            self._lost(self._searchers[number])

        return _Searcher(Child(searcher.main, self._on_thread(heard), self._call(lost)))

    def _on_thread(self, act: Callable[[Any], None]) -> Callable[[Any], None]:
        def pass_on(message: Any) -> None:
            with _unless_closed():
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(act, message)

        return pass_on

    def _call(self, act: Callable[[], None]) -> Callable[[], None]:
        def pass_on() -> None:
            with _unless_closed():
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(act)

        return pass_on


def _unless_closed() -> suppress:
    """The event loop may be over when a child's last words arrive."""
    return suppress(RuntimeError)


def transposition(patch: NDArray[np.float64]) -> float:
    """Semitones by which a patch transposes the key."""
    from deepdiva.synths import find_synthesizer

    return find_synthesizer("diva").transposition(patch)
