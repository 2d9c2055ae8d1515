"""A summary as JSON for programs, CSV for spreadsheets, and Markdown for people."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from deepdiva.evaluation import metrics
from deepdiva.evaluation.statistics import FEWEST_SOUNDS, Interval
from deepdiva.evaluation.summary import (
    MEASURES,
    RENDERS,
    SECONDS,
    MethodSummary,
    Summary,
    value,
)
from deepdiva.names import csv_cell, printable

FORMAT = "deepdiva evaluation 2"
"""First entry of `summary.json`; grows when its layout changes."""


def to_json(summary: Summary) -> bytes:
    """The summary as UTF-8 JSON: what `deepdiva compare` reads."""
    document = {
        "format": FORMAT,
        "run": asdict(summary.info),
        "measures": [asdict(measure) for measure in summary.measures],
        "methods": [asdict(method) for method in summary.methods],
        "pairs": [asdict(pair) for pair in summary.pairs],
        "floors": {sound: asdict(floor) for sound, floor in summary.floors.items()},
        "status": {
            method: {sound: result.status for sound, result in cells.items()}
            for method, cells in summary.results.items()
        },
        "values": {
            measure.key: {
                method: {sound: value(result, measure) for sound, result in cells.items()}
                for method, cells in summary.results.items()
            }
            for measure in summary.measures
        },
    }
    return json.dumps(document, indent=1, allow_nan=False).encode()


def to_csv(summary: Summary) -> bytes:
    """One line for each sound and method, for spreadsheets and data frames."""
    file = io.StringIO()
    names = [entry["name"] for entry in summary.info.settings["space"]["free"]]
    writer = csv.writer(file)
    writer.writerow(
        ["sound", "method", "status", "error", "floor", "realization_spread"]
        + [measure.key for measure in MEASURES]
        + [f"value {name}" for name in names]
        + [f"error {name}" for name in names]
        + ["exchanged"]
    )
    for method, cells in summary.results.items():
        for sound, result in cells.items():
            writer.writerow(
                [*map(csv_cell, (sound, method, result.status, result.error or ""))]
                + [summary.floors[sound].distance, result.realization_spread]
                + [value(result, measure) for measure in MEASURES]
                + [result.values.get(name) for name in names]
                + [result.errors.get(name) for name in names]
                + [int(result.exchanged)]
            )
    return file.getvalue().encode()


def to_leaderboard(summary: Summary) -> bytes:
    """One line for each method, as leaderboards collect them from many runs.

    Lines compare where `test_set`, `sounds_sha256`, `note`, `metrics` and `renderer` agree.
    """
    info = summary.info
    prints = "".join(sorted(sound.fingerprint for sound in info.sounds))
    kept = [m for m in summary.measures if m.key not in (SECONDS.key, RENDERS.key)]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(
        ["test_set", "sounds", "sounds_sha256", "note", "metrics", "renderer", "deepdiva"]
        + ["method", "tool", "version", "url", "failed", "silent", "seconds", "renders"]
        + ["low", "high", "at_floor", "gap_closed", "recall_1", "recall_10"]
        + [measure.key for measure in kept]
    )
    for method in summary.methods:
        told, mean = method.description, method.averages[metrics.PRIMARY].mean
        probe = method.probe
        shares = [method.at_floor, method.gap]
        shares += [probe.first, probe.ten] if probe else [None, None]
        writer.writerow(
            [csv_cell(info.test_set), len(info.sounds)]
            + [hashlib.sha256(prints.encode()).hexdigest()[:16], _notes(summary)]
            + [info.panel, csv_cell(info.played_by), info.deepdiva, csv_cell(method.name)]
            + [csv_cell(str(told.get(key, ""))) for key in ("tool", "version", "url")]
            + [method.counts["failed"], method.counts["silent"]]
            + [_median(method, key) for key in (SECONDS.key, RENDERS.key)]
            + [mean.low, mean.high]
            + [None if share is None else share.value for share in shares]
            + [_mean(method, measure.key) for measure in kept]
        )
    return file.getvalue().encode()


def to_markdown(summary: Summary) -> str:
    """The tables of the summary, for READMEs and release notes."""
    info = summary.info
    note = info.settings["note"]
    played = (
        f"{len(info.sounds)} sounds, {info.settings['realizations']} realizations of each match, "
        f"{_notes(summary)}, {note['render_seconds']:g} s; "
        f"renderer {info.played_by}, deepdiva {info.deepdiva}. "
        "Mean and 95 % interval over the sounds (bootstrap), median beside it; a failure counts "
        "as silence."
    )
    lines = [f"# Evaluation on {info.test_set}", "", played, ""]
    if info.left_out:
        lines += [f"Left out, since nothing can match them: {', '.join(info.left_out)}.", ""]
    if not summary.complete:
        lines += ["**Unfinished run:** some methods lack sounds.", ""]
    primary = metrics.PRIMARY_MEASURE
    rows = []
    for method in summary.methods:
        average = method.averages[primary.key]
        counts = method.counts
        rows.append(
            [
                method.name,
                f"{average.mean.value:.3f} ({average.mean.low:.3f} to {average.mean.high:.3f})",
                f"{average.median.value:.3f}",
                percent(method.at_floor),
                percent(method.gap),
                percent(method.probe.nearer if method.probe else None),
                number(method.averages[SECONDS.key].median.value),
                number(_median(method, RENDERS.key)),
                f"{counts['silent']} / {counts['failed']} / {counts['missing']}",
            ]
        )
    lines += markdown_table(
        [
            "method",
            f"{primary.label.lower()}, mean",
            "median",
            "at noise floor",
            "gap closed",
            "own target nearer",
            "median s",
            "median renders",
            "silent / failed / missing",
        ],
        rows,
    )
    others = [m for m in summary.measures if m.key not in (primary.key, "seconds", "renders")]
    lines += ["", "Means of the other measures (arrows point to better):", ""]
    lines += markdown_table(
        ["measure"] + [method.name for method in summary.methods],
        [
            [f"{measure.heading} {'↓' if measure.better == 'lower' else '↑'}"]
            + [number(_mean(method, measure.key)) for method in summary.methods]
            for measure in others
        ],
    )
    if summary.pairs:
        heading = (
            f"Pairs on {primary.label.lower()}, sound by sound (unclear where the interval holds 0 "
            f"or fewer than {FEWEST_SOUNDS} sounds differ):"
        )
        lines += ["", heading, ""]
        lines += markdown_table(
            ["pair", "sounds won", "mean difference", "95 % interval", "the first is"],
            [
                [
                    f"{pair.first} against {pair.second}",
                    percent(pair.pairing.won),
                    f"{pair.pairing.change.value:+.3f}",
                    f"{pair.pairing.change.low:+.3f} to {pair.pairing.change.high:+.3f}",
                    pair.pairing.verdict,
                ]
                for pair in summary.pairs
            ],
        )
    lines += _other_notes(summary)
    return "\n".join(lines) + "\n"


def _signed(interval: Interval) -> str:
    return f"{interval.value:+.3g} ({interval.low:+.3g} to {interval.high:+.3g})"


def _other_notes(summary: Summary) -> list[str]:
    """The table of other keys, where there are any."""
    found = [(each.name, each.elsewhere) for each in summary.methods if each.elsewhere]
    if not found:
        return []
    names = list(dict.fromkeys(name for _, each in found for name in each.notes))
    heading = "On other keys and at another velocity, mean (flatters by: others less given):"
    return [
        "",
        heading,
        "",
        *markdown_table(
            ["method", "sounds", "given", *names, "flatters by"],
            [
                [
                    name,
                    str(each.sounds),
                    number(each.given),
                    *(number(each.notes.get(note)) for note in names),
                    _signed(each.flatters),
                ]
                for name, each in found
            ],
        ),
    ]


def _notes(summary: Summary) -> str:
    note = summary.info.settings["note"]
    keys = sorted({(sound.note or note)["pitch"] for sound in summary.info.sounds})
    return f"note{'s' if len(keys) > 1 else ''} {', '.join(f'{key:g}' for key in keys)}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *(
            "| " + " | ".join(printable(cell).replace("|", "\\|") for cell in row) + " |"
            for row in rows
        ),
    ]


def _markdown_cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def number(value: float | None) -> str:
    """Three significant digits, no exponent; a dash for None."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{min(digits, 4)}f}"


def percent(share: Interval | None) -> str:
    """A share with its interval; a dash for None."""
    if share is None:
        return "-"
    return f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})"


def _mean(method: MethodSummary, key: str) -> float | None:
    average = method.averages.get(key)
    return average.mean.value if average else None


def _median(method: MethodSummary, key: str) -> float | None:
    average = method.averages.get(key)
    return average.median.value if average else None
