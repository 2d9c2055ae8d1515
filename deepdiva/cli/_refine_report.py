"""What `deepdiva refine` shows: progress, one line for each sound, the table of a match, JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deepdiva.cli._tables import plain_table
from deepdiva.grade import GRADES
from deepdiva.names import printable
from deepdiva.units import counted, key_name

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from deepdiva.renderer import Renderer
    from deepdiva.search.explain import Explanation
    from deepdiva.search.loop import Progress
    from deepdiva.search.sound_match import Match, Part

_LEAST_DOUBLINGS = 2.0  # above chance, of what fills a bar
_SHORT_TABLE = 14  # rows that are shown whatever they matter


class Bar:
    """Progress of one sound, or of many; nothing where the screen is no terminal."""

    def __init__(self, screen: Console, name: str, total: float = 1.0) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
            console=screen,
            transient=True,
            expand=True,
            disable=not screen.is_terminal,
        )
        self._task = self._bar.add_task(printable(name), total=total, state="preparing")

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def count(self, done: int) -> None:
        """Show how many sounds are done."""
        self._bar.update(self._task, completed=done, state=f"{done} done")

    def part(self, done: int, total: int) -> None:
        """Show how many of so many things are done."""
        self._bar.update(self._task, completed=done, total=total, state=f"{done:,} of {total:,}")

    def show(self, progress: Progress) -> None:
        """Show where the search stands."""
        self._bar.update(
            self._task,
            completed=progress.share,
            state=(
                f"{progress.stage}  distance {progress.distance:.4f}  "
                f"{progress.evaluations:,} at {progress.rate:,.0f}/s  "
                f"{progress.left_seconds:.0f} s left"
            ),
        )


def show(match: Match) -> None:
    """What the match rests on, as a table on stdout, 80 columns wide at most.

    Of many parameters only those are shown that the sound tells.
    """
    from deepdiva.cli._tables import echo, results_console
    from deepdiva.cli._values import bar, range_text, value_text
    from deepdiva.synths import synthesizer_of

    task, explanation = match.task, match.result.explanation
    if explanation is None:
        return
    screen = results_console()
    synthesizer, patch, key = (
        synthesizer_of(task.space.table),
        match.result.patch,
        task.note.pitch,
    )
    table = plain_table("parameter", "value", "sounds the same", "matters")
    rows = list(zip(explanation.roles, _importances(explanation), strict=True))
    told = [(role, share) for role, share in rows if share > 0.0]
    hidden = len(rows) - len(told) if len(rows) > _SHORT_TABLE else 0
    for role, share in told if hidden else rows:
        parameter = task.space.table[role.name]
        same = ""
        if parameter.is_class:
            same = "other choices, too" if role.uncertain else ""
        elif role.low != role.high:
            same = range_text(parameter, (role.low, role.high), synthesizer, patch, key)
        table.add_row(
            role.name,
            value_text(parameter, role.value, synthesizer, patch, key),
            same,
            bar(share, screen.encoding),
        )
    screen.print(table)
    if hidden:
        echo(
            f"{counted(hidden, 'more value')} could be otherwise without being heard: see "
            f"{task.outputs.run / 'explanation.json'}."
        )
    if match.result.answers:
        screen.print(_answers(match))
    elif match.alternatives:
        first, *others = match.alternatives
        names = ", ".join([str(first), *(path.name for path in others)])
        echo(f"As near, with other settings: {names}")


def _answers(match: Match) -> Table:
    """All answers of a search over a whole panel: the match, and presets of other chains."""
    table = plain_table("preset", "models", "distance", "uses")
    files = (match.task.outputs.preset, *match.alternatives)
    for path, answer in zip(files, match.result.answers, strict=True):
        table.add_row(
            path.name,
            answer.chain,
            f"{answer.distance:.4f}",
            ", ".join(answer.modules) or "one voice",
        )
    return table


def _importances(explanation: Explanation) -> list[float]:
    """How much each parameter matters, 0 to 1: 0 no more than chance, 1 as the one that does most.

    On the way between them each doubling of the effect counts the same.
    """
    # A plug-in may leave nothing to chance.
    chance = max(explanation.chance, 1e-9)
    doublings = [
        0.0 if role.uncertain else math.log2(max(1.0, role.effect / chance))
        for role in explanation.roles
    ]
    most = max([*doublings, _LEAST_DOUBLINGS])
    return [one / most for one in doublings]


def line(match: Match) -> str:
    """What became of a sound: a line, and one more for each thing to know of it."""
    task, result = match.task, match.result
    noise = "" if result.noise is None else f", render noise {result.noise.median:.4f}"
    fitted = (
        ""
        if result.realization is None
        else f"{result.realization.distance:.4f} with fitted phases, "
    )
    grade = "" if result.grade is None else f"{result.grade.name}, "
    said = [
        f"{counted(count, 'candidate was', 'candidates were')} put aside: the plug-in {reason}"
        for reason, count in result.failures.items()
    ]
    said += [] if result.grade is None or not result.grade.reason else [result.grade.sentence]
    said += match.remarks
    more = "".join(f"\n  {sentence}" for sentence in said)
    return (
        f"{task.target.source} -> {task.outputs.preset}: {grade}{task.key}\n"
        f"  distance {result.distance:.4f} ({fitted}silence {result.silence:.4f}{noise}), "
        f"{counted(result.evaluations, 'candidate')} in {result.seconds:.1f} s{more}"
    )


def overview(matches: Sequence[Match]) -> None:
    """All sounds of a command as a table on stdout, the worst last."""
    from deepdiva.cli._tables import results_console

    table = plain_table("sound", "grade", "key", "distance", "of silence")
    for match in sorted(matches, key=_order):
        result, note = match.result, match.task.note
        table.add_row(
            match.task.outputs.preset.stem,
            "" if result.grade is None else result.grade.name,
            f"{note.pitch} {key_name(note.pitch)}",
            f"{result.distance:.4f}",
            f"{100.0 * result.preview_distance / max(result.silence, 1e-9):.0f} %",
        )
    results_console().print(table)


def _order(match: Match) -> tuple[int, float]:
    """By grade, then by distance."""
    grade = match.result.grade
    return (0 if grade is None else GRADES.index(grade.name), match.result.distance)


def part_line(part: Part) -> str:
    """How near one of several recordings is."""
    return (
        f"  {part.path}, key {part.note.pitch}, velocity {part.note.velocity}: distance "
        f"{part.distance:.4f} (silence {part.silence:.4f})"
    )


def summary(match: Match, synth: Renderer) -> dict[str, Any]:
    """What `--json` prints of a match."""
    task, result = match.task, match.result
    table = task.space.table
    return {
        "sound": task.target.source,
        "preset": task.outputs.preset,
        "preview": task.outputs.preview,
        "both": task.outputs.both,
        "picture": task.outputs.picture,
        "values": task.outputs.values,
        "run": task.outputs.run,
        "grade": None if result.grade is None else result.grade.to_dict(),
        "key_source": task.key_source,
        "kind": task.kind,
        "distance": result.distance,
        "preview_distance": result.preview_distance,
        "silence": result.silence,
        "noise_floor": None if result.noise is None else asdict(result.noise),
        "failures": dict(result.failures),
        "evaluations": result.evaluations,
        "seconds": round(result.seconds, 3),
        "end": result.end,
        "report": [*task.remarks, *match.remarks],
        "explanation": None if result.explanation is None else result.explanation.to_dict(),
        "alternatives": list(match.alternatives),
        "answers": [answer.to_dict() for answer in result.answers],
        "parameters": {name: result.patch[table.index(name)] for name in task.space.names},
        "recordings": [
            {
                "sound": part.path,
                "note": part.note.to_dict(),
                "distance": part.distance,
                "silence": part.silence,
            }
            for part in match.parts
        ],
        "settings": task.settings.to_dict(),
        "note": task.note.to_dict(),
        "renderer": synth.info.name,
        "version": synth.info.version,
    }
