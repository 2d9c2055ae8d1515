"""The lower half of a report: the index of sounds, and for each what there is to hear and see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import read_audio
from deepdiva.evaluation import media, metrics, plots
from deepdiva.evaluation.folder import RunFolder, SoundEntry
from deepdiva.evaluation.media_store import MediaStore
from deepdiva.evaluation.result import Result
from deepdiva.evaluation.sections import dot, method_headers, options
from deepdiva.evaluation.summary import Floor, Summary, value
from deepdiva.evaluation.tables import number
from deepdiva.names import html_text
from deepdiva.parameters import Parameter, ParameterTable

LEAD_COLUMNS = 2
"""Columns of the index before the methods: name and noise floor."""

_TICKS_HZ = ((100.0, "100 Hz"), (1000.0, "1 kHz"), (10000.0, "10 kHz"))


def index(summary: Summary) -> str:
    """Controls, the table of sounds and methods, and the place for the cards."""
    header = [
        '<th scope="col"><button type="button">Sound</button></th>',
        '<th scope="col" data-first="descending"><button type="button">Noise floor</button></th>',
    ]
    for place, method in enumerate(summary.methods):
        header.append(
            f'<th scope="col" data-method data-first="descending" '
            f'style="border-top-color:{plots.colour(place)}">'
            f'<button type="button">{html_text(method.name)}</button></th>'
        )
    rows = [_row(summary, place, sound) for place, sound in enumerate(summary.info.sounds)]
    measures = options([(measure.key, measure.heading) for measure in summary.measures])
    shows = options(
        [
            ("all", "all sounds"),
            ("trouble", "silent or failed"),
            ("above", "no method at the noise floor"),
        ]
    )
    return f"""
<div class="controls">
<label class="grow">Find a sound <input type="search" id="search" autocomplete="off"></label>
<label>Show <select id="show">{shows}</select></label>
<label>Figures <select id="measure">{measures}</select></label>
<p id="count" role="status"></p>
</div>
<div class="scroll tall stick" role="region" aria-label="Index of sounds" tabindex="0">
<table class="sortable" id="index">
<thead><tr>{"".join(header)}</tr></thead>
<tbody>
{"".join(rows)}
</tbody>
</table>
</div>
<p class="dim">A click on a heading sorts the table and the sounds below; a name opens its sound.
✕ marks a failure, scored as silence.</p>
"""


def card(
    summary: Summary, folder: RunFolder, place: int, table: ParameterTable, store: MediaStore
) -> str:
    """Everything about one sound: players, spectrograms, parameters, figures."""
    sound = summary.info.sounds[place]
    results = [summary.results[method.name].get(sound.name) for method in summary.methods]
    target, rate = _read(folder, None, sound.name)
    heard = [
        _read(folder, result.method, sound.name)[0]
        if result is not None and result.status != "failed"
        else None
        for result in results
    ]
    gain = media.listening_gain(
        [float(np.abs(audio).max()) for audio in (target, *heard) if audio is not None]
    )
    pictures = [
        None if audio is None else media.spectrogram_db(audio, rate) for audio in (target, *heard)
    ]
    top_db = float(np.max([picture.max() for picture in pictures if picture is not None]))

    place_of_target = folder.target_path(sound.name)
    takes = [
        _take(
            "Target",
            _target_words(sound, gain),
            _player(store.audio(place_of_target, target, rate, gain), "target"),
            _picture(store, place_of_target, pictures[0], rate, top_db, "target"),
        )
    ]
    for order, method in enumerate(summary.methods):
        result, audio = results[order], heard[order]
        name = method.name
        preview = folder.preview_path(name, sound.name)
        takes.append(
            _take(
                f"{dot(order)}{html_text(name)}",
                _match_words(result, folder, summary.floors[sound.name], store),
                "" if audio is None else _player(store.audio(preview, audio, rate, gain), name),
                _picture(store, preview, pictures[order + 1], rate, top_db, name),
            )
        )
    best = min(
        (score for result in results if result and (score := result.scores[metrics.PRIMARY])),
        default=None,
    )
    inside = f"""<div class="inside">
{"".join(takes)}
<div class="tables">
{_parameter_table(summary, sound, results, table)}
{_figure_table(summary, results)}
</div>
</div>"""
    if store.fills_later:  # a browser does not build what nobody has opened yet
        inside = f'<script type="text/html">{inside}</script>'
    return f"""
<details class="sound" id="sound-{place}">
<summary><h3>{html_text(sound.name)}</h3>
<span class="dim">best {number(best)}, noise floor {_floor(summary.floors[sound.name])}</span>
</summary>
{inside}
</details>"""


def _row(summary: Summary, place: int, sound: SoundEntry) -> str:
    name = html_text(sound.name)
    heading = f'<a href="#sound-{place}">{name}</a>'
    floor = summary.floors[sound.name].distance
    results = [cells.get(sound.name) for cells in _cells(summary)]
    scores = [result.scores[metrics.PRIMARY] if result else None for result in results]
    defined = [score for score in scores if score is not None]
    marks = []
    if any(result and result.status != "ok" for result in results):
        marks.append("trouble")
    if floor is not None and all(score > floor for score in defined):
        marks.append("above")
    cells = []
    for result, score in zip(results, scores, strict=True):
        best = ' class="best"' if score is not None and score == min(defined) else ""
        cross = " ✕" if result and result.status == "failed" else ""
        shown = "" if score is None else repr(score)
        cells.append(f'<td data-value="{shown}"{best}>{number(score)}{cross}</td>')
    return (
        f'<tr data-sound="{name}" data-card="sound-{place}" '
        f'data-marks="{" ".join(marks)}">'
        f'<th scope="row">{heading}</th>'
        f'<td data-value="{"" if floor is None else repr(floor)}">{number(floor)}</td>'
        f"{''.join(cells)}</tr>"
    )


def _cells(summary: Summary) -> list[dict[str, Result]]:
    return [summary.results[method.name] for method in summary.methods]


def _read(folder: RunFolder, method: str | None, sound: str) -> tuple[NDArray[np.float32], int]:
    """Samples and rate of a target (no method) or a preview."""
    path = folder.target_path(sound) if method is None else folder.preview_path(method, sound)
    audio, rate = read_audio(path)
    return audio[:, 0], rate


def _take(who: str, words: str, player: str, picture: str) -> str:
    return (
        f'<div class="take"><div><p class="who">{who}</p>{words}</div>'
        f"<div>{player}</div>{picture}</div>"
    )


def _target_words(sound: SoundEntry, gain: float) -> str:
    words = [*sound.report]
    if sound.note is not None:
        words.append(f"Note {sound.note['pitch']:g}, velocity {sound.note['velocity']:g}.")
    if gain < 1:
        words.append(f"All are played {-20 * np.log10(gain):.1f} dB quieter, so that none clips.")
    return "".join(f'<p class="dim">{html_text(sentence)}</p>' for sentence in words)


def _match_words(result: Result | None, folder: RunFolder, floor: Floor, store: MediaStore) -> str:
    if result is None:
        return '<p class="dim">not answered yet</p>'
    score = result.scores[metrics.PRIMARY]
    badge = "" if result.status == "ok" else f' <span class="badge">{result.status}</span>'
    reached = (
        ' <span class="good">at the noise floor</span>'
        if floor.distance is not None and score is not None and score <= floor.distance
        else ""
    )
    words = f'<p class="dim">distance {number(score)}{reached}{badge}</p>'
    if result.error:
        return f'{words}<p class="bad">{html_text(result.error)}</p>'
    preset = folder.preset_path(result.method, result.sound)
    if not preset.exists():
        return f'{words}<p class="dim">answered with a sound</p>'
    address = store.preset(preset)
    name = html_text(f"{result.sound} ({result.method}).h2p")
    return (
        f'{words}<p><a download="{name}" href="{address}">Preset</a> '
        f'<span class="dim">in {number(result.seconds)} s</span></p>'
    )


def _player(source: str, name: str) -> str:
    return f'<audio controls preload="none" aria-label="{html_text(name)}" {source}></audio>'


def _picture(
    store: MediaStore,
    path: Path,
    decibels: NDArray[np.float64] | None,
    rate: int,
    top_db: float,
    name: str,
) -> str:
    if decibels is None:
        return '<p class="dim">no sound</p>'
    width, height = media.SPECTROGRAM_SIZE
    address = store.picture(path, media.spectrogram_png(decibels, top_db))
    ticks = "".join(
        f'<span class="hertz" style="bottom:{100 * position:.1f}%" aria-hidden="true">{text}</span>'
        for hertz, text in _TICKS_HZ
        if (position := media.frequency_position(hertz, rate)) < 1
    )
    return (
        f'<div class="picture"><img width="{width}" height="{height}" loading="lazy" '
        f'alt="Spectrogram of {html_text(name)}" src="{address}">{ticks}'
        '<span class="head" aria-hidden="true"></span></div>'
    )


def _floor(floor: Floor) -> str:
    if floor.distance is None:
        return "unknown"
    return number(floor.distance) + ("" if floor.known else " (estimated)")


def _parameter_table(
    summary: Summary, sound: SoundEntry, results: list[Result | None], table: ParameterTable
) -> str:
    known = '<th scope="col" class="plain">Target</th>' if sound.values else ""
    header = method_headers([method.name for method in summary.methods])
    rows = []
    for entry in summary.info.settings["space"]["free"]:
        name = entry["name"]
        parameter = table[name]
        cells = ""
        if sound.values:
            cells = f"<td>{_setting(parameter, sound.values[name])}</td>"
        for result in results:
            if result is None or name not in result.values:
                cells += f"<td>{number(None)}</td>"
                continue
            wrong = parameter.is_class and result.errors.get(name, 0.0) > 0
            style = ' class="off"' if wrong else ""
            cells += f"<td{style}>{_setting(parameter, result.values[name])}</td>"
        unit = f" [{parameter.unit}]" if parameter.unit and not parameter.is_class else ""
        rows.append(f'<tr><th scope="row">{html_text(name + unit)}</th>{cells}</tr>')
    marked = " Marked: a class that is not the target's." if sound.values else ""
    return f"""<div><p class="dim">Free parameters.{marked}</p>
<div class="scroll stick" role="region" aria-label="Parameters" tabindex="0">
<table><thead><tr><th scope="col" class="plain">Parameter</th>{known}{header}</tr></thead>
<tbody>{"".join(rows)}</tbody></table></div></div>"""


def _setting(parameter: Parameter, value: float) -> str:
    """A value as a preset's panel shows it; the unit stands in the row's heading."""
    if parameter.choices:
        return html_text(parameter.label(value))
    return f"{value:.2f}"


def _figure_table(summary: Summary, results: list[Result | None]) -> str:
    header = method_headers([method.name for method in summary.methods])
    rows = []
    for measure in summary.measures:
        figures = [None if result is None else value(result, measure) for result in results]
        defined = [measure.sign * figure for figure in figures if figure is not None]
        cells = "".join(
            f'<td class="best">{number(figure)}</td>'
            if figure is not None and measure.sign * figure == min(defined)
            else f"<td>{number(figure)}</td>"
            for figure in figures
        )
        arrow = "↓" if measure.better == "lower" else "↑"
        rows.append(f'<tr><th scope="row">{html_text(measure.heading)} {arrow}</th>{cells}</tr>')
    return f"""<div><p class="dim">Figures of this sound.</p>
<div class="scroll stick" role="region" aria-label="Figures" tabindex="0">
<table><thead><tr><th scope="col" class="plain">Measure</th>{header}</tr></thead>
<tbody>{"".join(rows)}</tbody></table></div></div>"""
