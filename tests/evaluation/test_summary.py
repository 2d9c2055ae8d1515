"""Figures of a run, worked out by hand from results that are written by hand."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepdiva.audio import write_wav
from deepdiva.evaluation import metrics
from deepdiva.evaluation.folder import FORMAT, RunFolder, RunInfo, SoundEntry
from deepdiva.evaluation.result import Result
from deepdiva.evaluation.summary import summarise
from deepdiva.evaluation.tables import number, to_csv, to_json, to_markdown
from deepdiva.note import Note
from deepdiva.synths.diva import default_space

SOUNDS = ("a", "b", "c", "d")
RATE = 44100
INFO = RunInfo(
    format=FORMAT,
    deepdiva="0",
    panel=metrics.VERSION,
    renderer={"name": "embedded", "version": "1"},
    test_set="by hand",
    settings={
        "note": Note().to_dict(),
        "space": default_space().to_dict(),
        "realizations": 1,
        "seed": 0,
    },
    sounds=[
        SoundEntry(name, "0", "", [], {"VCF1.Freq": 80.0}, 0.5 if name == "a" else None)
        for name in SOUNDS
    ],
    left_out={"e": "silent"},
    methods={"good": {"kind": "good"}, "deaf": {"kind": "deaf"}},
)


def result(method: str, sound: str, distance: float, **changes: object) -> Result:
    scores = dict.fromkeys((metric.key for metric in metrics.PANEL), 1.0)
    plain = Result(
        key=INFO.key(method, "0"),
        sound=sound,
        method=method,
        status="ok",
        error=None,
        seconds=2.0,
        renders=100,
        scores={**scores, metrics.PRIMARY: distance},
        realizations=[distance],
        realization_spread=0.25,
        values={"VCF1.Freq": 90.0},
        errors={"VCF1.Freq": 0.1},
        exchanged=False,
        elsewhere={},
    )
    return replace(plain, **changes)


def tone(frequency_hz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(RATE // 4) / RATE)).astype(np.float32)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """Two methods: `good` answers every sound with its own pitch, `deaf` always with one."""
    folder = RunFolder(tmp_path)
    folder.create(["good", "deaf"])
    folder.write_info(INFO)
    for place, name in enumerate(SOUNDS):
        own = tone(200.0 * (place + 1))
        write_wav(folder.target_path(name), own, RATE)
        write_wav(folder.preview_path("good", name), own + tone(5000.0) / 50, RATE)
        write_wav(folder.preview_path("deaf", name), tone(330.0), RATE)
        folder.write_result(result("good", name, 0.1 * (place + 1)))
        folder.write_result(result("deaf", name, 1.0 + place, realization_spread=0.75, renders=1))
    return folder


def test_methods_are_ranked_by_their_median(folder):
    summary = summarise(folder)
    assert [method.name for method in summary.methods] == ["good", "deaf"]
    good = summary.methods[0].averages[metrics.PRIMARY]
    assert good.sounds == 4
    assert good.mean.value == pytest.approx(0.25)
    assert good.median.value == pytest.approx(0.25)
    assert good.mean.low < 0.25 < good.mean.high
    assert summary.complete


def test_floor_is_the_known_one_or_that_of_the_nearest_match(folder):
    floors = summarise(folder).floors
    assert (floors["a"].distance, floors["a"].known) == (0.5, True)
    assert (floors["b"].distance, floors["b"].known) == (0.25, False)


def test_share_of_sounds_at_the_floor(folder):
    """Of 0.1 0.2 0.3 0.4 against the floors 0.5 0.25 0.25 0.25, two; of 1 2 3 4 none."""
    good, deaf = summarise(folder).methods
    assert good.at_floor.value == 0.5
    assert deaf.at_floor.value == 0.0


def test_probe_tells_who_listens(folder):
    good, deaf = summarise(folder).methods
    assert good.probe.nearer.value == 1.0
    assert good.probe.first.value == 1.0
    assert deaf.probe.nearer.value == 0.5


def test_pairs_are_seen_from_the_leader(folder):
    [pair] = summarise(folder).pairs
    assert (pair.first, pair.second) == ("good", "deaf")
    assert pair.pairing.won.value == 1.0
    assert pair.pairing.change.value == pytest.approx(0.25 - 2.5)
    assert pair.pairing.verdict == "unclear"  # of four sounds nothing is said
    assert pair.renders == (100.0, 1.0)


def test_undefined_figures_are_counted_and_not_averaged(folder):
    odd = result("good", "a", 0.1)
    folder.write_result(replace(odd, scores={**odd.scores, "pitch_error_cents": None}))
    summary = summarise(folder)
    assert summary.methods[0].averages["pitch_error_cents"].sounds == 3
    assert summary.methods[1].averages["pitch_error_cents"].sounds == 4


def test_failures_count_in_every_figure(folder):
    folder.write_result(
        result(
            "good",
            "d",
            9.0,
            status="failed",
            error="no",
            renders=None,
            values={},
            realization_spread=None,
        )
    )
    good = next(c for c in summarise(folder).methods if c.name == "good")
    assert good.counts == {"ok": 3, "silent": 0, "failed": 1, "missing": 0}
    assert good.averages[metrics.PRIMARY].mean.value == pytest.approx((0.1 + 0.2 + 0.3 + 9.0) / 4)


def test_an_unfinished_run_says_so(folder):
    folder.result_path("deaf", "d").unlink()
    summary = summarise(folder)
    assert not summary.complete
    assert summary.methods[1].counts["missing"] == 1
    assert summary.methods[1].probe is None
    assert summary.pairs[0].pairing.sounds == 3
    assert "Unfinished run" in to_markdown(summary)


def test_results_of_another_run_are_missing(folder):
    folder.write_result(result("deaf", "d", 0.0, key="0123456789abcdef"))
    summary = summarise(folder)
    assert summary.methods[1].counts["missing"] == 1
    assert summary.methods[1].averages[metrics.PRIMARY].mean.value == pytest.approx(2.0)
    assert summary.methods[1].probe is None


def test_json_holds_every_figure(folder):
    document = json.loads(to_json(summarise(folder)))
    assert document["values"][metrics.PRIMARY]["good"]["b"] == pytest.approx(0.2)
    assert document["status"]["deaf"]["c"] == "ok"
    assert document["run"]["left_out"] == {"e": "silent"}
    assert document["methods"][0]["averages"][metrics.PRIMARY]["mean"]["value"] == 0.25
    assert document["floors"]["a"] == {"distance": 0.5, "known": True}


def test_csv_has_a_line_for_each_cell(folder):
    rows = list(csv.DictReader(io.StringIO(to_csv(summarise(folder)).decode())))
    assert {(row["sound"], row["method"]) for row in rows} == {
        (sound, method) for sound in SOUNDS for method in ("good", "deaf")
    }
    row = next(row for row in rows if row["sound"] == "c" and row["method"] == "good")
    assert float(row[metrics.PRIMARY]) == pytest.approx(0.3)
    assert float(row["value VCF1.Freq"]) == 90.0
    assert float(row["error VCF1.Freq"]) == 0.1
    assert row["value OSC.Vol1"] == ""


def test_markdown_tables_have_equal_columns(folder):
    text = to_markdown(summarise(folder))
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1
    assert "Left out, since nothing can match them: e." in text
    assert "| good against deaf | 100%" in text
    assert "fewer than 6 sounds differ" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.00123, "0.0012"),
        (0.0456, "0.0456"),
        (0.5, "0.500"),
        (1.234, "1.23"),
        (45.67, "45.7"),
        (1087.4, "1,087"),
        (-2.5, "-2.50"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_results_survive_the_disk(folder):
    written = result("good", "a", 0.125, status="failed", error="no", renders=None)
    folder.write_result(written)
    assert folder.read_result("good", "a") == written
    assert RunFolder(Path(folder.path)).read_info() == folder.read_info()
