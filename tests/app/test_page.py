"""The page as a person uses it, in Chromium, against a server that searches for real."""

import base64
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from deepdiva.app.target import TargetChoice
from deepdiva.audio import read_audio
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset

expect.set_options(timeout=90_000)

BRASS = Path(__file__).parents[2] / "examples" / "amsynth_brass.flac"

# Long lists take the browser's protocol minutes: bytes travel as base64.
DROP = """([text, name]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.body.dispatchEvent(
      new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }
}"""
SAMPLES = """async ([side, playing]) => {
  const { comparison } = await import("/js/audio.js");
  const samples = playing
    ? comparison.voices[side].source.buffer.getChannelData(0)
    : comparison.sounds[side].samples;
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}"""
STATE = """async () => {
  const { comparison } = await import("/js/audio.js");
  return [comparison.playing, comparison.side, comparison.gainOf("match")];
}"""
PATCH = """async () => (await import("/js/bench.js")).bench.patch"""


def drop(page, path, name=None):
    page.evaluate(DROP, [base64.b64encode(path.read_bytes()).decode(), name or path.name])


def samples(page, side, *, playing=False):
    """Samples of a side of the comparison, or of the buffer that plays at this moment."""
    return np.frombuffer(base64.b64decode(page.evaluate(SAMPLES, [side, playing])), "<f4")


def done(page):
    expect(page.locator("#search-state")).to_have_text(re.compile("^(Done|Stopped)"))


def knob(page, name):
    return page.locator(f'[aria-label="{name}"]')


@pytest.fixture(scope="module")
def matched(window, server):
    """A page on which the example was dropped and matched."""
    page = window.new_page()
    page.goto(server.address)
    # On a machine that has compiled nothing yet, this takes minutes.
    expect(page.locator("#status")).to_have_text("Ready", timeout=600_000)
    drop(page, BRASS)
    page.locator("#answers .hear").first.wait_for()
    done(page)
    yield page
    page.close()


def test_what_was_dropped_is_understood_and_matched(matched):
    expect(matched.locator("#sound-title")).to_have_text("amsynth_brass.flac")
    expect(matched.locator("#note-key")).to_have_value("C3")
    expect(matched.locator("#facts")).to_contain_text("one note")
    assert matched.locator("#answers li").count() >= 1
    expect(matched.locator("#distance")).to_have_text(re.compile(r"^distance 0\.\d{4}$"))
    expect(matched.locator("#queue")).to_contain_text("matched, distance 0.")


def test_the_command_line_finds_the_same_files(matched, server):
    assert matched.locator("#match-card").is_visible()
    best = Preset.read(server.folder / "amsynth_brass.h2p")
    patch = matched.evaluate(PATCH)
    assert np.array_equal(best.values(), patch)
    assert (server.folder / "amsynth_brass.run" / "generations.jsonl").exists()
    assert (server.folder / "sounds" / BRASS.name).read_bytes() == BRASS.read_bytes()


def test_what_plays_is_the_recording_and_the_match_in_one_loop(matched):
    matched.locator("#play").click()
    playing = samples(matched, "target", playing=True)
    target = TargetChoice(BRASS).listened().target.audio
    assert np.array_equal(playing[: len(target)], target)
    match = samples(matched, "match", playing=True)
    assert np.array_equal(match[: len(target)], samples(matched, "match"))
    is_playing, side, gain = matched.evaluate(STATE)
    assert (is_playing, side) == (True, "match")
    # Equal level: the match is heard as loud as the recording.
    level = np.sqrt(np.mean(target**2)) / np.sqrt(np.mean(match[: len(target)] ** 2))
    assert gain == pytest.approx(level, rel=1e-4)
    matched.keyboard.press("b")
    assert matched.evaluate(STATE)[:2] == [True, "target"]
    expect(matched.locator("#hear-target")).to_have_attribute("aria-checked", "true")
    matched.keyboard.press("b")
    matched.locator("#work").focus()
    matched.keyboard.press("Space")
    assert matched.evaluate(STATE)[:2] == [False, "match"]


def test_a_turned_knob_is_heard_and_undone(matched):
    before = samples(matched, "match")
    cutoff = knob(matched, "VCF1.Freq")
    value = float(cutoff.get_attribute("aria-valuenow"))
    cutoff.focus()
    matched.keyboard.press("PageDown" if value > 60 else "PageUp")
    expect(matched.locator("#distance")).to_have_text(re.compile("^turned, distance"))
    turned = float(cutoff.get_attribute("aria-valuenow"))
    assert abs(turned - value) == pytest.approx(12, abs=0.01)
    for _ in range(50):  # the distance may come before the sound
        if not np.array_equal(samples(matched, "match"), before):
            break
        matched.wait_for_timeout(100)
    assert not np.array_equal(samples(matched, "match"), before)
    matched.keyboard.press("Control+z")
    expect(cutoff).to_have_attribute("aria-valuenow", f"{value:g}")
    expect(matched.locator("#distance")).to_have_text(re.compile("^distance"))
    matched.keyboard.press("Control+Shift+z")
    expect(cutoff).to_have_attribute("aria-valuenow", f"{turned:g}")


def test_a_knob_is_dragged(matched):
    volume = knob(matched, "VCA1.Vol")
    before = float(volume.get_attribute("aria-valuenow"))
    volume.scroll_into_view_if_needed()
    box = volume.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    matched.mouse.move(x, y)
    matched.mouse.down()
    matched.mouse.move(x, y + 16, steps=4)
    matched.mouse.up()
    expect(volume).to_have_attribute("aria-valuenow", f"{before - 10:g}")
    matched.locator("#undo").click()
    expect(volume).to_have_attribute("aria-valuenow", f"{before:g}")


def test_a_turned_knob_outlives_a_reload(matched):
    cutoff = knob(matched, "VCF1.Freq").get_attribute("aria-valuenow")
    expect(matched.locator("#distance")).to_have_text(re.compile("^turned"))
    with matched.expect_response(lambda answer: answer.url.endswith("/edit")):
        matched.locator("#undo").click()
        matched.locator("#redo").click()
    matched.reload()
    expect(knob(matched, "VCF1.Freq")).to_have_attribute("aria-valuenow", cutoff)
    expect(matched.locator("#distance")).to_have_text(re.compile("^turned"))


def test_the_search_goes_on_from_the_panel_with_what_is_locked(matched):
    cutoff = knob(matched, "VCF1.Freq")
    cutoff.focus()
    matched.keyboard.press("Enter")
    held = float(cutoff.get_attribute("aria-valuenow"))
    expect(matched.locator("#search-on")).to_have_text("Search on, 1 locked")
    matched.locator("#search-on").click()
    expect(matched.locator("#takes button")).to_have_count(2)
    done(matched)
    patch = matched.evaluate(PATCH)
    assert patch[DIVA.index("VCF1.Freq")] == held
    expect(matched.locator("#morph-from option").first).to_have_text("Take 1, best match")
    matched.locator("#takes button").first.click()
    expect(matched.locator("#takes button").first).to_have_attribute("aria-pressed", "true")


def test_keys_play(matched):
    matched.locator("#work").focus()
    matched.keyboard.down("g")
    expect(matched.locator(".key[data-down]")).to_have_count(1)
    matched.keyboard.up("g")
    expect(matched.locator(".key[data-down]")).to_have_count(0)
    matched.evaluate("async () => (await import('/js/keys.js')).hearMidi([0x90, 64, 90])")
    expect(matched.locator('.key[aria-label="E4"]')).to_have_attribute("data-down", "")
    matched.evaluate("async () => (await import('/js/keys.js')).hearMidi([0x80, 64, 0])")
    expect(matched.locator(".key[data-down]")).to_have_count(0)
    expect(matched.locator("#keys")).to_have_attribute("data-played", "2")


def test_a_preset_is_downloaded_and_saved_with_consent(matched, server):
    matched.locator("#keep-name").fill("Brass <b>'1'")
    matched.locator("#keep-author").fill("Somebody")
    matched.locator("#keep-category").select_option("Keys")
    matched.locator("#keep-kind").select_option("Synth")
    matched.get_by_role("button", name="Bright").click()
    with matched.expect_download() as waiting:
        matched.locator("#download").click()
    preset = Preset.read(waiting.value.path())
    assert np.array_equal(preset.values(), matched.evaluate(PATCH))
    assert preset.meta["Author"] == "Somebody"
    assert preset.meta["Categories"] == "Keys:Synth"
    assert preset.meta["Character"] == "Bright"
    matched.locator("#save").click()
    assert list(server.presets.iterdir()) == []
    matched.get_by_role("button", name="Save it there").click()
    expect(matched.locator("#kept")).to_contain_text("Saved as")
    saved = server.presets / "DeepDiva" / "Brass _b_'1'.h2p"
    assert saved.read_bytes() == preset.to_bytes()
    matched.locator("#save").click()
    matched.get_by_role("button", name="Save it there").click()
    matched.get_by_role("button", name="Overwrite it").click()
    expect(matched.locator("#kept")).to_contain_text("Saved as")


STATES = [(1440, "dark"), (390, "light")]


@pytest.mark.parametrize(("width", "scheme"), STATES)
def test_every_state_is_accessible_and_nothing_is_cut(window, server, matched, width, scheme):
    assert matched.url.startswith("http")  # what is looked at was matched before
    page = window.new_page()
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.goto(server.address)
    page.locator("#queue .pick", has_text="amsynth").click()
    page.locator("#panel .module").first.wait_for()
    page.locator("#report summary").click()
    page.locator("#report img").wait_for()
    page.locator("#all-knobs").check()
    page.locator("#part-add").click()
    page.locator("#save").click()
    page.evaluate("async () => (await import('/js/alerts.js')).complain('Something is wrong.')")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    wide, inner = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner
    page.close()


def test_a_bad_file_is_a_sentence(page, sound_file):
    bad = sound_file("ok.wav", np.zeros(4410, np.float32))
    drop(page, bad, "silence.wav")
    expect(page.locator("#facts")).to_contain_text("silence.wav is silent")
    drop(page, bad, "notes.txt")
    expect(page.locator("#alerts")).to_contain_text("no sound that can be read")
    page.errors.clear()  # the browser notes the refusal


def test_a_name_is_text_and_never_markup(page, sound_file):
    time = np.arange(6000) / 44100
    tone = sound_file("tone.wav", np.float32(0.3 * np.sin(2 * np.pi * 220 * time)))
    page.locator("#at-once").uncheck()
    drop(page, tone, "<img src=x onerror=\"document.title='broken'\">.wav")
    expect(page.locator("#sound-title")).to_contain_text("<img src=x")
    assert page.locator("#queue img, #sound-title img").count() == 0
    assert page.title() == "DeepDiva"
    page.locator("#at-once").check()


def test_thirty_seconds_are_shown_and_a_part_is_chosen(page, sound_file):
    time = np.arange(30 * 22050) / 22050
    pad = np.float32(0.3 * np.sin(2 * np.pi * 110 * time) * np.minimum(1, time))
    path = sound_file("pad.wav", pad, 22050)
    page.locator("#at-once").uncheck()
    drop(page, path)
    expect(page.locator("#region-text")).to_contain_text("30.0 s")
    box = page.locator("#waveform").bounding_box()
    page.locator("#snap").uncheck()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.21 * box["width"], box["y"] + 30, steps=3)
    page.mouse.up()
    start = page.locator("#region-start")
    assert float(start.get_attribute("aria-valuenow")) == pytest.approx(6.0, abs=0.1)
    start.focus()
    before = float(start.get_attribute("aria-valuenow"))
    page.keyboard.press("ArrowRight")
    assert float(start.get_attribute("aria-valuenow")) == pytest.approx(before + 0.01, abs=1e-3)
    page.locator("#match").click()
    page.locator("#answers .hear").first.wait_for()
    done(page)
    start = round(before + 0.01, 4)
    target = samples(page, "target")
    length = page.evaluate(
        "async () => (await import('/js/store.js')).currentTake().length_seconds"
    )
    choice = TargetChoice(path, start_seconds=start, length_seconds=length)
    expected = choice.listened().target.audio
    assert np.array_equal(target, expected)
    page.locator("#at-once").check()


def test_a_recording_is_made(page):
    page.locator("#at-once").uncheck()
    page.locator("#record").click()
    expect(page.locator("#record-time")).to_have_text(re.compile(r"^1\.[2-9]"))
    page.locator("#record").click()
    expect(page.locator("#sound-title")).to_have_text(re.compile(r"^Recording .*\.wav$"))
    expect(page.locator("#facts")).to_contain_text("Heard")
    page.locator("#at-once").check()


def test_two_sounds_are_searched_side_by_side_over_a_reload_and_a_kill(page, server, sound_file):
    time = np.arange(22050) / 44100
    for number, hertz in enumerate((110, 220)):
        saw = 2 * ((time * hertz) % 1) - 1
        path = sound_file(f"saw_{number}.wav", np.float32(0.3 * saw))
        drop(page, path)
    page.locator("#queue li", has_text="saw_0.wav").wait_for()
    page.locator("#queue li", has_text="saw_1.wav").wait_for()
    page.locator("#answers .hear").first.wait_for()
    page.reload()
    page.locator("#queue li", has_text="saw_0.wav").wait_for()
    server.end(signal.SIGKILL)
    expect(page.locator("#status")).to_contain_text("does not answer")
    server.start()
    for number in (0, 1):
        row = page.locator("#queue li", has_text=f"saw_{number}.wav")
        expect(row).to_contain_text("matched, distance")
        assert (server.folder / f"saw_{number}.h2p").exists()
    audio, _ = read_audio(server.folder / "sounds" / "saw_0.wav")
    assert len(audio) == 22050
    page.errors.clear()  # the browser notes that the server was gone
