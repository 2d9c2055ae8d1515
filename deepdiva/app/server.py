"""The server: addresses, what they take and give. `Studio` does the work."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from deepdiva.app.guard import Guard
from deepdiva.app.library import Library, Sound, Take
from deepdiva.app.listening import LONGEST_SOUND_SECONDS, recorded, understood
from deepdiva.app.player import Play
from deepdiva.app.studio import Studio, transposition
from deepdiva.app.target import TargetChoice
from deepdiva.errors import DeepDivaError, InvalidValueError
from deepdiva.note import Note
from deepdiva.pipeline.note_choice import NoteChoice

MOST_BYTES = 96 << 20
"""Of an upload: ten minutes of CD audio."""

MOST_JSON_BYTES = 256 << 10
LONGEST_NOTE_SECONDS = 30.0

JsonObject = dict[str, Any]


class _TooLargeError(DeepDivaError):
    """More bytes than are taken."""


def make_app(studio: Studio, token: str, port: int) -> Guard:
    """The application that a server runs.

    Args:
        studio: what it shows.
        token: that the page must know.
        port: that the server listens at.
    """

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        del app
        studio.open()
        listening = asyncio.create_task(desk.listen_to_all())
        try:
            yield
        finally:
            listening.cancel()
            studio.close()

    desk = _Desk(studio)
    static = files("deepdiva.app") / "static"
    app = Starlette(
        routes=[
            Route("/", lambda request: FileResponse(str(static / "index.html"))),  # noqa: ARG005
            Route("/api/events", desk.events),
            Route("/api/panel", desk.panel),
            Route("/api/acting", desk.acting, methods=["POST"]),
            Route("/api/sounds", desk.add_sound, methods=["POST"]),
            Route("/api/sounds/{id}", desk.change_sound, methods=["POST"]),
            Route("/api/sounds/{id}/audio", desk.audio),
            Route("/api/takes", desk.add_take, methods=["POST"]),
            Route("/api/takes/{id}/stop", desk.stop, methods=["POST"]),
            Route("/api/takes/{id}/again", desk.again, methods=["POST"]),
            Route("/api/takes/{id}/edit", desk.edit, methods=["POST"]),
            Route("/api/takes/{id}/picture", desk.picture),
            Route("/api/takes/{id}/target", desk.target),
            Route("/api/play", desk.play, methods=["POST"]),
            Route("/api/preset", desk.preset, methods=["POST"]),
            Route("/api/keep", desk.keep_place),
            Route("/api/keep", desk.keep, methods=["POST"]),
            Mount("/", StaticFiles(directory=str(static))),
        ],
        exception_handlers={
            DeepDivaError: _refused,
            json.JSONDecodeError: _refused,
            ClientDisconnect: _gone,
        },
        lifespan=life,
    )
    return Guard(app, token, port)


async def _refused(request: Request, error: Exception) -> Response:
    del request
    if isinstance(error, json.JSONDecodeError):
        return JSONResponse({"error": "The request is no JSON."}, 400)
    status = 413 if isinstance(error, _TooLargeError) else 400
    if isinstance(error, LookupError):
        status = 404
    return JSONResponse({"error": str(error)}, status)


async def _gone(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=400)


class _Desk:
    """Takes requests apart, asks the studio, and makes responses."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._library = studio.library

    async def events(self, request: Request) -> Response:
        """Everything that is shown, then every change, as server-sent events."""
        del request

        async def lines() -> AsyncIterator[bytes]:
            async for event in self._studio.events():
                yield b"data: " + json.dumps(event).encode() + b"\n\n"

        return StreamingResponse(
            lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def panel(self, request: Request) -> Response:
        """The modules and their parameters."""
        del request
        from deepdiva.app.panel import panel_description

        return JSONResponse(await run_in_threadpool(panel_description))

    async def acting(self, request: Request) -> Response:
        """Which parameters shape the sound of a patch."""
        from deepdiva.app.panel import acting_names

        return JSONResponse({"acting": acting_names(_patch(await _json(request)))})

    async def add_sound(self, request: Request) -> Response:
        """Keep an upload: its body is the file, `name` what the user calls it."""
        name = request.query_params.get("name", "")
        if not name or len(name) > 255 or not name.isprintable():
            raise InvalidValueError("The sound needs a name of at most 255 letters.")
        data = await _body(request, MOST_BYTES)
        sound = await run_in_threadpool(self._library.add_sound, name, data)
        await self._listen(sound)
        return JSONResponse(asdict(sound), 201)

    async def listen_to_all(self) -> None:
        """Understand the sounds that nobody has listened to."""
        for sound in tuple(self._library.sounds.values()):
            await self._listen(sound)

    async def _listen(self, sound: Sound) -> None:
        file = self._library.file(sound)
        if file is None or sound.heard is not None or sound.error:
            return
        try:
            heard = await run_in_threadpool(understood, file)
        except DeepDivaError as error:
            # The file's place on this machine is nothing that the user has named.
            sound.error = str(error).replace(str(file), sound.name)
        else:
            sound.heard = heard
        self._studio.tell_sound(sound)

    async def change_sound(self, request: Request) -> Response:
        """Put a sound away."""
        sound = self._library.sound(request.path_params["id"])
        if (await _json(request)).get("hidden") is True:
            self._library.hide(sound)
            self._studio.tell_sound(sound)
        return JSONResponse(asdict(sound))

    async def audio(self, request: Request) -> Response:
        """The channel of a recording that is matched, all of it, at its own rate."""
        sound = self._library.sound(request.path_params["id"])
        file = self._library.file(sound)
        if file is None:
            raise InvalidValueError("The recording is not here: drop it again.")
        audio, rate = await run_in_threadpool(recorded, file)
        return _wav(audio, rate)

    async def add_take(self, request: Request) -> Response:
        """Search for a sound: at once, or when a process is free."""
        wanted = await _json(request)
        sound = self._library.sound(str(wanted.get("sound")))
        if sound.heard is None:
            raise InvalidValueError(sound.error or "It was not listened to yet.")
        file = self._library.file(sound)
        if file is None:
            raise InvalidValueError("The recording is not here: drop it again.")
        values = await run_in_threadpool(_take_values, file, wanted)
        take = self._library.new_take(sound, **values)
        self._studio.search(take)
        return JSONResponse(self._studio.shown(take), 201)

    async def stop(self, request: Request) -> Response:
        """Have enough of a search."""
        take = self._take(request)
        self._studio.stop(take)
        return JSONResponse(self._studio.shown(take))

    async def again(self, request: Request) -> Response:
        """Go on with a search that failed."""
        take = self._take(request)
        if take.state == "failed":
            self._studio.search(take)
        return JSONResponse(self._studio.shown(take))

    async def edit(self, request: Request) -> Response:
        """Keep the patch as the user has turned its knobs."""
        take = self._take(request)
        wanted = await _json(request)
        take.edit = None if wanted.get("patch") is None else _patch(wanted).tolist()
        self._library.keep(take)
        return JSONResponse({})

    async def picture(self, request: Request) -> Response:
        """The picture of a take that is done."""
        take = self._take(request)
        path = self._library.output(take) / f"{take.sound}.png"
        if not path.is_file():
            raise InvalidValueError("There is no picture yet.")
        return FileResponse(str(path))

    async def target(self, request: Request) -> Response:
        """The recording as a take matches it: trimmed, resampled, cut."""
        take = self._take(request)
        choice = self._studio.target(take)
        if choice is None:
            raise InvalidValueError("The recording is not here: drop it again.")
        listened = await run_in_threadpool(choice.listened)
        return _wav(listened.target.audio, listened.chosen.note.sample_rate)

    async def play(self, request: Request) -> Response:
        """Render a note; its distance, where a take is named, stands in a header."""
        wanted = await _json(request)
        take = None if wanted.get("take") is None else self._library.take(str(wanted["take"]))
        note = Note() if take is None else Note(**take.note)
        note = replace(note, **_said_of_note(wanted.get("note") or {}))
        target = None
        if take is not None and note == Note(**take.note):
            target = self._studio.target(take)
        played = await self._studio.play(
            Play(
                _patch(wanted),
                note,
                0 if take is None else take.seed,
                target,
                () if take is None else tuple(take.locked),
            )
        )
        response = _wav(played.audio, note.sample_rate)
        if played.distance is not None and math.isfinite(played.distance):
            response.headers["X-Distance"] = f"{played.distance:.6f}"
        return response

    async def preset(self, request: Request) -> Response:
        """A preset file, to be downloaded."""
        from deepdiva.app.keeping import Words, preset_of

        wanted = await _json(request)
        preset = preset_of(_patch(wanted), Words.of(wanted))
        return Response(preset.to_bytes(), media_type="application/octet-stream")

    async def keep_place(self, request: Request) -> Response:
        """Where Diva's own presets of this user lie."""
        del request
        from deepdiva.synths.diva.user_folder import find_user_folder

        found = find_user_folder()
        return JSONResponse({"folder": None if found is None else str(found)})

    async def keep(self, request: Request) -> Response:
        """Save a preset where Diva finds it; the page has asked the user."""
        from deepdiva.app.keeping import Words, keep_preset

        wanted = await _json(request)
        words = Words.of(wanted)
        force = wanted.get("overwrite") is True
        path = await run_in_threadpool(keep_preset, _patch(wanted), words, force=force)
        return JSONResponse({"path": str(path)}, 201)

    def _take(self, request: Request) -> Take:
        return self._library.take(request.path_params["id"])


def _wav(audio: NDArray[np.float32], sample_rate: int) -> Response:
    """Audio of shape (samples,) as a WAV file of 32-bit floats."""
    from deepdiva.app.wav import wav_bytes

    return Response(
        wav_bytes(audio, sample_rate),
        media_type="audio/wav",
        headers={"Cache-Control": "no-store"},
    )


async def _body(request: Request, most: int) -> bytes:
    """The body, of which no more than `most` bytes are taken in."""
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > most:
        raise _TooLargeError(_too_large(most))
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise _TooLargeError(_too_large(most))
    return bytes(data)


def _too_large(most: int) -> str:
    return f"That is more than {most >> 20 or 1} MB: cut the sound, or export it as FLAC."


async def _json(request: Request) -> JsonObject:
    wanted = json.loads(await _body(request, MOST_JSON_BYTES) or b"{}")
    if not isinstance(wanted, dict):
        raise InvalidValueError("The request must be a JSON object.")
    return wanted


def _patch(wanted: JsonObject) -> NDArray[np.float64]:
    from deepdiva.synths.diva import DIVA

    values = _numbers("patch", wanted.get("patch"))
    DIVA.check(values)
    return values


def _numbers(name: str, values: Any) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise InvalidValueError(f"{name} must be a list of finite numbers.")
    return numbers


def _number(name: str, value: Any, low: float, high: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise InvalidValueError(f"{name} is {value!r}: it must be {low:g} to {high:g}.")
    return float(value)


def _said_of_note(wanted: Any) -> JsonObject:
    """What the page says of a note, by the fields of `Note`."""
    if not isinstance(wanted, dict):
        raise InvalidValueError("note must be an object.")
    limits: dict[str, tuple[float, float, Callable[[float], float]]] = {
        "pitch": (0, 127, int),
        "velocity": (1, 127, int),
        "length_seconds": (0.01, LONGEST_NOTE_SECONDS, float),
        "render_seconds": (0.02, LONGEST_NOTE_SECONDS, float),
    }
    return {
        name: kind(_number(name, wanted[name], low, high))
        for name, (low, high, kind) in limits.items()
        if wanted.get(name) is not None
    }


def _take_values(file: Path, wanted: JsonObject) -> JsonObject:
    """Attributes of a take as the page asks for it, with the note that is heard for it."""
    from deepdiva.search.refine_settings import MODES
    from deepdiva.synths.diva import DIVA

    values: JsonObject = {}
    for name, low in (("start_seconds", 0.0), ("length_seconds", 0.02)):
        if wanted.get(name) is not None:
            values[name] = _number(name, wanted[name], low, LONGEST_SOUND_SECONDS)
    transposed = 0.0
    if wanted.get("patch") is not None:
        values["base"] = _patch(wanted).tolist()
        transposed = transposition(np.array(values["base"]))
    said = NoteChoice(**_said_of_note(wanted.get("note") or {}))
    choice = TargetChoice(
        file, said, values.get("start_seconds"), values.get("length_seconds"), transposed
    )
    listened = choice.listened()
    bounded = choice.bounded(listened.chosen.note.to_dict())
    if bounded != choice:
        listened = bounded.listened()
    values["wanted"] = {
        name: value for name, value in bounded.note.fixed.items() if name != "sample_rate"
    }
    values["note"] = listened.chosen.note.to_dict()
    values["cents"] = listened.chosen.cents
    locked = wanted.get("locked") or []
    if not isinstance(locked, list) or not all(isinstance(name, str) for name in locked):
        raise InvalidValueError("locked must be a list of names.")
    values["locked"] = [DIVA[name].name for name in dict.fromkeys(locked)]
    if wanted.get("mode") is not None:
        values["mode"] = str(wanted["mode"])
        if values["mode"] not in MODES:
            raise InvalidValueError(f"mode must be one of {', '.join(MODES)}.")
    if wanted.get("evaluations") is not None:
        values["evaluations"] = int(_number("evaluations", wanted["evaluations"], 1, 1_000_000))
    if wanted.get("seed") is not None:
        values["seed"] = int(_number("seed", wanted["seed"], 0, 2**32 - 1))
    return values


def listen(port: int) -> socket.socket:
    """A socket of this machine alone.

    Args:
        port: 0 for any that is free.

    Raises:
        InvalidValueError: the port is in use.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let another program share the port
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError as error:
        found.close()
        raise InvalidValueError(
            f"Port {port} is in use: name another by --port, or 0 for any. Perhaps the page is "
            "open already."
        ) from error
    return found


def serve(
    folder: Path,
    sounds: tuple[Path, ...],
    port: int,
    on_open: Callable[[str], None],
    evaluations: int | None = None,
    *,
    compiles: bool = False,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        folder: where everything is kept; made if missing.
        sounds: files of this machine to be shown.
        port: 0 for any that is free.
        on_open: called with the address when the page can be opened.
        evaluations: candidates that a search tries at most; None for as many as the page asks for.
        compiles: compile the whole engine in the background, where it is not.

    Raises:
        StorageError: another server has the folder.
        InvalidValueError: a port that is in use, or a file that is no sound.
    """
    import uvicorn

    from deepdiva.files import alone_in

    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder, ".app.lock", "page: close it, or name another with --folder."):
        library = Library(folder)
        found = listen(port)
        port = found.getsockname()[1]
        token = library.token()
        for path in sounds:
            library.adopt(path)
        config = uvicorn.Config(
            make_app(Studio(library, evaluations=evaluations, compiles=compiles), token, port),
            log_level="warning",
            lifespan="on",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        on_open(f"http://127.0.0.1:{port}/#{token}")
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[found])
