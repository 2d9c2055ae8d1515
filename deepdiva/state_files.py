"""State files: what each kind holds, and the one place where that is checked.

A command goes on from files that it, or another command, has left: a kill, a full disk or an editor
may have damaged them. Each kind has a schema here. What does not fit it is refused in one line that
names the file, the entry and the way out; nothing of it is used.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from deepdiva.errors import DeepDivaError, InvalidValueError, MissingFileError
from deepdiva.names import one_line

Built = TypeVar("Built")

MOST_BYTES = 1 << 28
"""Of a state file that is read as a whole."""


class Unfit(Exception):  # noqa: N818  (never leaves this module's callers)
    """A value that its schema refuses."""

    def __init__(self, place: str, rule: str) -> None:
        super().__init__(f"{place or 'it'} {rule}")


Check = Callable[[Any, str], None]
"""Takes a value and its place; raises `Unfit`."""


def _refuse(value: object, place: str, rule: str) -> NoReturn:
    raise Unfit(place, f"is {one_line(repr(value), 60)}, and must be {rule}")


def anything(value: Any, place: str) -> None:
    """Any JSON."""


def number(low: float = -math.inf, high: float = math.inf) -> Check:
    """A finite number from `low` to `high`."""

    def check(value: Any, place: str) -> None:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not math.isfinite(value) or not low <= value <= high:
            ends = [f"of at least {low:g}"] if low > -math.inf else []
            ends += [f"of at most {high:g}"] if high < math.inf else []
            _refuse(value, place, " and ".join(["a finite number", *ends]))

    return check


def whole(low: int, high: int = 2**63 - 1) -> Check:
    """A whole number from `low` to `high`."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            _refuse(value, place, f"a whole number from {low} to {high}")

    return check


def text(pattern: str = "(?s).*") -> Check:
    """Text that matches a regular expression as a whole."""
    compiled = re.compile(pattern)

    def check(value: Any, place: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            _refuse(value, place, "text" if pattern == "(?s).*" else f"text like {pattern}")

    return check


def flag(value: Any, place: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        _refuse(value, place, "true or false")


def choice(*names: str) -> Check:
    """One of some texts."""

    def check(value: Any, place: str) -> None:
        if value not in names:
            _refuse(value, place, " or ".join(names))

    return check


def optional(inner: Check) -> Check:
    """The same, or null."""

    def check(value: Any, place: str) -> None:
        if value is not None:
            inner(value, place)

    return check


def each(inner: Check, least: int = 0) -> Check:
    """A list."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            _refuse(value, place, f"a list of at least {least}" if least else "a list")
        for index, entry in enumerate(value):
            inner(entry, f"{place}[{index}]")

    return check


def table(inner: Check = anything, keys: str = "(?s).*") -> Check:
    """An object with any names that match a regular expression."""
    compiled = re.compile(keys)

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            _refuse(value, place, "an object")
        for key, entry in value.items():
            if not compiled.fullmatch(key):
                _refuse(key, f"a name in {place or 'it'}", f"text like {keys}")
            inner(entry, f"{place}.{key}" if place else key)

    return check


def record(needed: Mapping[str, Check], may: Mapping[str, Check] | None = None) -> Check:
    """An object with the names of `needed`, perhaps those of `may`, and no other."""
    allowed = {**needed, **(may or {})}

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            _refuse(value, place, "an object")
        missing, odd = sorted(needed.keys() - value.keys()), sorted(value.keys() - allowed.keys())
        if missing:
            raise Unfit(place, f"lacks {', '.join(missing)}")
        if odd:
            raise Unfit(place, f"holds {one_line(', '.join(odd), 80)}, which nobody knows")
        for key, entry in value.items():
            allowed[key](entry, f"{place}.{key}" if place else key)

    return check


def known(needed: Mapping[str, Check], may: Mapping[str, Check] | None = None) -> Check:
    """An object with the names of `needed`, perhaps those of `may`, and any others."""
    checks = {**needed, **(may or {})}

    def check(value: Any, place: str) -> None:
        table()(value, place)
        record(needed, checks)({key: value[key] for key in checks.keys() & value.keys()}, place)

    return check


SHA256 = text("[0-9a-f]{64}")
COUNT = whole(0)
NOTE = record(
    {
        "pitch": whole(0, 127),
        "velocity": whole(1, 127),
        "length_seconds": number(0, 600),
        "render_seconds": number(0, 600),
        "sample_rate": whole(8000, 192000),
    }
)
SPACE = record(
    {
        "table": text(),
        "free": each(
            record(
                {
                    "name": text(),
                    "kind": text(),
                    "minimum": number(),
                    "maximum": number(),
                    "choices": each(number()),
                }
            ),
            least=1,
        ),
        "base": table(number()),
    }
)
FILE = record({"name": text(), "bytes": COUNT, "crc32": text("[0-9a-f]{8}")})
SHARE = number(0, 1)
SEARCH_KEYS = {
    "deepdiva": text(),
    "sound": text(),
    "target_sha256": SHA256,
    "renderer": table(),
    "note": NOTE,
    "heard": table(),
    "pieces": each(NOTE),
    "settings": table(),
    "space": SPACE,
    "start": optional(text()),
}


def _search(value: Any, place: str) -> None:
    """What a search is; entries that this version does not know are compared, not understood."""
    table()(value, place)
    for key, check in SEARCH_KEYS.items():
        if key in value:
            check(value[key], key)


def _generation(value: Any, place: str) -> None:
    record(
        {
            "seconds": number(0),
            "full": number(),
            "distances": each(number(), 1),
        },
        {
            "points": each(each(number()), 1),
            "digest": SHA256,
            "gain": number(),
            "guides": each(number(), 1),
            "failures": each(text()),
            "residuals": text("[A-Za-z0-9+/]*={0,2}"),
        },
    )(value, place)
    if ("points" in value) == ("digest" in value):
        raise Unfit("it", "must hold either points or their digest")
    if value.get("gain", 1.0) <= 0:
        raise Unfit("gain", f"is {value['gain']!r}, and must be a number above 0")
    if len(value.get("guides", value["distances"])) != len(value["distances"]):
        raise Unfit("guides", f"are {len(value['guides'])} for {len(value['distances'])} distances")
    if "digest" in value:
        return
    if len(value["distances"]) != len(value["points"]):
        raise Unfit("points", f"are {len(value['points'])} for {len(value['distances'])} distances")
    if len({len(point) for point in value["points"]}) != 1:
        raise Unfit("points", "differ in length")


_EVALUATION = record(
    {
        "format": COUNT,
        "deepdiva": text(),
        "panel": COUNT,
        "renderer": table(),
        "test_set": text(),
        "settings": record({"note": NOTE, "space": SPACE, "realizations": whole(1), "seed": COUNT}),
        "sounds": each(
            record(
                {
                    "name": text(),
                    "fingerprint": text(),
                    "source": text(),
                    "report": each(text()),
                    "values": table(number()),
                    "floor": optional(number()),
                },
                {"note": optional(NOTE)},
            )
        ),
        "left_out": table(text()),
        "methods": table(table()),
    }
)


def _features(value: Any, place: str) -> None:
    """How sounds become a network's input; mel settings and scalers check themselves."""
    table()(value, place)
    choice("views", "panel views", "melspectrogram", "mfcc")(value.get("kind"), f"{place}.kind")
    if value["kind"] == "views":
        _VIEWS(value, place)


_VIEWS = record(
    {"kind": text()},
    {
        "line_samples": whole(256, 1 << 18),
        "line_windows": whole(1, 64),
        "bins_per_octave": whole(1, 384),
        "lowest_semitones": number(-128, 128),
        "highest_hz": number(100, 96000),
        "frames": whole(1, 2048),
        "frame_samples": whole(16, 1 << 16),
        "mel_bands": whole(1, 1024),
        "segments": whole(1, 4096),
        "floor_db": number(-300, 0),
    },
)

_LAYER = whole(1, 4096)


_VARIABLE = record(
    {
        "name": text(),
        "stage": whole(0, 5),
        "low": each(number(), 1),
        "high": each(number(), 1),
    }
)


def _network(value: Any, place: str) -> None:
    """Sizes of a network, bounded so that a damaged one allocates no memory."""
    channels = each(_LAYER, 3)
    encoder = {
        "harmonics": whole(1, 128),
        "line_channels": channels,
        "band_channels": channels,
        "reduced": _LAYER,
        "hidden": _LAYER,
        "encoding": _LAYER,
    }
    flow = {"transforms": whole(1, 16), "bins": whole(2, 64), "hidden": _LAYER, "head": _LAYER}
    table()(value, place)
    if "panel" in value or "code" in value:
        sizes = dict.fromkeys(("hidden", "encoding", "state"), _LAYER)
        counts = {name: whole(1, 64) for name in ("blocks", "waves")}
        convolved = {"harmonics": whole(1, 128), "line_channels": channels, "channels": channels}
        panel = record({}, {**convolved, **sizes, **counts, "dropout": number(0, 1)})
        record({"panel": panel, "code": each(_VARIABLE, 1)})(value, place)
    elif "encoder" in value or "flow" in value:
        record({"encoder": record({}, encoder), "flow": record({}, flow)})(value, place)


_ENTRY = "[A-Za-z0-9#_+-]{1,80}"
_PATCH = known({"patch": each(number(), 1)})


@dataclass(frozen=True)
class StateFile:
    """A kind of state file.

    Attributes:
        what: it describes, as in "does not describe a test set".
        schema: of its content.
        way_out: what the user can do when it is damaged.
        format: entries that say its format, and their values in this version; empty where it says
            none, and the version of the program stands in it instead.
    """

    what: str
    schema: Check
    way_out: str
    format: Mapping[str, object] = field(default_factory=dict)

    def read(self, path: Path, build: Callable[[Any], Built]) -> Built:
        """Read and check a file.

        Args:
            path: of the file.
            build: makes of the checked content what the caller needs; what it finds unfit is
                refused as the schema's findings are.

        Raises:
            MissingFileError: it does not exist.
            InvalidValueError: it is damaged, or of another format.
        """
        try:
            about = path.stat()
            if stat.S_ISDIR(about.st_mode):
                raise self.damaged(path, "it is a folder")
            if not stat.S_ISREG(about.st_mode):
                raise self.damaged(path, "it is a pipe or a device")
            if about.st_size > MOST_BYTES:
                raise self.damaged(path, f"it has {about.st_size} bytes")
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingFileError(f"{path} does not exist. {self.way_out}") from error
        return self.parse(data, path, build)

    def parse(self, data: bytes, path: Path, build: Callable[[Any], Built]) -> Built:
        """The same of the bytes of a file, or of a part of it."""
        try:
            content = parse_json(data)
            self._check_format(content, path)
            self.schema(content, "")
            return build(content)
        except DeepDivaError as error:
            if str(path) in str(error):
                raise
            raise self.damaged(path, str(error).rstrip(".")) from error
        except Unfit as error:
            raise self.damaged(path, str(error)) from error
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise self.damaged(path, f"{type(error).__name__}: {error}") from error

    def damaged(self, path: Path, why: str) -> InvalidValueError:
        """The error of a file that cannot be used."""
        return InvalidValueError(
            f"{path} does not describe {self.what} ({one_line(why)}): {self.way_out}"
        )

    def _check_format(self, content: Any, path: Path) -> None:
        if not self.format:
            return
        if not isinstance(content, dict):
            raise Unfit("", "holds no object")
        missing = sorted(self.format.keys() - content.keys())
        if missing:
            raise Unfit("", f"lacks {', '.join(missing)}")
        found = [content[key] for key in self.format]
        if found != list(self.format.values()):
            shown, wanted = (
                " ".join(map(str, entries)) for entries in (found, self.format.values())
            )
            raise InvalidValueError(
                f"{path} is of the format {one_line(repr(shown))}: this program reads {wanted}. "
                f"Use the version of deepdiva that wrote it, or {self.way_out}"
            )


def parse_json(data: bytes) -> Any:
    """JSON whose numbers are finite, from UTF-8.

    Raises:
        Unfit: it is none.
    """

    def refuse(name: str) -> float:
        raise Unfit("", f"holds {name}, which is no number")

    def finite(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            refuse(digits[:20])
        return value

    try:
        return json.loads(data.decode("utf-8"), parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise Unfit("", f"is no JSON ({error})") from error


KINDS: dict[str, StateFile] = {
    "search": StateFile("a search", _search, "start anew with --force, or choose another folder."),
    "generation": StateFile(
        "the generations of a search",
        _generation,
        "start anew with --force, or choose another folder.",
    ),
    "written": StateFile(
        "the results of a search",
        table(SHA256, keys=r"[^/\\]+"),
        "overwrite the results with --force, or choose another folder.",
    ),
    "training": StateFile(
        "a training",
        record({"version": text(), "options": table()}, {"data": text()}),
        "start anew in another folder.",
    ),
    "dataset": StateFile(
        "a data set",
        record(
            {
                "format": text(),
                "format_version": COUNT,
                "renderer": table(),
                "note": NOTE,
                "base_preset": optional(table()),
                "space": SPACE,
                "sample_size": whole(1),
                "seed": COUNT,
                "draws": text(),
                "sampling": table(),
                "quality": table(),
                "store": choice("float32", "float16", "features"),
                "features": optional(record({"mel": table(), "mfcc": table()})),
                "save_audio": flag,
                "file_prefix": text(),
                "layout": table(text()),
                "totals": table(),
                "batches": record(
                    {
                        "planned": whole(1),
                        "made": table(
                            record(
                                {
                                    "sounds": whole(1),
                                    "kept": table(COUNT),
                                    "redrawn": table(COUNT),
                                    "files": table(FILE),
                                }
                            ),
                            keys="0|[1-9][0-9]{0,8}",
                        ),
                    }
                ),
            }
        ),
        "restore it, or make the data set again in another folder.",
        {"format": "deepdiva-dataset", "format_version": 1},
    ),
    "evaluation": StateFile(
        "an evaluation", _EVALUATION, "evaluate again into a new folder.", {"format": 2}
    ),
    "result": StateFile(
        "a result of an evaluation",
        record(
            {
                "key": text("[0-9a-f]+"),
                "sound": text(),
                "method": text(),
                "status": choice("ok", "silent", "failed"),
                "error": optional(text()),
                "seconds": number(0),
                "renders": optional(COUNT),
                "scores": table(optional(number())),
                "realizations": each(number()),
                "realization_spread": optional(number()),
                "values": table(number()),
                "errors": table(number()),
                "exchanged": flag,
                "elsewhere": table(table(optional(number()))),
            }
        ),
        "remove the file, and the same command makes it again; or evaluate into a new folder.",
    ),
    "summary": StateFile(
        "a summary of an evaluation",
        record(
            {
                "format": text(),
                "run": _EVALUATION,
                "measures": each(table(), 1),
                "methods": each(table(), 1),
                "pairs": each(table()),
                "floors": table(table()),
                "status": table(table(choice("ok", "silent", "failed"))),
                "values": table(table(table(optional(number())))),
            }
        ),
        "evaluate again.",
        {"format": "deepdiva evaluation 2"},
    ),
    "entry": StateFile(
        "answers of a tool",
        record(
            {"format": text(), "format_version": COUNT},
            {
                "tool": text(),
                "version": text(),
                "authors": text(),
                "url": text(),
                "renders": optional(COUNT),
                "remarks": text(),
            },
        ),
        "mend or remove the file; the answers beside it need none.",
        {"format": "deepdiva-entry", "format_version": 1},
    ),
    "listening": StateFile(
        "answers of a listening test",
        record(
            {
                "format": text(),
                "format_version": COUNT,
                "run": text("[0-9a-f]{16}"),
                "test_set": text(),
                "listener": text(),
                "finished": text(),
                "trials": each(
                    record(
                        {
                            "sound": text(),
                            "seconds": number(0),
                            "reference_plays": COUNT,
                            "ratings": each(
                                record(
                                    {"stimulus": text(), "value": number(0, 100), "plays": COUNT}
                                ),
                                2,
                            ),
                        }
                    ),
                    1,
                ),
            }
        ),
        "let the listener save the answers again.",
        {"format": "deepdiva-listening", "format_version": 1},
    ),
    "testset": StateFile(
        "a test set",
        record(
            {
                "format": text(),
                "format_version": COUNT,
                "name": text(),
                "origin": text(),
                "note": NOTE,
                "renderer": table(),
                "space": SPACE,
                "missing": each(text()),
                "sounds": each(
                    record(
                        {
                            "name": text(),
                            "file": text(),
                            "sha256": SHA256,
                            "patch": optional(table(number())),
                            "seed": optional(COUNT),
                        },
                        {
                            "preset": text(),
                            "note": NOTE,
                            "start": COUNT,
                            "further": each(
                                record({"file": text(), "sha256": SHA256, "note": NOTE})
                            ),
                        },
                    )
                ),
            },
            {"base": optional(text())},
        ),
        "get or make the set again.",
        {"format": "deepdiva-testset", "format_version": 1},
    ),
    "constants": StateFile(
        "constants of the engine",
        record(
            {
                "format": text(),
                "format_version": COUNT,
                "engine": text(),
                "plugin": table(text()),
                "plan_sha256": SHA256,
                "sounds_sha256": SHA256,
                "constants": table(number()),
                "modules": table(table()),
                "checks": table(number()),
            }
        ),
        "calibrate again, or say --constants builtin.",
        {"format": "deepdiva-constants", "format_version": 1},
    ),
    "probes": StateFile(
        "sounds of probes",
        record(
            {
                "format": text(),
                "format_version": COUNT,
                "plugin": table(text()),
                "probes": table(
                    record(
                        {},
                        {
                            "plays": SHA256,
                            "sha256": SHA256,
                            "gain": number(0),
                            "failed": text(),
                        },
                    ),
                    keys="[a-z0-9-]+",
                ),
            },
            {"floor_db": number(0)},
        ),
        "remove the folder, and calibrate again.",
        {"format": "deepdiva-probes", "format_version": 1},
    ),
    "sound": StateFile(
        "a sound of the page",
        known(
            {"id": text(_ENTRY), "name": text(), "suffix": text(r"(\.[a-z0-9]{1,8})?")},
            {
                "added": number(),
                "heard": optional(table()),
                "error": text(),
                "is_hidden": flag,
            },
        ),
        "remove it, and drop the sound again.",
    ),
    "take": StateFile(
        "a search of the page",
        known(
            {"id": text(_ENTRY + "~[0-9]{1,9}"), "sound": text(_ENTRY), "number": whole(1)},
            {
                "state": choice("waiting", "running", "done", "failed"),
                "note": NOTE,
                "wanted": table(optional(number())),
                "cents": number(),
                "start_seconds": optional(number(0)),
                "length_seconds": optional(number(0)),
                "base": optional(each(number(), 1)),
                "locked": each(text()),
                "mode": optional(text()),
                "evaluations": optional(whole(1)),
                "seed": COUNT,
                "answer": optional(
                    known(
                        {"best": _PATCH},
                        {
                            "free": each(text()),
                            "roles": each(table()),
                            "others": each(_PATCH),
                            "said": each(text()),
                            "fixed": table(number()),
                        },
                    )
                ),
                "curve": each(each(number(), 3)),
                "edit": optional(each(number(), 1)),
                "error": text(),
            },
        ),
        "remove it; the search's own files stay.",
    ),
    "explanation": StateFile(
        "what a match rests on",
        known(
            {
                "parameters": each(
                    known(
                        {
                            "name": text(),
                            **dict.fromkeys(("value", "effect", "low", "high"), number()),
                            "uncertain": flag,
                        }
                    )
                )
            }
        ),
        "remove it.",
    ),
    "patch": StateFile(
        "a patch",
        known({"parameters": table(known({"value": number()}))}),
        "it must be the .json that deepdiva refine --plugin writes.",
        {"format": "deepdiva-patch", "format_version": 1},
    ),
    "scaler": StateFile(
        "a scaler",
        record(
            {
                "format": text(),
                "format_version": COUNT,
                "mfcc": table(),
                "samples": whole(1),
                "axes": each(COUNT),
                "minimum": anything,
                "span": anything,
            }
        ),
        "it must be the JSON that deepdiva features --feature mfcc saves.",
        {"format": "deepdiva-mfcc-scaler", "format_version": 1},
    ),
    "features": StateFile(
        "features", table(), "compute the features again with deepdiva features."
    ),
    "weights": StateFile(
        "a network",
        record(
            {
                "model": choice("panel", "posterior", "cnn", "lstm"),
                "space": SPACE,
                "note": NOTE,
                "features": _features,
                "network": _network,
                "engine": record({"name": text(), "version": text()}, {"quality": anything}),
                "format": whole(1),
            },
            {
                "training": table(),
                "metrics": table(number()),
                "version": text(),
                "git_commit": optional(text()),
            },
        ),
        "name a file that `deepdiva train` wrote.",
    ),
    "checkpoint": StateFile(
        "a training",
        record(
            {
                "settings": table(),
                "epoch": whole(1),
                "network": anything,
                "optimizer": table(),
                "best_loss": number(),
                "best_epoch": whole(0),
                "best_network": anything,
                "history": each(table(number()), 1),
            }
        ),
        "start anew.",
    ),
}
"""Every kind of state file, by name."""
