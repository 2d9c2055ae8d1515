"""The parts of a report above the sounds: introduction, tables, plots, comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deepdiva.evaluation import metrics, plots
from deepdiva.evaluation.measure import Measure
from deepdiva.evaluation.statistics import FEWEST_SOUNDS, Interval
from deepdiva.evaluation.summary import RENDERS, SECONDS, Average, MethodSummary, Summary
from deepdiva.evaluation.tables import number, percent
from deepdiva.names import html_text

EXPLANATION = """
<p>Every match was written as a preset, read back from disk and played again. It was rendered
<strong>{realizations}&nbsp;times</strong>, each time with other start phases, drift and noise,
because these stand in no preset; a score is the mean over these realizations.</p>
<p>Intervals are of 95&nbsp;%, by bootstrap over the sounds. A method that failed is scored as
silence, and so is a preset that makes no sound: nothing is left out.</p>
<p>The <em>noise floor</em> of a sound is the distance that new realizations of one and the same
patch have from each other: of the patch that made the target where it is known, otherwise of the
nearest match. Below it, matches cannot be told apart.</p>
<p><em>Gap closed</em> is the share of the way from the mean preset's distance to the noise floor
that a method has gone, over all sounds: 0&nbsp;% is the mean preset, 100&nbsp;% the floor.</p>
<p><em>Own target nearer</em> is the shuffle probe: how often a match is nearer to its own target
than to another sound's. An answer that is always the same gets 50&nbsp;%.</p>
"""


def introduction(summary: Summary) -> str:
    """What was run, in two sentences, and a warning where it is not all there."""
    info = summary.info
    note = info.settings["note"]
    free = info.settings["space"]["free"]
    text = (
        f"<p>{len(info.sounds)} sounds, {len(summary.methods)} methods, {len(free)} free "
        f"parameters. {_notes(summary)}, "
        f"{note['render_seconds']:g}&nbsp;s at {note['sample_rate']:,}&nbsp;Hz; presets played by "
        f"{html_text(info.played_by)}.</p>"
    )
    if not summary.complete:
        text += (
            '<p class="warning"><strong>Unfinished run.</strong> Some methods have not answered '
            "all sounds; the command that named them goes on where it stopped.</p>"
        )
    if info.left_out:
        reasons = "".join(
            f"<li>{html_text(name)}: {html_text(why)}</li>" for name, why in info.left_out.items()
        )
        text += (
            f"<details><summary>{len(info.left_out)} left out, since nothing can match them"
            f"</summary><ul>{reasons}</ul></details>"
        )
    return text


def _notes(summary: Summary) -> str:
    """The note of the run, or those of its sounds."""
    note = summary.info.settings["note"]
    own = [sound.note or note for sound in summary.info.sounds]
    pairs = sorted({(each["pitch"], each["velocity"]) for each in own})
    if len(pairs) == 1:
        return f"Note {pairs[0][0]:g}, velocity {pairs[0][1]:g}"
    keys = sorted({pitch for pitch, _ in pairs})
    return f"{len(pairs)} notes, each sound on one of the keys {', '.join(f'{k:g}' for k in keys)}"


def result(summary: Summary) -> str:
    """The table of methods, and how to read it."""
    primary = metrics.PRIMARY_MEASURE
    others = [m for m in summary.measures if m not in (primary, SECONDS, RENDERS)]
    figures = [primary, SECONDS, RENDERS, *others]
    header = "".join(
        [
            _sortable("Method"),
            _measure_header(primary),
            _sortable("At noise floor", descending=True),
            _sortable("Gap closed", descending=True),
            _sortable("Own target nearer", descending=True),
            _sortable("Silent", descending=True),
            _sortable("Failed", descending=True),
            *(_measure_header(measure) for measure in figures[1:]),
        ]
    )
    best = {
        (measure.key, statistic): min(
            measure.sign * getattr(method.averages[measure.key], statistic).value
            for method in summary.methods
            if measure.key in method.averages
        )
        for measure in figures
        for statistic in ("mean", "median")
    }
    rows = []
    for place, method in enumerate(summary.methods):
        cells = [
            f'<th scope="row">{dot(place)}{html_text(method.name)}</th>',
            _average_cell(method, primary, best),
            _share_cell(method.at_floor),
            _share_cell(method.gap),
            _share_cell(method.probe.nearer if method.probe else None),
            _count_cell(method.counts["silent"]),
            _count_cell(method.counts["failed"]),
            *(_average_cell(method, measure, best) for measure in figures[1:]),
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    definitions = "".join(
        f"<div><dt>{html_text(m.heading)} {'↓' if m.better == 'lower' else '↑'}</dt>"
        f"<dd>{html_text(m.summary)}</dd></div>"
        for m in figures
    )
    explanation = EXPLANATION.format(realizations=summary.info.settings["realizations"])
    return f"""
<div class="controls">
<label>Figures over the sounds
<select id="statistic"><option value="mean">mean</option><option value="median">median</option>
</select></label>
</div>
<div class="scroll stick" role="region" aria-label="Methods" tabindex="0">
<table class="sortable" id="methods">
<thead><tr>{header}</tr></thead>
<tbody>
{"".join(rows)}
</tbody>
</table>
</div>
<details class="explain"><summary>How to read this</summary>
{explanation}
<dl>{definitions}</dl>
</details>
"""


def pictures(summary: Summary) -> str:
    """The three plots."""
    figures = (
        (plots.distributions(summary), "Every dot is a sound; the box holds the middle half."),
        (
            plots.distance_against_time(summary),
            "Lower and further left is better. Bars are 95&nbsp;% intervals of the median.",
        ),
        (
            plots.extremes(summary),
            f"Best and worst sounds of {html_text(summary.methods[0].name)}.",
        ),
    )
    return "\n".join(
        f"<figure>{svg}<figcaption>{caption}</figcaption></figure>" for svg, caption in figures
    )


def comparisons(summary: Summary) -> str:
    """Methods in pairs, the shuffle probe, and errors by parameter, as far as there are any."""
    parts = [
        _pairs(summary),
        _other_notes(summary),
        _probes(summary),
        _parameters(summary),
    ]
    return "\n".join(part for part in parts if part)


def dot(place: int) -> str:
    """The colour of a method."""
    return f'<span class="dot" style="background:{plots.colour(place)}" aria-hidden="true"></span>'


def method_headers(names: Sequence[str]) -> str:
    """Column headings that carry the methods' colours."""
    return "".join(
        f'<th scope="col" class="plain" style="border-top-color:{plots.colour(place)}">'
        f"{html_text(name)}</th>"
        for place, name in enumerate(names)
    )


def _pairs(summary: Summary) -> str:
    if not summary.pairs:
        return ""
    names = [method.name for method in summary.methods]
    cells: dict[tuple[str, str], str] = {}
    unequal = False
    for pair in summary.pairs:
        won = pair.pairing.won
        budgets = f"{number(pair.renders[0])} against {number(pair.renders[1])} renders"
        unequal = unequal or pair.renders[0] != pair.renders[1]
        lost = Interval(1 - won.value, 1 - won.high, 1 - won.low)
        opposite = {"better": "lost", "worse": "won", "unclear": ""}[pair.pairing.verdict]
        own = {"better": "won", "worse": "lost", "unclear": ""}[pair.pairing.verdict]
        for row, column, share, style in (
            (pair.first, pair.second, won, own),
            (pair.second, pair.first, lost, opposite),
        ):
            cells[row, column] = (
                f'<td class="{style}" title="{budgets}">'
                f"{_share(share.value)}{_spread(share, _share)}</td>"
            )
    header = method_headers(names)
    rows = "".join(
        f'<tr><th scope="row">{dot(place)}{html_text(row)}</th>'
        + "".join(cells.get((row, column), "<td>·</td>") for column in names)
        + "</tr>"
        for place, row in enumerate(names)
    )
    budget = (
        " <strong>Budgets differ:</strong> the table of methods holds each one's renders, and a "
        "win with more of them says less."
        if unequal
        else " All had the same number of renders."
    )
    return f"""
<section aria-labelledby="pairs">
<h2 id="pairs">In pairs</h2>
<p class="dim">Share of sounds on which the method of the row is nearer than that of the column,
by {metrics.PRIMARY_MEASURE.label.lower()}. Green and red: the 95&nbsp;% interval of the mean
difference leaves out 0, and at least {FEWEST_SOUNDS} sounds differ; of fewer, chance alone too
often moves all one way.
{budget}</p>
<div class="scroll stick" role="region" aria-label="Pairs" tabindex="0">
<table><thead><tr><th scope="col" class="plain">better than →</th>{header}</tr></thead>
<tbody>{rows}</tbody></table>
</div>
</section>"""


def other_note_names(summary: Summary) -> list[str]:
    """Names of the notes on which any method was judged besides the targets', in order."""
    names: dict[str, None] = {}
    for method in summary.methods:
        if method.elsewhere is not None:
            names.update(dict.fromkeys(method.elsewhere.notes))
    return list(names)


def _other_notes(summary: Summary) -> str:
    names = other_note_names(summary)
    if not names:
        return ""
    rows = []
    for place, method in enumerate(summary.methods):
        found = method.elsewhere
        if found is None:
            continue
        flatters = found.flatters
        share = f" ({flatters.value / found.given:+.0%})" if found.given else ""
        cells = "".join(f"<td>{number(found.notes.get(name))}</td>" for name in names)
        rows.append(
            f'<tr><th scope="row">{dot(place)}{html_text(method.name)}</th>'
            f"<td>{found.sounds}</td><td>{number(found.given)}</td>{cells}"
            f"<td>{flatters.value:+.3g}{share}"
            f'<span class="spread">{flatters.low:+.3g} to {flatters.high:+.3g}</span></td></tr>'
        )
    header = "".join(f'<th scope="col" class="plain">{html_text(name)}</th>' for name in names)
    primary = metrics.PRIMARY_MEASURE.label.lower()
    return f"""
<section aria-labelledby="notes">
<h2 id="notes">On other keys</h2>
<p class="dim">Each match was played on other keys and at another velocity as well, and compared
with the target there: with its patch where that is known, otherwise with further recordings. Mean
{primary}; semitones and velocity as seen from the target's note. The last column says by how much
the figure at the given note flatters: the other notes' mean less the given one's.</p>
<div class="scroll stick" role="region" aria-label="Other keys" tabindex="0">
<table><thead><tr><th scope="col" class="plain">Method</th>
<th scope="col" class="plain">Sounds</th><th scope="col" class="plain">given</th>{header}
<th scope="col" class="plain">flatters by</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table>
</div>
</section>"""


def _probes(summary: Summary) -> str:
    rows = []
    for place, method in enumerate(summary.methods):
        probe = method.probe
        if probe is None:
            continue
        if len(summary.info.sounds) < FEWEST_SOUNDS:
            verdict = f'<span class="dim">fewer than {FEWEST_SOUNDS} sounds cannot tell</span>'
        elif probe.nearer.low <= 0.5:
            verdict = '<span class="bad">answers all alike, as far as these sounds show</span>'
        else:
            verdict = '<span class="good">answers the sound it was asked about</span>'
        rows.append(
            f'<tr><th scope="row">{dot(place)}{html_text(method.name)}</th>'
            f"<td>{number(probe.own)}</td><td>{number(probe.other)}</td>"
            f"<td>{percent(probe.nearer)}</td><td>{percent(probe.first)}</td><td>{percent(probe.ten)}</td><td>{verdict}</td></tr>"
        )
    if not rows:
        return ""
    return f"""
<section aria-labelledby="probe">
<h2 id="probe">Does it listen?</h2>
<p class="dim">The shuffle probe: every match is scored against the other sounds' targets too, by
a quick spectral distance. Who always gives the same answer is as near to them as to its
own. R@1 and R@10 are those of retrieval, a match asking for its target.</p>
<div class="scroll stick" role="region" aria-label="Shuffle probe" tabindex="0">
<table><thead><tr><th scope="col" class="plain">Method</th>
<th scope="col" class="plain">to own target</th><th scope="col" class="plain">to others</th>
<th scope="col" class="plain">own nearer</th>
<th scope="col" class="plain">R@1: own nearest of all</th>
<th scope="col" class="plain">R@10: own among ten</th>
<th scope="col" class="plain">so it</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table>
</div>
</section>"""


def _parameters(summary: Summary) -> str:
    if not any(method.parameter_errors for method in summary.methods):
        return ""
    free = summary.info.settings["space"]["free"]
    header = method_headers([method.name for method in summary.methods])
    rows = []
    for entry in free:
        is_class = entry["kind"] in ("enum", "bool")
        errors = [c.parameter_errors.get(entry["name"]) for c in summary.methods]
        least = min(error for error in errors if error is not None)
        cells = "".join(
            f"<td{_best(error == least)}>{_error(error, is_class)}</td>" for error in errors
        )
        rows.append(f'<tr><th scope="row">{html_text(entry["name"])}</th>{cells}</tr>')
    exchanged = sum(method.exchanged for method in summary.methods)
    said = f" {exchanged} matches were compared so." if exchanged else " No match was compared so."
    return f"""
<section aria-labelledby="parameters">
<h2 id="parameters">By parameter</h2>
<p class="dim">Mean absolute error on the scale from 0 to 1; for waves and octave the share that is
right. Several patches make the same sound, so an error is not always a fault. Where the two
oscillators can change places without a difference, the nearer version counts.{said}</p>
<div class="scroll stick" role="region" aria-label="Errors by parameter" tabindex="0">
<table><thead><tr><th scope="col" class="plain">Parameter</th>{header}</tr></thead>
<tbody>{"".join(rows)}</tbody></table>
</div>
</section>"""


def _error(error: float | None, is_class: bool) -> str:
    if error is None or not is_class:
        return number(error)
    return f"{1 - error:.0%} right"


def _sortable(label: str, *, descending: bool = False) -> str:
    first = ' data-first="descending"' if descending else ""
    return f'<th scope="col"{first}><button type="button">{html_text(label)}</button></th>'


def _measure_header(measure: Measure) -> str:
    return _sortable(measure.heading, descending=measure.better == "higher")


def _average_cell(
    method: MethodSummary, measure: Measure, best: dict[tuple[str, str], float]
) -> str:
    average = method.averages.get(measure.key)
    if average is None:
        return f'<td data-value="">{number(None)}</td>'
    spans = "".join(
        f'<span class="{statistic}">{_interval(average, statistic, measure, best)}</span>'
        for statistic in ("mean", "median")
    )
    keys = f'data-mean="{average.mean.value!r}" data-median="{average.median.value!r}"'
    return f"<td {keys}>{spans}</td>"


def _interval(
    average: Average, statistic: str, measure: Measure, best: dict[tuple[str, str], float]
) -> str:
    interval: Interval = getattr(average, statistic)
    leads = measure.sign * interval.value == best[measure.key, statistic]
    return f"<span{_best(leads)}>{number(interval.value)}</span>{_spread(interval, number)}"


def _spread(interval: Interval, written: Callable[[float], str]) -> str:
    if interval.low == interval.high:
        return ""
    return f'<span class="spread">{written(interval.low)} to {written(interval.high)}</span>'


def _share(share: float) -> str:
    return f"{share:.0%}"


def _share_cell(share: Interval | None) -> str:
    if share is None:
        return f'<td data-value="">{number(None)}</td>'
    return f'<td data-value="{share.value!r}">{_share(share.value)}{_spread(share, _share)}</td>'


def _count_cell(count: int) -> str:
    style = ' class="bad"' if count else ""
    return f'<td data-value="{count}"{style}>{count}</td>'


def _best(leads: bool) -> str:
    return ' class="best"' if leads else ""


def options(pairs: Sequence[tuple[str, str]]) -> str:
    """Entries of a selection: value and what it is called."""
    return "".join(
        f'<option value="{html_text(v)}">{html_text(text)}</option>' for v, text in pairs
    )
