"""What `deepdiva refine` shows: progress, one line for each sound, the table of a match, JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deepdiva.names import printable

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.renderer import Renderer
    from deepdiva.search.explain import Explanation, ParameterRole
    from deepdiva.search.loop import Progress
    from deepdiva.search.sound_match import Match, Part

_MOST_SHOWN = 1000  # times as much as chance does


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
    """What the match rests on, as a table on stdout."""
    from rich.table import Table

    from deepdiva.cli._tables import echo, results_console

    explanation = match.result.explanation
    if explanation is None:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("parameter")
    for header in ("value", "as good", "matters"):
        table.add_column(header, justify="right")
    for role in explanation.roles:
        parameter = match.task.space.table[role.name]
        table.add_row(
            role.name,
            # As the preset holds it.
            parameter.label(round(role.value, 2) if parameter.spelling == "%.2f" else role.value),
            _as_good(role, is_class=parameter.is_class),
            _matters(role, explanation),
        )
    results_console().print(table)
    for path in match.alternatives:
        echo(f"hardly to be told from it: {path}")


def _as_good(role: ParameterRole, *, is_class: bool) -> str:
    """Other values that make no difference."""
    if is_class:
        return "others too" if role.uncertain else ""
    return "" if role.low == role.high else f"{role.low:.4g} to {role.high:.4g}"


def _matters(role: ParameterRole, explanation: Explanation) -> str:
    """How much a parameter does, against what chance does."""
    if role.uncertain:
        return "no"
    # A plug-in may leave nothing to chance.
    ratio = role.effect / max(explanation.chance, 1e-9)
    return f"{ratio:,.0f}x chance" if ratio < _MOST_SHOWN else f"over {_MOST_SHOWN:,}x chance"


def line(match: Match) -> str:
    """What became of a sound, in one line, or a few if a plug-in failed."""
    task, result = match.task, match.result
    noise = "" if result.noise is None else f", render noise {result.noise.median:.4f}"
    fitted = (
        ""
        if result.realization is None
        else f"{result.realization.distance:.4f} with fitted phases, "
    )
    failed = "".join(
        f"\n  {count:,} candidates were put aside: the plug-in {reason}"
        for reason, count in result.failures.items()
    )
    said = "".join(f"\n  {remark}" for remark in result.remarks)
    return (
        f"{task.target.source} -> {task.outputs.preset}: distance {result.distance:.4f} "
        f"({fitted}silence {result.silence:.4f}{noise}), {result.evaluations:,} evaluations in "
        f"{result.seconds:.1f} s{failed}{said}"
    )


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
        "picture": task.outputs.picture,
        "values": task.outputs.values,
        "run": task.outputs.run,
        "distance": result.distance,
        "preview_distance": result.preview_distance,
        "silence": result.silence,
        "noise_floor": None if result.noise is None else asdict(result.noise),
        "failures": dict(result.failures),
        "evaluations": result.evaluations,
        "seconds": round(result.seconds, 3),
        "end": result.end,
        "report": [*task.remarks, *result.remarks],
        "explanation": None if result.explanation is None else result.explanation.to_dict(),
        "alternatives": list(match.alternatives),
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
