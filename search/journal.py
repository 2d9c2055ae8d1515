"""The run folder: every generation on disk, so that a killed search goes on where it stood.

A search draws everything from its seed and from the distances that it was told. So nothing of a
strategy needs to be stored: on resuming, the search runs again from the start, is told the recorded
distances instead of rendering, and stands after a moment where it stood, to the bit.

The folder holds `run.json`, what the search is, and `generations.jsonl`, one line for each
generation: `seconds`, `points`, `distances` and `full` (the reported distance of the best row),
`gain` where the level is solved (of that row), `failures` where there were some (the reasons), and
where the strategy learns from them `residuals` (float32, little-endian, base64) and `guides` (a
second distance). Of points with more than 64 coordinates `digest` stands in the place of `points`.
After those of the search come those of the fit of start phases, whose points hold these, too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import FileExistsAlreadyError, InvalidValueError
from deepdiva.files import atomic_write
from deepdiva.search.evaluator import Scores
from deepdiva.state_files import KINDS

RUN = "run.json"
GENERATIONS = "generations.jsonl"

MOST_COORDINATES = 64
"""Of longer points a digest is kept: they are drawn again, and only compared."""


class Journal:
    """Generations of one search in a folder; a context manager.

    Args:
        folder: made if missing.
        description: everything that decides the search, ready for JSON.
        resume: go on with what the folder holds.
        force: throw away what the folder holds; `resume` goes before.
        extends: the course of the search does not depend on its budget, so a resumed one may have
            a larger one. What the record holds beyond their common course is dropped.

    Raises:
        FileExistsAlreadyError: the folder holds a run, without `resume` or `force`.
        InvalidValueError: the run in the folder is another search, or had a larger budget.
    """

    def __init__(
        self,
        folder: Path,
        description: Mapping[str, Any],
        *,
        resume: bool = False,
        force: bool = False,
        extends: bool = False,
    ) -> None:
        self.folder = folder
        self._longer = False
        folder.mkdir(parents=True, exist_ok=True)
        # Through JSON and back: tuples become lists there.
        wanted = json.loads(json.dumps(description))
        run = folder / RUN
        if resume and run.exists():
            stored = read_run(folder) or {}
            if extends:
                stored, self._longer = _extended(stored, wanted, folder)
            _compare(stored, wanted, folder)
            if self._longer:
                atomic_write(run, json.dumps(wanted, indent=1).encode(), force=True)
        else:
            check_run(folder, force=force)
            (folder / GENERATIONS).unlink(missing_ok=True)
            atomic_write(run, json.dumps(wanted, indent=1).encode(), force)
        self._lines = _whole_lines(folder / GENERATIONS)
        self._next = 0
        self._file: IO[bytes] = (folder / GENERATIONS).open("ab")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def recall(self, points: NDArray[np.float64]) -> tuple[Scores, float] | None:
        """Scores of the next recorded generation, and seconds since the search began.

        Args:
            points: what is to be scored, shape (batch, dimensions).

        Returns:
            None after the last recorded generation.

        Raises:
            InvalidValueError: the recorded generation holds other points.
        """
        if self._next == len(self._lines):
            return None
        path = self.folder / GENERATIONS
        line, residuals = KINDS["generation"].parse(self._lines[self._next], path, _recalled)
        self._next += 1
        if self._longer and not _same_points(line, points):
            self._drop_rest()
            return None
        if not _same_points(line, points):
            raise InvalidValueError(
                f"{self.folder} cannot be resumed: this version searches other points than those "
                f"in generation {self._next}. Start again in another folder."
            )
        distances = np.array(line["distances"], dtype=np.float64)
        failures = tuple(line.get("failures", ()))
        gain = line.get("gain")
        best = int(distances.argmin())
        guides = np.array(line["guides"], dtype=np.float64) if "guides" in line else None
        scores = Scores(distances, best, line["full"], failures, residuals, gain, guides)
        return scores, line["seconds"]

    def _drop_rest(self) -> None:
        """Take the last recalled generation, and all after it, off the record."""
        self._lines = self._lines[: self._next - 1]
        self._next = len(self._lines)
        self._file.truncate(sum(len(line) + 1 for line in self._lines))

    def record(self, points: NDArray[np.float64], scores: Scores, seconds: float) -> None:
        """Append a generation; when this returns, it is on the disk.

        Args:
            points: shape (batch, dimensions).
            scores: of these points.
            seconds: since the search began.
        """
        line: dict[str, Any] = {
            "seconds": seconds,
            "full": scores.full,
            "distances": scores.distances.tolist(),
        }
        if points.shape[1] > MOST_COORDINATES:
            line["digest"] = _digest(points)
        else:
            line["points"] = points.tolist()
        if scores.guides is not None:
            line["guides"] = scores.guides.tolist()
        if scores.gain is not None:
            line["gain"] = scores.gain
        if scores.failures:
            line["failures"] = list(scores.failures)
        if scores.residuals is not None:
            line["residuals"] = base64.b64encode(scores.residuals.astype("<f4").tobytes()).decode()
        self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _same_points(line: Mapping[str, Any], points: NDArray[np.float64]) -> bool:
    if "digest" in line:
        return bool(line["digest"] == _digest(points))
    return np.array_equal(np.array(line["points"]), points)


def _digest(points: NDArray[np.float64]) -> str:
    return hashlib.sha256(np.ascontiguousarray(points).tobytes()).hexdigest()


def _recalled(line: dict[str, Any]) -> tuple[dict[str, Any], NDArray[np.float32] | None]:
    """A generation, and its residuals."""
    if "residuals" not in line:
        return line, None
    numbers = np.frombuffer(base64.b64decode(line["residuals"]), "<f4")
    residuals = numbers.reshape(len(line["distances"]), -1).astype(np.float32)
    unplayed = np.isnan(residuals).all(axis=1)
    if not np.isfinite(residuals[~unplayed]).all():
        raise ValueError("residuals are not finite")
    return line, residuals


def read_run(folder: Path) -> dict[str, Any] | None:
    """What the search in a folder is; None where it holds none.

    Raises:
        InvalidValueError: `run.json` is damaged.
    """
    path = folder / RUN
    if not path.exists():
        return None
    return KINDS["search"].read(path, dict)


def forget_run(folder: Path) -> None:
    """Remove the record of a search, if the folder holds one."""
    for name in (RUN, GENERATIONS):
        (folder / name).unlink(missing_ok=True)


def check_run(folder: Path, *, force: bool) -> None:
    """Refuse a folder that holds a search.

    Raises:
        FileExistsAlreadyError: it does, without `force`.
    """
    if (folder / RUN).exists() and not force:
        raise FileExistsAlreadyError(
            f"{folder} holds a search already: go on with it with --resume, start anew with "
            "--force, or choose another folder."
        )


def _extended(
    stored: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Any], bool]:
    """What a folder holds, as if its budget were the one that is wanted; whether that is larger.

    Raises:
        InvalidValueError: it is smaller.
    """
    before, after = dict(stored.get("settings", {})), wanted.get("settings", {})
    longer = False
    for limit in ("evaluations", "seconds"):
        had, has = (one.get(limit) for one in (before, after))
        if had == has:
            continue
        if has is not None and (had is None or has < had):
            raise InvalidValueError(
                f"{folder} holds a longer search ({limit} {'without limit' if had is None else had}"
                f", not {has}): give it as much or more, or choose another folder."
            )
        longer = True
        before[limit] = has
    return {**stored, "settings": before}, longer


def _compare(stored: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    odd = sorted(key for key in stored.keys() | wanted.keys() if stored.get(key) != wanted.get(key))
    if odd:
        raise InvalidValueError(
            f"{folder} holds another search: {', '.join(odd)} differ. Resume it with the same "
            "options, or choose another folder."
        )


def _whole_lines(path: Path) -> list[bytes]:
    """Complete lines of a file; one that a kill cut short is taken off the file."""
    if not path.exists():
        return []
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        os.truncate(path, end)
    return data[:end].splitlines()
