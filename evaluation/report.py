"""The report: one HTML file that holds its own sounds, pictures, presets, style and script."""

from __future__ import annotations

import json
from importlib.resources import files
from string import Template

from deepdiva.evaluation import sections, sound_cards, tables
from deepdiva.evaluation.folder import RunFolder
from deepdiva.evaluation.summary import Summary, summarise, value
from deepdiva.files import atomic_write
from deepdiva.names import html_text
from deepdiva.parameters import ParameterTable

REPORT = "report.html"
SUMMARY = "summary.json"


def write_reports(folder: RunFolder, table: ParameterTable, *, jobs: int = 1) -> Summary:
    """Write `report.html`, `summary.json`, `summary.md` and `results.csv` into a run's folder.

    Args:
        folder: of a run, finished or not.
        table: parameters of the synthesizer.
        jobs: threads for the shuffle probe.

    Raises:
        MissingFileError: the folder holds no run.
    """
    summary = summarise(folder, jobs=jobs)
    for name, content in (
        (SUMMARY, tables.to_json(summary)),
        ("summary.md", tables.to_markdown(summary).encode()),
        ("results.csv", tables.to_csv(summary)),
        (REPORT, page(summary, folder, table).encode()),
    ):
        atomic_write(folder.path / name, content, force=True)
    return summary


def page(summary: Summary, folder: RunFolder, table: ParameterTable) -> str:
    """The whole page."""
    cards = [
        sound_cards.card(summary, folder, place, table) for place in sound_cards.shown(summary)
    ]
    info = summary.info
    return Template(_asset("report.html")).substitute(
        title=html_text(f"Evaluation on {info.test_set}"),
        style=_asset("report.css"),
        introduction=sections.introduction(summary),
        result=sections.result(summary),
        plots=sections.pictures(summary),
        comparisons=sections.comparisons(summary),
        sounds=f'{sound_cards.index(summary)}\n<div id="list">{"".join(cards)}</div>',
        footer=f"Made by deepdiva {html_text(info.deepdiva)}, metrics of version {info.panel}. "
        "The page needs no network: sounds are MP3s for listening, and the WAV files that were "
        "scored lie beside it.",
        data=_data(summary),
        script=_asset("report.js"),
    )


def _data(summary: Summary) -> str:
    """What the script fills the index of sounds with."""
    content = {
        "lead": sound_cards.LEAD_COLUMNS,
        "contenders": [contender.name for contender in summary.contenders],
        "measures": [
            {"key": measure.key, "better": measure.better} for measure in summary.measures
        ],
        "values": {
            measure.key: {
                contender: {sound: value(result, measure) for sound, result in cells.items()}
                for contender, cells in summary.results.items()
            }
            for measure in summary.measures
        },
        "failed": {
            contender: [sound for sound, result in cells.items() if result.status == "failed"]
            for contender, cells in summary.results.items()
        },
    }
    return json.dumps(content, allow_nan=False).replace("</", "<\\/")


def _asset(name: str) -> str:
    return files("deepdiva.evaluation").joinpath("assets", name).read_text(encoding="utf-8")
