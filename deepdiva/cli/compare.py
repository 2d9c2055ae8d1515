"""`deepdiva compare`: what got better from one evaluation to the next, and what worse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deepdiva.cli._common import json_option, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.evaluation.compare import Change, Comparison

EXIT_WORSE = 1

STYLES = {"better": "green", "worse": "red", "unclear": "dim"}


@click.command("compare")
@click.argument(
    "files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="A.json B.json"
)
@click.option("--all", "show_all", is_flag=True, help="Show what did not change, too.")
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="KEY",
    help="Only this measure, such as spectral_distance; may be given again.",
)
@click.option(
    "--fail-on-worse",
    is_flag=True,
    help=f"Exit with {EXIT_WORSE} if a measure got worse beyond noise, or more sounds failed; of "
    "time only with --measure seconds.",
)
@json_option
def command(
    files: tuple[Path, ...],
    show_all: bool,
    measures: tuple[str, ...],
    fail_on_worse: bool,
    as_json: bool,
) -> None:
    """Compare two evaluations, A the old and B the new, sound by sound.

    A and B are summary.json files, or the folders that hold them. A change counts as better or
    worse where the 95 % interval of its mean over the sounds leaves out 0 and at least 6 sounds
    changed: of fewer, chance alone too often moves all one way.

    Instead of runs, name the files that listeners saved from a listening test, one or more: what
    they heard is told with intervals.
    """
    from deepdiva.evaluation.listening_test import is_answers
    from deepdiva.evaluation.report import SUMMARY

    alone = len(files) == 1 and files[0].is_file() and files[0].name != SUMMARY
    if alone or any(map(is_answers, files)):
        _print_heard(files, as_json)
        return
    if len(files) != 2:
        raise click.UsageError(
            f"{len(files)} runs cannot be compared: name two, the old one and the new one."
        )
    old, new = files
    from deepdiva.evaluation.compare import compare, read_summary
    from deepdiva.evaluation.summary import SECONDS

    comparison = compare(read_summary(old), read_summary(new))
    changes = [
        change for change in comparison.changes if not measures or change.measure.key in measures
    ]
    _check_measures(measures, comparison)
    if as_json:
        print_json({**vars(comparison), "changes": [_entry(change) for change in changes]})
    else:
        _print(comparison, changes, show_all=show_all)
    worse = any(
        change.pairing.verdict == "worse"
        for change in changes
        # Time tells of the machine, too.
        if change.measure.key != SECONDS.key or SECONDS.key in measures
    ) or any(after > before for before, after in comparison.failures.values())
    if fail_on_worse and worse:
        raise SystemExit(EXIT_WORSE)


def _print_heard(files: tuple[Path, ...], as_json: bool) -> None:
    """What listeners said, on stdout."""
    from rich.markup import escape
    from rich.table import Table

    from deepdiva.cli._tables import safe_console
    from deepdiva.evaluation.listening_test import read_answers, summarise_answers
    from deepdiva.evaluation.tables import percent

    heard = summarise_answers([read_answers(file) for file in files])
    if as_json:
        from dataclasses import asdict

        print_json(asdict(heard))
        return
    screen = safe_console()
    screen.print(f"{heard.listeners} listeners, {heard.trials} trials.")
    if heard.left_out:
        screen.print(
            f"Left out, since they missed the hidden reference: {', '.join(heard.left_out)}.",
            style="yellow",
            markup=False,
        )
    table = Table(title="Rating, 0 to 100")
    table.add_column("stimulus")
    for heading in ("mean", "95 %"):
        table.add_column(heading, justify="right")
    for name, mean in heard.means.items():
        table.add_row(escape(name), f"{mean.value:.1f}", f"{mean.low:.1f} to {mean.high:.1f}")
    screen.print(table)
    for first, second, pairing in heard.pairs:
        change = pairing.change
        screen.print(
            f"{first} against {second}: {change.value:+.1f} "
            f"({change.low:+.1f} to {change.high:+.1f}), better on {percent(pairing.won)} of the "
            f"trials; {pairing.verdict}.",
            markup=False,
        )


def _check_measures(measures: tuple[str, ...], comparison: Comparison) -> None:
    """Refuse measures that neither run has."""
    from deepdiva.errors import InvalidValueError, UnknownNameError
    from deepdiva.evaluation.compare import PARAMETER_MEASURES

    known = {change.measure.key: None for change in comparison.changes}
    for key in measures:
        if comparison.other_parameters and key in PARAMETER_MEASURES:
            raise InvalidValueError(
                f"{key} is not compared: other parameters were free in the two runs. Evaluate "
                "again with the same --free."
            )
        if key not in known:
            raise UnknownNameError(
                f"No measure {key!r} in both runs: there are {', '.join(known)}."
            )


def _entry(change: Change) -> dict[str, object]:
    """A change for `--json`."""
    sound, amount = change.largest
    return {
        "method": change.method,
        "measure": change.measure.key,
        "better": change.measure.better,
        "old": change.old,
        "new": change.new,
        **change.pairing.to_dict(),
        "largest_change": {"sound": sound, "change": amount},
    }


def _tell(comparison: Comparison, screen: Console) -> None:
    """What the runs have in common, and what not."""
    from deepdiva.evaluation.statistics import FEWEST_SOUNDS

    screen.print(f"{comparison.sounds} sounds in both runs.")
    if comparison.sounds < FEWEST_SOUNDS:
        screen.print(
            f"They are too few to tell a change from noise: at least {FEWEST_SOUNDS} have to "
            "change. Evaluate more sounds, or see the changes with --all.",
            style="yellow",
        )
    if comparison.other_targets:
        screen.print(
            f"{comparison.other_targets} of them are not the same samples: the engine or the "
            "recordings changed, not only the methods.",
            style="yellow",
        )
    if comparison.other_parameters:
        screen.print(
            "Other parameters were free: errors of parameters are not compared.", style="yellow"
        )
    for names, where in ((comparison.only_old, "A"), (comparison.only_new, "B")):
        if names:
            screen.print(f"Only in {where}: {', '.join(names)}.", markup=False)
    for method, (before, after) in comparison.failures.items():
        if before != after:
            screen.print(
                f"{method} failed on {before} sounds, now on {after}.",
                style="red" if after > before else "green",
                markup=False,
            )


def _print(comparison: Comparison, changes: list[Change], *, show_all: bool) -> None:
    """Tables on stdout, one for each method that changed."""
    from rich.markup import escape
    from rich.table import Table

    from deepdiva.cli._tables import safe_console
    from deepdiva.evaluation.tables import number, percent

    screen = safe_console()
    _tell(comparison, screen)
    shown = [change for change in changes if show_all or change.pairing.verdict != "unclear"]
    if not shown:
        screen.print("Nothing changed beyond noise.")
        return
    table = Table()
    for heading in ("method", "measure"):
        table.add_column(heading)
    for heading in ("A", "B", "change", "95 %", "sounds won", "most changed"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for change in shown:
        pairing, (sound, amount) = change.pairing, change.largest
        table.add_row(
            escape(change.method),
            escape(change.measure.heading),
            number(change.old),
            number(change.new),
            f"{pairing.change.value:+.3g}",
            f"{pairing.change.low:+.3g} to {pairing.change.high:+.3g}",
            percent(pairing.won),
            escape(f"{sound} {amount:+.3g}"),
            f"[{STYLES[pairing.verdict]}]{pairing.verdict}[/]",
        )
    screen.print(table)
    hidden = len(changes) - len(shown)
    if hidden:
        screen.print(f"{hidden} more did not change beyond noise (--all shows them).")
