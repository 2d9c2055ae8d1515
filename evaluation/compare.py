"""Two runs side by side: what got better, what worse, by how much, and whether beyond noise.

Runs are compared sound by sound, by the measures that both have. A change counts as `better` or
`worse` where the 95 % interval of its mean leaves out 0 and enough sounds changed (see
`deepdiva.evaluation.statistics.FEWEST_SOUNDS`); that a few of many changes do so by chance is to be
expected. Noise that the interval does not know, such as another seed of the search, shows when a
run is compared with itself under another seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.evaluation.measure import Measure
from deepdiva.evaluation.parameters import CLASS_ACCURACY, PARAMETER_ERROR
from deepdiva.evaluation.report import SUMMARY
from deepdiva.evaluation.statistics import Pairing, compare_paired
from deepdiva.state_files import KINDS

PARAMETER_MEASURES = (PARAMETER_ERROR.key, CLASS_ACCURACY.key)
"""Measures that mean something else where other parameters are free."""


@dataclass(frozen=True)
class Change:
    """One measure of one method, from the old run to the new.

    Attributes:
        method: in both runs.
        measure: of the figures.
        old: mean over the shared sounds, in the old run.
        new: the same in the new run.
        pairing: the new run seen against the old.
        largest: sound whose figure changed most, and by how much.
    """

    method: str
    measure: Measure
    old: float
    new: float
    pairing: Pairing
    largest: tuple[str, float]


@dataclass(frozen=True)
class Comparison:
    """Two runs.

    Attributes:
        changes: of all methods and measures that both runs have, in the new run's order.
        sounds: how many both have.
        other_targets: of these, how many are not the same samples in both: another recording of
            the same name, or the same preset played by another version of the engine.
        only_old: methods that the new run lacks.
        only_new: methods that the old run lacks.
        failures: method to failed sounds, old and new.
        other_parameters: whether other parameters were free; then those are not compared.
    """

    changes: list[Change]
    sounds: int
    other_targets: int
    only_old: list[str]
    only_new: list[str]
    failures: dict[str, tuple[int, int]]
    other_parameters: bool = False


def read_summary(path: Path | str) -> dict[str, Any]:
    """Read a `summary.json`, or that of a run's folder.

    Raises:
        MissingFileError: there is none.
        InvalidValueError: it is something else, or of another version.
    """
    path = Path(path)
    file = path / SUMMARY if path.is_dir() else path
    if not file.is_file():
        raise MissingFileError(
            f"{file} does not exist: name a {SUMMARY}, or the folder of an evaluation."
        )
    return KINDS["summary"].read(file, dict)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """Compare two summaries.

    Raises:
        InvalidValueError: runs that cannot be compared: other definitions of the metrics, another
            note or renderer, no sound or method in common.
    """
    _check(old["run"], new["run"])
    shared_sounds = _shared_sounds(old["run"], new["run"])
    names_old, names_new = ([c["name"] for c in run["methods"]] for run in (old, new))
    shared = [name for name in names_new if name in names_old]
    if not shared:
        raise InvalidValueError(
            f"The runs share no method: {', '.join(names_old)} here, {', '.join(names_new)} "
            "there. Name methods alike with --method NAME=..."
        )
    free_old, free_new = (
        {entry["name"] for entry in run["run"]["settings"]["space"]["free"]} for run in (old, new)
    )
    hidden = PARAMETER_MEASURES if free_old != free_new else ()
    changes = [
        change
        for name in shared
        for entry in new["measures"]
        if entry["key"] in old["values"] and entry["key"] not in hidden
        if (change := _change(old, new, name, Measure(**entry), shared_sounds)) is not None
    ]
    failures = {
        name: (_failures(old, name, shared_sounds), _failures(new, name, shared_sounds))
        for name in shared
    }
    prints = [
        {sound["name"]: sound["fingerprint"] for sound in run["run"]["sounds"]}
        for run in (old, new)
    ]
    return Comparison(
        changes=changes,
        sounds=len(shared_sounds),
        other_targets=sum(prints[0][sound] != prints[1][sound] for sound in shared_sounds),
        only_old=[name for name in names_old if name not in names_new],
        only_new=[name for name in names_new if name not in names_old],
        failures=failures,
        other_parameters=free_old != free_new,
    )


def _check(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for what, first, second in (
        ("version of the metrics", old["panel"], new["panel"]),
        ("note", old["settings"]["note"], new["settings"]["note"]),
        ("renderer", old["renderer"]["name"], new["renderer"]["name"]),
    ):
        if first != second:
            raise InvalidValueError(
                f"The runs differ in their {what} ({first} and {second}): their figures mean "
                "different things. Evaluate again with the same."
            )


def _shared_sounds(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names of sounds that both runs have; an engine may play the same preset differently."""
    known = {sound["name"] for sound in old["sounds"]}
    shared = [sound["name"] for sound in new["sounds"] if sound["name"] in known]
    if not shared:
        raise InvalidValueError(
            f"The runs share no sound: one is on {old['test_set']}, the other on {new['test_set']}."
        )
    return shared


def _change(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    method: str,
    measure: Measure,
    sounds: list[str],
) -> Change | None:
    before, after = (run["values"][measure.key].get(method, {}) for run in (old, new))
    pairs = {
        sound: (before[sound], after[sound])
        for sound in sounds
        if before.get(sound) is not None and after.get(sound) is not None
    }
    if not pairs:
        return None
    first = [pair[0] for pair in pairs.values()]
    second = [pair[1] for pair in pairs.values()]
    largest = max(pairs, key=lambda sound: abs(pairs[sound][1] - pairs[sound][0]))
    return Change(
        method=method,
        measure=measure,
        old=sum(first) / len(first),
        new=sum(second) / len(second),
        pairing=compare_paired(first, second, sign=measure.sign),
        largest=(largest, pairs[largest][1] - pairs[largest][0]),
    )


def _failures(run: Mapping[str, Any], method: str, sounds: list[str]) -> int:
    status = run["status"][method]
    return sum(status.get(sound) == "failed" for sound in sounds)
