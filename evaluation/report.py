"""The report: an HTML file that needs no network.

It holds its own sounds, pictures, presets, style and script. Of a large run it links the files of
the run's folder instead, and fills the card of a sound when it is opened.
"""

from __future__ import annotations

import json
from importlib.resources import files
from string import Template

from deepdiva.evaluation import sections, sound_cards, tables
from deepdiva.evaluation.folder import RunFolder
from deepdiva.evaluation.media_store import store_for
from deepdiva.evaluation.summary import Summary, summarise, value
from deepdiva.files import atomic_write
from deepdiva.names import html_text
from deepdiva.parameters import ParameterTable

REPORT = "report.html"
SUMMARY = "summary.json"


def write_reports(folder: RunFolder, table: ParameterTable, *, jobs: int = 1) -> Summary:
    """Write the report and its figures into a run's folder.

    They are `report.html`, `summary.json`, `summary.md`, `results.csv` and `leaderboard.csv`; a
    large report has its pictures in a folder beside it, and links the sounds of the run.

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
        ("leaderboard.csv", tables.to_leaderboard(summary)),
        (REPORT, page(summary, folder, table).encode()),
    ):
        atomic_write(folder.path / name, content, force=True)
    return summary


def page(summary: Summary, folder: RunFolder, table: ParameterTable) -> str:
    """The whole page."""
    store = store_for(folder, len(summary.info.sounds) * (1 + len(summary.methods)))
    cards = [
        sound_cards.card(summary, folder, place, table, store)
        for place in range(len(summary.info.sounds))
    ]
    info = summary.info
    return Template(_asset("report.html")).substitute(
        title=html_text(f"Evaluation on {info.test_set}"),
        policy=store.policy,
        style=_asset("report.css"),
        introduction=sections.introduction(summary),
        result=sections.result(summary),
        plots=sections.pictures(summary),
        comparisons=sections.comparisons(summary),
        sounds=f'{sound_cards.index(summary)}\n<div id="list">{"".join(cards)}</div>',
        footer=f"Made by deepdiva {html_text(info.deepdiva)}, metrics of version {info.panel}. "
        f"The page needs no network: {store.about}",
        data=_data(summary),
        script=_asset("report.js"),
    )


def _data(summary: Summary) -> str:
    """What the script fills the index of sounds with."""
    content = {
        "lead": sound_cards.LEAD_COLUMNS,
        "methods": [method.name for method in summary.methods],
        "measures": [
            {"key": measure.key, "better": measure.better} for measure in summary.measures
        ],
        "values": {
            measure.key: {
                method: {sound: value(result, measure) for sound, result in cells.items()}
                for method, cells in summary.results.items()
            }
            for measure in summary.measures
        },
        "failed": {
            method: [sound for sound, result in cells.items() if result.status == "failed"]
            for method, cells in summary.results.items()
        },
    }
    return json.dumps(content, allow_nan=False).replace("</", "<\\/")


def _asset(name: str) -> str:
    return files("deepdiva.evaluation").joinpath("assets", name).read_text(encoding="utf-8")
