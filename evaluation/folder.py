"""The folder of a run: where everything lies, and what the run was.

run.json                             settings, renderer, sounds, methods
targets/SOUND.wav                    what had to be matched
results/METHOD/SOUND.json         scores, values, errors
presets/METHOD/SOUND.h2p          what the method answered
previews/METHOD/SOUND.wav         what that sounds like
report.html summary.json summary.md results.csv
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from deepdiva.errors import FileExistsAlreadyError, InvalidValueError, MissingFileError
from deepdiva.evaluation.result import Result
from deepdiva.files import alone_in, atomic_write, is_leftover, sweep
from deepdiva.state_files import KINDS

FORMAT = 2

LOCK_NAME = ".evaluation.lock"
"""Empty file in the folder that a run locks. It stays there, for the next run."""


@dataclass(frozen=True)
class SoundEntry:
    """One sound in `run.json`.

    Attributes:
        name: of the sound.
        fingerprint: of its samples and patch.
        source: file or test set.
        report: what was done to the recording.
        values: name of each free parameter to its true value; empty where unknown.
        floor: noise floor where the patch is known, else None.
        note: that it holds; None where it is the run's.
    """

    name: str
    fingerprint: str
    source: str
    report: list[str]
    values: dict[str, float]
    floor: float | None
    note: dict[str, float] | None = None


@dataclass(frozen=True)
class RunInfo:
    """Contents of `run.json`: enough to understand every figure of the run.

    Attributes:
        format: version of this file.
        deepdiva: version of the package.
        panel: version of the metrics' definitions.
        renderer: what played the presets, `RendererInfo.to_dict()`.
        test_set: what the user named.
        settings: note, parameter space, realizations, seed.
        sounds: in order.
        left_out: name to reason of sounds that could not serve as targets.
        methods: name to description, in order.
    """

    format: int
    deepdiva: str
    panel: int
    renderer: dict[str, Any]
    test_set: str
    settings: dict[str, Any]
    sounds: list[SoundEntry]
    left_out: dict[str, str]
    methods: dict[str, dict[str, Any]]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunInfo:
        """Rebuild the contents of `run.json`.

        Args:
            values: as `KINDS["evaluation"]` of the state files has checked them.
        """
        sounds = [SoundEntry(**entry) for entry in values["sounds"]]
        return cls(**{**values, "sounds": sounds})

    def key(self, method: str, fingerprint: str) -> str:
        """Digest of everything that a result of this run depends on, 16 hexadecimal digits.

        Args:
            method: name of one in the run.
            fingerprint: of the sound.
        """
        content = {
            "panel": self.panel,
            "renderer": self.renderer,
            "settings": self.settings,
            "sound": fingerprint,
            "method": self.methods[method],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def played_by(self) -> str:
        """The renderer, as people read it."""
        named = f"{self.renderer['name']} {self.renderer['version']}"
        quality = self.renderer.get("quality")
        return f"{named}, {quality}" if quality else named

    def common(self) -> dict[str, Any]:
        """What all results of the folder must share, by name."""
        values = asdict(self)
        del values["methods"], values["test_set"]
        for sound in values["sounds"]:
            del sound[
                "floor"
            ]  # measured again, it may differ on a synthesizer that cannot be seeded
        return values


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and reading and writing of its small files."""

    path: Path

    def result_path(self, method: str, sound: str) -> Path:
        """Where the result of a method on a sound lies."""
        return self.path / "results" / method / f"{sound}.json"

    def preset_path(self, method: str, sound: str) -> Path:
        """Where the preset lies."""
        return self.path / "presets" / method / f"{sound}.h2p"

    def preview_path(self, method: str, sound: str) -> Path:
        """Where the preset's first realization lies."""
        return self.path / "previews" / method / f"{sound}.wav"

    def target_path(self, sound: str) -> Path:
        """Where the target lies."""
        return self.path / "targets" / f"{sound}.wav"

    def create(self, methods: list[str]) -> None:
        """Make the folder and what it holds, as far as it is missing; clear what a kill left."""
        for below in ("results", "presets", "previews"):
            for method in methods:
                (self.path / below / method).mkdir(parents=True, exist_ok=True)
        (self.path / "targets").mkdir(exist_ok=True)
        for folder in (self.path, *filter(Path.is_dir, self.path.rglob("*"))):
            sweep(folder)

    def write_result(self, result: Result) -> None:
        """Store a result, over an older one."""
        path = self.result_path(result.method, result.sound)
        atomic_write(path, result.to_json(), force=True)

    def read_result(self, method: str, sound: str) -> Result | None:
        """A stored result, or None where there is none."""
        path = self.result_path(method, sound)
        if not path.exists():
            return None
        return KINDS["result"].read(path, Result.from_dict)

    def drop_result(self, method: str, sound: str) -> None:
        """Remove a stored result, if there is one: its preset is about to be replaced."""
        self.result_path(method, sound).unlink(missing_ok=True)

    def results(self, info: RunInfo) -> dict[str, dict[str, Result]]:
        """The stored results of a run: method to sound to result, in the run's order.

        What an earlier run with other settings has left is none of them.
        """
        return {
            method: {
                sound.name: result
                for sound in info.sounds
                if (result := self.read_result(method, sound.name)) is not None
                and result.key == info.key(method, sound.fingerprint)
            }
            for method in info.methods
        }

    def write_info(self, info: RunInfo) -> None:
        """Store `run.json`, over an older one."""
        text = json.dumps(asdict(info), indent=1, allow_nan=False)
        atomic_write(self.path / "run.json", text.encode(), force=True)

    def read_info(self) -> RunInfo:
        """Read `run.json`.

        Raises:
            MissingFileError: there is none.
            InvalidValueError: it is of another format.
        """
        path = self.path / "run.json"
        if not path.exists():
            raise MissingFileError(f"{self.path} holds no run.json: it is no folder of a run.")
        return KINDS["evaluation"].read(path, RunInfo.from_dict)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folder if it is missing, and keep other evaluations out of it meanwhile.

        Raises:
            FileExistsAlreadyError: the folder holds other things.
            StorageError: another evaluation is at work in it.
        """
        self._is_new()
        self.path.mkdir(parents=True, exist_ok=True)
        way_out = "evaluation: wait for it, or name another folder with --output."
        with alone_in(self.path, LOCK_NAME, way_out):
            yield

    def _is_new(self) -> bool:
        """Whether it holds no run yet; other things it may not hold."""
        if (self.path / "run.json").exists():
            return False
        if self.path.exists() and any(
            path.name != LOCK_NAME and not is_leftover(path) for path in self.path.iterdir()
        ):
            raise FileExistsAlreadyError(
                f"{self.path} is not empty and holds no run: name a new folder with --output."
            )
        return True

    def admit(self, info: RunInfo, *, force: bool) -> RunInfo:
        """Check that results of `info` may lie here, beside those that do already.

        Args:
            info: what is about to be run.
            force: results of other settings may lie here. They stay until those of the run replace
                them, and are no results of the run.

        Returns:
            `info`, with the methods that the folder held before it in front; with `force` those
            that have results of the run.

        Raises:
            FileExistsAlreadyError: the folder holds other things, or results of other settings.
            InvalidValueError: its `run.json` is of another format; not with `force`.
        """
        if self._is_new():
            return info
        try:
            before = self.read_info()
        except InvalidValueError:
            if force:  # nobody knows who took part in it
                return info
            raise
        old, new = before.common(), info.common()
        differing = [key for key in new if old[key] != new[key]] + [
            f"method {name}"
            for name in info.methods
            if before.methods.get(name, info.methods[name]) != info.methods[name]
        ]
        methods = {**before.methods, **info.methods}
        if not differing:
            return replace(before, methods=methods)
        if not force:
            raise FileExistsAlreadyError(
                f"{self.path} holds a run that differs in {', '.join(differing)}: name a new "
                "folder with --output, or let this run replace its results with --force."
            )
        results = self.results(replace(info, methods=methods))
        kept = [name for name in methods if name in info.methods or results[name]]
        return replace(info, methods={name: methods[name] for name in kept})
