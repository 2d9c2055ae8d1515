"""The listening test: a page that a program answers, and what `compare` makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.errors import InvalidValueError
from deepdiva.evaluation import metrics
from deepdiva.evaluation.folder import FORMAT, RunFolder, RunInfo, SoundEntry
from deepdiva.evaluation.listening_test import (
    ANCHOR,
    REFERENCE,
    Answers,
    Rating,
    anchor,
    level_matched,
    read_answers,
    summarise_answers,
    write_page,
)
from deepdiva.evaluation.loudness import loudness_lufs
from deepdiva.evaluation.result import Result
from deepdiva.note import Note
from deepdiva.synths.diva import default_space

RATE = 44100
CHROMIUM = Path("/usr/bin/chromium")
TRUE = {REFERENCE: 100, "near": 80, "far": 40, ANCHOR: 20}
"""What the program that answers thinks of the sounds."""


def tone(frequency_hz: float, level: float = 0.3) -> np.ndarray:
    time = np.arange(RATE // 2) / RATE
    partials = sum(np.sin(2 * np.pi * frequency_hz * k * time) / k for k in range(1, 30))
    return (level * partials).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of two methods on three sounds; one of the matches is silent."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    folder.create(["near", "far"])
    names = ("a", "</script>b", "quiet")
    space = default_space()
    info = RunInfo(
        format=FORMAT,
        deepdiva="0",
        panel=metrics.VERSION,
        renderer={"name": "embedded", "version": "1"},
        test_set="by hand",
        settings={"note": Note().to_dict(), "space": space.to_dict(), "realizations": 1, "seed": 0},
        sounds=[SoundEntry(name, "0", "", [], {}, None) for name in names if "/" not in name],
        left_out={},
        methods={"near": {}, "far": {}},
    )
    folder.write_info(info)
    for sound in info.sounds:
        write_wav(folder.target_path(sound.name), tone(110), RATE)
        for name, level in (("near", 0.05), ("far", 0.5)):
            silent = sound.name == "quiet" and name == "far"
            write_wav(folder.preview_path(name, sound.name), tone(112, level), RATE)
            status = "silent" if silent else "ok"
            scores = dict.fromkeys((metric.key for metric in metrics.PANEL), 1.0)
            key = info.key(name, "0")
            folder.write_result(
                Result(
                    key, sound.name, name, status, None, 1, 0, scores, [1], None, {}, {}, False, {}
                )
            )
    return folder


def test_sounds_are_brought_to_one_loudness_and_do_not_clip():
    sounds = level_matched([tone(110, 0.05), tone(300, 2.0), anchor(tone(110), RATE)], RATE)
    loudness = [loudness_lufs(sound, RATE) for sound in sounds]
    assert loudness == pytest.approx([loudness[0]] * 3, abs=0.05)
    assert max(np.abs(sound).max() for sound in sounds) < 1


def test_the_anchor_lacks_what_lies_above_three_and_a_half_kilohertz():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    before, after = (np.abs(np.fft.rfft(sound)) ** 2 for sound in (noise, anchor(noise, RATE)))
    hertz = np.fft.rfftfreq(RATE, 1 / RATE)
    passed, stopped = (hertz > 100) & (hertz < 2500), hertz > 5000
    assert after[passed].sum() == pytest.approx(before[passed].sum(), rel=0.02)
    assert after[stopped].sum() < 1e-4 * before[stopped].sum()


def test_a_program_answers_and_compare_reads_it(folder: RunFolder, tmp_path: Path) -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} does not exist (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    path = write_page(folder, 5)
    assert "http" not in path.read_text("utf-8").replace("http-equiv", "")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--autoplay-policy=user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 412, "height": 900}, accept_downloads=True)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        page.fill("#listener", "A program")
        page.click("#begin")
        assert page.locator("#stimuli li").count() == 4
        assert page.evaluate("document.documentElement.scrollWidth") <= 412
        page.keyboard.press("r")
        page.wait_for_function("!player.paused")
        # What the program hears: the address of each sound tells which it is.
        names = page.evaluate("current.sounds.map(({ name }) => name)")
        assert page.locator("#next").is_disabled()
        for place, name in enumerate(names, 1):
            page.keyboard.press(str(place))
            page.wait_for_function("!player.paused")
            slider = page.locator("#stimuli input").nth(place - 1)
            assert slider.evaluate("slider => slider === document.activeElement")
            slider.fill(str(TRUE[name] - 1))
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        assert page.evaluate("player.paused")
        assert page.locator("#status").inner_text() == ""
        page.keyboard.press("n")
        with page.expect_download() as download:
            page.click("#save")
        saved = tmp_path / download.value.suggested_filename
        download.value.save_as(saved)
        browser.close()
    assert errors == []
    assert saved.name == "listening-A-program.json"
    answers = read_answers(saved)
    assert answers.is_reliable
    assert {rating.stimulus: rating.value for rating in answers.ratings} == TRUE
    assert {rating.sound for rating in answers.ratings} == {"a"}
    done = CliRunner().invoke(main, ["compare", str(saved), "--json"], catch_exceptions=False)
    told = json.loads(done.stdout)
    assert list(told["means"]) == [REFERENCE, "near", "far", ANCHOR]
    assert told["pairs"][0][:2] == ["near", "far"]
    printed = CliRunner().invoke(main, ["compare", str(saved)], catch_exceptions=False)
    assert "near against far: +40.0" in printed.output


def listener(seed: int, hidden: float = 98, run: str = "0" * 16) -> Answers:
    rng = np.random.default_rng(seed)
    true = {**TRUE, REFERENCE: hidden}
    return Answers(
        f"listener {seed}",
        run,
        "t",
        tuple(
            Rating(f"sound {k}", name, float(np.clip(value + rng.normal(0, 5), 0, 100)))
            if name != REFERENCE
            else Rating(f"sound {k}", name, hidden)
            for k in range(8)
            for name, value in true.items()
        ),
    )


def test_means_and_pairs_of_several_listeners_have_intervals() -> None:
    heard = summarise_answers([listener(1), listener(2), listener(3, hidden=60)])
    assert (heard.listeners, heard.left_out, heard.trials) == (2, ("listener 3",), 16)
    assert list(heard.means) == [REFERENCE, "near", "far", ANCHOR]
    mean = heard.means["near"]
    assert mean.value == pytest.approx(80, abs=4)
    assert 1 < mean.high - mean.low < 10
    [(first, second, pairing)] = heard.pairs
    assert (first, second, pairing.verdict) == ("near", "far", "better")
    assert pairing.change.value == pytest.approx(40, abs=5)


def test_what_cannot_be_summed_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="different runs"):
        summarise_answers([listener(1), listener(2, run="1" * 16)])
    with pytest.raises(InvalidValueError, match="hidden reference"):
        summarise_answers([listener(1, hidden=50)])
    damaged = tmp_path / "a.json"
    damaged.write_text('{"format": "deepdiva-listening", "format_version": 1}')
    refused = CliRunner().invoke(main, ["compare", str(damaged)])
    assert refused.exit_code != 0
    assert "answers of a listening test" in refused.output + str(refused.exception)


def test_a_page_needs_answers_of_every_method(folder: RunFolder, tmp_path: Path) -> None:
    path = write_page(folder, 5)
    data = path.read_text("utf-8").split('id="data">')[1].split("</script>")[0]
    assert [trial["sound"] for trial in json.loads(data)["trials"]] == ["a"]  # one was silent
    other = RunFolder(tmp_path)
    other.write_info(folder.read_info())
    other.create(["near", "far"])
    with pytest.raises(InvalidValueError, match="no sound has an audible answer"):
        write_page(other)
