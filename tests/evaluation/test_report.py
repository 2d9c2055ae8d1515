"""The report holds everything in one file, and works in a real browser."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.audio import write_wav
from deepdiva.evaluation import media_store, metrics
from deepdiva.evaluation.folder import FORMAT, RunFolder, RunInfo, SoundEntry
from deepdiva.evaluation.report import page as page_of
from deepdiva.evaluation.report import write_reports
from deepdiva.evaluation.result import Result
from deepdiva.evaluation.summary import summarise
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.preset import Preset

RATE = 44100
SOUNDS = ("bass 1", "bass 10", "bass 2", "<b>lead & 'pad'", "Ünïcode")
DISTANCES = {
    "refine-thorough-with-a-long-name": (0.2, 0.5, 0.3, 0.6, 0.4),
    "mean": (3.0, 1.0, 2.0, 5.0, 4.0),
}
FAILED = ("mean", "Ünïcode")


def tone(frequency_hz: float) -> NDArray[np.float32]:
    time = np.arange(RATE // 4) / RATE
    return (0.9 * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)


def scores(distance: float) -> dict[str, float | None]:
    values: dict[str, float | None] = dict.fromkeys((m.key for m in metrics.PANEL), 2 * distance)
    return {**values, metrics.PRIMARY: distance, "pitch_error_cents": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of two methods on five sounds, one of which failed; written by hand."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    folder.create(list(DISTANCES))
    space = default_space()
    preset = Preset.template()
    values = {name: float(preset.values()[DIVA.index(name)]) for name in space.free}
    info = RunInfo(
        format=FORMAT,
        deepdiva="0",
        panel=metrics.VERSION,
        renderer={"name": "embedded", "version": "1"},
        test_set="by <hand>",
        settings={"note": Note().to_dict(), "space": space.to_dict(), "realizations": 2, "seed": 0},
        sounds=[SoundEntry(name, "0", "", ["Cut to 0.25 s."], values, 0.45) for name in SOUNDS],
        left_out={"quiet": "The target is silent."},
        methods={name: {"kind": name} for name in DISTANCES},
    )
    folder.write_info(info)
    for place, sound in enumerate(SOUNDS):
        write_wav(folder.target_path(sound), tone(110.0 * (place + 1)), RATE)
        for method, distances in DISTANCES.items():
            failed = (method, sound) == FAILED
            folder.write_result(
                Result(
                    key=info.key(method, "0"),
                    sound=sound,
                    method=method,
                    status="failed" if failed else "ok",
                    error="ValueError: <script>alert(1)</script>" if failed else None,
                    seconds=0.5,
                    renders=None if failed else 100,
                    scores=scores(distances[place]),
                    realizations=[distances[place]],
                    realization_spread=None if failed else 0.4,
                    values={} if failed else values,
                    errors=dict.fromkeys(space.free, 0.0),
                    exchanged=False,
                    elsewhere={},
                )
            )
            if not failed:
                preset.write(folder.preset_path(method, sound))
                match = 1.8 * tone(100.0 * (place + 1))
                write_wav(folder.preview_path(method, sound), match, RATE)
    write_reports(folder, DIVA)
    return folder


@pytest.fixture(scope="module")
def page(folder: RunFolder) -> str:
    return (folder.path / "report.html").read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Elements of a page, and whether they are closed in order."""

    VOID = frozenset({"meta", "input", "img", "br", "hr", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    return outline


def test_all_files_are_written(folder):
    names = {path.name for path in folder.path.iterdir() if path.is_file()}
    figures = {"summary.json", "summary.md", "results.csv", "leaderboard.csv"}
    assert names == {"run.json", "report.html", *figures}


def test_nothing_is_loaded_from_elsewhere(outline):
    for tag, attributes in outline.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "#")), f"<{tag} {name}>"


def test_ids_are_unique(outline):
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_links_inside_the_page_arrive(outline):
    ids = {attributes.get("id") for _, attributes in outline.elements}
    for tag, attributes in outline.elements:
        address = attributes.get("href") or ""
        if tag == "a" and address.startswith("#"):
            assert address[1:] in ids


def test_every_sound_has_players_pictures_and_presets(outline):
    tags = [tag for tag, _ in outline.elements]
    cells = len(SOUNDS) * len(DISTANCES)
    assert tags.count("audio") == tags.count("img") == len(SOUNDS) + cells - 1  # one failed
    downloads = [a for tag, a in outline.elements if tag == "a" and "download" in a]
    assert len(downloads) == cells - 1


def test_a_download_is_the_preset_byte_for_byte(folder, outline):
    link = next(a for tag, a in outline.elements if tag == "a" and "download" in a)
    data = base64.b64decode(link["href"].partition(",")[2])
    assert data == next((folder.path / "presets").rglob("*.h2p")).read_bytes()
    assert link["download"].endswith(".h2p")


def test_controls_and_pictures_have_names(outline):
    for tag, attributes in outline.elements:
        if tag == "img":
            assert attributes["alt"]
        if tag in ("audio", "svg") or attributes.get("role") == "region":
            assert attributes["aria-label"]


def test_texts_cannot_become_markup(page):
    assert "<script>alert" not in page
    assert "<b>lead" not in page.partition('id="data"')[0]
    assert "Evaluation on by &lt;hand&gt;" in page


def test_failures_and_left_out_sounds_are_told(page):
    assert "ValueError: &lt;script&gt;" in page
    assert "quiet: The target is silent." in page


def test_of_five_sounds_no_conclusion_is_drawn(outline, page):
    """The leader wins each of them, which chance alone does in 6 % of the cases."""
    assert not {"won", "lost"} & {attributes.get("class") for _, attributes in outline.elements}
    assert "at least 6 sounds differ" in page
    assert page.count("fewer than 6 sounds cannot tell") == len(DISTANCES)


def test_the_same_run_gives_the_same_page(folder, page):
    write_reports(folder, DIVA)
    assert (folder.path / "report.html").read_text(encoding="utf-8") == page


FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required", "--mute-audio", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE_SECONDS = 120


class Browser:
    """A headless Chromium, spoken to by the DevTools protocol through a pair of pipes.

    Messages are JSON that ends with a zero byte; the browser reads them from its file descriptor 3
    and answers on 4 (chromedevtools.github.io/devtools-protocol).
    """

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        script = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._ids = itertools.count(1)
        self._unread = b""
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(entry for entry in targets if entry["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params, **self._session}
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._unread:
            left = deadline - time.monotonic()
            assert left > 0, "Chromium has stopped answering."
            if select.select([self._answers], [], [], left)[0]:
                piece = os.read(self._answers, 1 << 20)
                assert piece, "Chromium has ended."
                self._unread += piece
        message, _, self._unread = self._unread.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, path: Path, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Load a page anew in a window of the given size."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        for address in ("about:blank", path.as_uri()):
            self.events.clear()
            self.send("Page.navigate", url=address)
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                self.events.append(self._next())

    def run(self, expression: str) -> Any:
        """Value of a JavaScript expression; promises are awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key of the keyboard."""
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **typed
            )

    def close(self) -> None:
        """End the browser."""
        os.close(self._commands)
        try:
            self._process.wait(PATIENCE_SECONDS)
        finally:
            self._process.kill()
            os.close(self._answers)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        reason = "chromium is not installed (Debian: apt-get install chromium)"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def opened(browser: Browser, folder: RunFolder) -> Browser:
    """The report in a desktop window, freshly loaded."""
    browser.open(folder.path / "report.html", 1440)
    return browser


def index_names(browser: Browser) -> list[str]:
    """Sounds of the index, from top to bottom, as far as they are shown."""
    names: list[str] = browser.run(
        "[...index.tBodies[0].rows].filter(row => !row.hidden).map(row => row.dataset.sound)"
    )
    return names


def card_names(browser: Browser) -> list[str]:
    names: list[str] = browser.run(
        "[...document.querySelectorAll('details.sound')].filter(card => !card.hidden)"
        ".map(card => card.querySelector('h3').textContent)"
    )
    return names


def click_heading(browser: Browser, table: str, text: str) -> None:
    browser.run(
        f"[...document.querySelectorAll('#{table} th button')]"
        f".find(button => button.textContent.startsWith({text!r})).click()"
    )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 390])
def test_page_loads_quietly_and_nothing_is_cut(browser, folder, width, dark):
    """No error, no message, no request but for the page itself; nothing wider than the window."""
    browser.open(folder.path / "report.html", width, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(part => { part.open = true })")
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    loud = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [event for event in browser.events if event["method"] in loud] == []
    requests = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert {url for url in requests if not url.startswith("data:")} == {
        (folder.path / "report.html").as_uri()
    }
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    too_wide = browser.run(
        "[...document.querySelectorAll('main *')].filter(element => !element.closest('.scroll') &&"
        " !element.closest('svg') && element.getBoundingClientRect().right > innerWidth + 1)"
        ".map(element => element.outerHTML.slice(0, 80))"
    )
    assert too_wide == []
    colours = browser.run(
        "['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])"
    )
    text, page = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert (text > page) == dark


def test_headings_sort_the_index_and_the_sounds(opened):
    click_heading(opened, "index", "mean")  # worst first
    assert index_names(opened) == [SOUNDS[i] for i in (3, 4, 0, 2, 1)]
    assert card_names(opened) == index_names(opened)
    click_heading(opened, "index", "mean")
    assert index_names(opened) == [SOUNDS[i] for i in (1, 2, 0, 4, 3)]
    click_heading(opened, "index", "Sound")
    names = index_names(opened)
    assert [name for name in names if name.startswith("bass")] == ["bass 1", "bass 2", "bass 10"]
    assert opened.run("[...index.tHead.rows[0].cells].map(cell => cell.ariaSort)") == [
        "ascending", None, None, None,
    ]  # fmt: skip


def test_table_of_methods_sorts_by_mean_and_by_median(opened):
    def order() -> list[str]:
        names: list[str] = opened.run(
            "[...methods.tBodies[0].rows].map(row => row.cells[0].textContent)"
        )
        return names

    click_heading(opened, "methods", "Scattering")
    assert order()[0].startswith("refine")
    click_heading(opened, "methods", "Scattering")
    assert order()[0] == "mean"
    shown = "getComputedStyle(methods.querySelector('.median')).display"
    assert opened.run(shown) == "none"
    opened.run("statistic.value = 'median'; statistic.dispatchEvent(new Event('change'))")
    assert opened.run(shown) != "none"


def test_filters_narrow_the_index_and_the_sounds(opened):
    opened.run("search.value = 'BASS 1'; search.dispatchEvent(new Event('input'))")
    assert index_names(opened) == ["bass 1", "bass 10"] == card_names(opened)
    assert opened.run("count.textContent") == "2 of 5 sounds"
    opened.run("search.value = ''; search.dispatchEvent(new Event('input'))")
    opened.run("show.value = 'trouble'; show.dispatchEvent(new Event('change'))")
    assert index_names(opened) == ["Ünïcode"]
    opened.run("show.value = 'above'; show.dispatchEvent(new Event('change'))")
    assert index_names(opened) == [SOUNDS[1], SOUNDS[3]]


def test_another_measure_fills_the_index(opened):
    cell = "index.tBodies[0].rows[0].cells[2].textContent"
    assert opened.run(cell) == "0.200"
    opened.run("measure.value = 'hayes_mss'; measure.dispatchEvent(new Event('change'))")
    assert opened.run(cell) == "0.400"
    assert opened.run("index.tBodies[0].rows[4].cells[3].textContent") == "8.00 ✕"
    opened.run("measure.value = 'scattering'; measure.dispatchEvent(new Event('change'))")
    assert opened.run(cell) == "0.200"


@pytest.fixture
def linked(folder, monkeypatch):
    """The report as a large run has it: beside the files that it links."""
    monkeypatch.setattr(media_store, "MOST_EMBEDDED", 2)
    path = folder.path / "linked.html"
    path.write_text(page_of(summarise(folder), folder, DIVA), encoding="utf-8")
    yield path
    shutil.rmtree(folder.path / media_store.PICTURES)
    path.unlink()


def test_a_large_report_links_the_files_of_the_run(browser, linked):
    """A card is filled when it is opened, and then plays and shows what lies beside the page."""
    assert linked.stat().st_size < 200_000
    assert "base64" not in linked.read_text("utf-8")
    browser.open(linked, 1440)
    assert len(card_names(browser)) == len(SOUNDS)
    assert browser.run("document.querySelectorAll('audio').length") == 0
    browser.run("document.querySelectorAll('details.sound')[3].open = true")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run("document.querySelectorAll('audio').length") == 3
    durations = browser.run(
        """Promise.all([...document.querySelectorAll('audio')].map(player => new Promise(
             (done, fail) => {
               player.onloadedmetadata = () => done(player.duration);
               player.onerror = () => fail(player.error.message);
               player.load();
             })))"""
    )
    assert durations == pytest.approx([0.25] * 3, abs=0.02)
    pictures = browser.run(
        """Promise.all([...document.querySelectorAll('details[open] img')].map(
             image => { image.loading = 'eager'; return image.decode().then(() => 1); }))"""
    )
    assert pictures == [1, 1, 1]
    address = browser.run(
        "document.querySelector('details[open] a[download]').getAttribute('href')"
    )
    assert (linked.parent / unquote(address)).is_file()


def test_a_link_opens_its_sound(opened):
    opened.run("index.tBodies[0].rows[2].querySelector('a').click()")
    opened.run("new Promise(done => setTimeout(done, 50))")
    state = "[...document.querySelectorAll('details.sound')].map(card => card.open)"
    assert opened.run(state) == [False, False, True, False, False]


def test_every_player_loads_and_one_plays_at_a_time(opened):
    durations = opened.run(
        """Promise.all([...document.querySelectorAll('audio')].map(player => new Promise(
             (done, fail) => {
               player.onloadedmetadata = () => done(player.duration);
               player.onerror = () => fail(player.error.message);
               player.preload = 'metadata';
               player.load();
             })))"""
    )
    assert durations == pytest.approx([0.25] * (3 * len(SOUNDS) - 1), abs=0.06)
    playing = opened.run(
        """(async () => {
             const [first, second] = document.querySelectorAll('#sound-0 audio');
             document.querySelector('#sound-0').open = true;
             first.loop = second.loop = true;
             await first.play();
             await second.play();
             return [first.paused, second.paused];
           })()"""
    )
    assert playing == [True, False]


def test_pictures_are_drawn(opened):
    opened.run("document.querySelectorAll('details').forEach(part => { part.open = true })")
    sizes = opened.run(
        "Promise.all([...document.images].map(async picture => { picture.loading = 'eager';"
        " await picture.decode(); return picture.naturalWidth; }))"
    )
    assert set(sizes) == {360}
    assert opened.run("document.querySelectorAll('figure svg').length") == 3


def test_keyboard_reaches_and_works_everything(opened):
    """Tab to the first heading of the index, sort with Enter, open a sound with the space bar."""
    opened.run("search.focus()")
    for _ in range(4):  # selection, selection, the table's own scrolling, first heading
        opened.press("Tab", 9)
    assert opened.run("document.activeElement.textContent") == "Sound"
    assert opened.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    opened.press("Enter", 13, "\r")
    assert opened.run("index.tHead.rows[0].cells[0].ariaSort") == "ascending"
    opened.run("document.querySelector('details.sound summary').focus()")
    opened.press(" ", 32, " ")
    assert opened.run("document.querySelector('details.sound').open")
    opened.run("document.body.focus(); document.activeElement.blur()")
    opened.press("Tab", 9)
    assert opened.run("document.activeElement.className") in ("skip", "")


def test_colours_can_be_changed_by_hand(opened):
    before = opened.run("getComputedStyle(document.body).backgroundColor")
    opened.run("theme.click()")
    assert opened.run("getComputedStyle(document.body).backgroundColor") != before
    opened.run("theme.click()")
    assert opened.run("getComputedStyle(document.body).backgroundColor") == before
