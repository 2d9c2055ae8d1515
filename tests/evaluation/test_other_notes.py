"""Matches judged on other keys and velocities, and answers of other tools."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from deepdiva.audio import write_wav
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.evaluation import metrics
from deepdiva.evaluation.folder import RunFolder
from deepdiva.evaluation.methods import EntryMethod, PresetsMethod
from deepdiva.evaluation.other_notes import heard_elsewhere, name_of, other_notes, score_elsewhere
from deepdiva.evaluation.report import write_reports
from deepdiva.evaluation.run import run
from deepdiva.evaluation.scoring import EvaluationSettings
from deepdiva.evaluation.sound_collections import Collection
from deepdiva.evaluation.sounds import Sound
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(48, 100, 0.2, 0.25)
BASE = Preset.template()
SETTINGS = EvaluationSettings(NOTE, default_space(BASE.values()), realizations=1, seed=1)


def open_engine(preset: Preset) -> PanelRenderer:
    del preset
    return PanelRenderer()


def changed(**values: float) -> Preset:
    patch = BASE.values()
    for name, value in values.items():
        patch[DIVA.index(name.replace("_", "."))] = value
    return BASE.with_values(patch)


def sound_of(name: str, preset: Preset, note: Note = NOTE) -> Sound:
    return Sound(name, PanelRenderer().render(preset.values()[None], note, 5)[0], preset)


def test_notes_are_named_as_seen_from_the_targets():
    names = [name_of(note, NOTE) for note in other_notes(NOTE)]
    assert names == ["-12", "+7", "+12", "+24", "velocity 60"]
    low = replace(NOTE, pitch=5, velocity=60)
    assert [name_of(note, low) for note in other_notes(low)] == ["+7", "+12", "+24"]


def test_a_filter_that_does_not_follow_the_key_is_found_elsewhere():
    """At the given key both cutoffs are the same; two octaves higher they are not."""
    follows, fixed = changed(VCF1_KeyScl=100, VCF1_Freq=80), changed(VCF1_KeyScl=0, VCF1_Freq=80)
    sound = sound_of("s", follows)
    heard = heard_elsewhere(sound, open_engine, SETTINGS)
    assert [each.note.pitch for each in heard] == [36, 55, 60, 72, 48]
    right, wrong = (
        score_elsewhere(sound, p, heard, open_engine, SETTINGS) for p in (follows, fixed)
    )
    assert wrong["+24"][metrics.PRIMARY] > 1.5 * right["+24"][metrics.PRIMARY]
    failed = score_elsewhere(sound, None, heard, open_engine, SETTINGS)
    assert failed["+24"]["known"] == 60.0


def test_further_recordings_go_before_the_known_patch_and_nothing_is_made_up():
    other = replace(NOTE, pitch=60)
    audio = PanelRenderer().render(BASE.values()[None], other, 3)[0]
    sound = replace(sound_of("s", BASE), preset=None, further=((other, audio),))
    [heard] = heard_elsewhere(sound, open_engine, SETTINGS)
    assert heard.name == "+12"
    assert heard_elsewhere(replace(sound, further=()), open_engine, SETTINGS) == []


@pytest.fixture(scope="module")
def entered(tmp_path_factory):
    """A run in which a tool answers one sound with a preset and one with audio."""
    place = tmp_path_factory.mktemp("entry")
    entry = place / "their tool"
    entry.mkdir()
    low = replace(NOTE, pitch=36)
    sounds = [sound_of("one", BASE), replace(sound_of("two", BASE, low), note=low)]
    BASE.write(entry / "one.h2p")
    write_wav(entry / "two.wav", sounds[1].audio, NOTE.sample_rate)
    told = {"format": "deepdiva-entry", "format_version": 1, "tool": "Theirs", "renders": 9}
    (entry / "entry.json").write_text(json.dumps(told))
    presets = place / "presets"
    presets.mkdir()
    changed(VCF1_Freq=60).write(presets / "one.h2p")
    changed(VCF1_Freq=60).write(presets / "two.h2p")
    folder = RunFolder(place / "run")

    def methods(note):
        settings = replace(SETTINGS, note=note)
        return [EntryMethod("theirs", entry, settings), PresetsMethod("dark", presets)]

    run(
        folder,
        Collection("c", sounds, {}),
        methods(NOTE),
        open_engine,
        SETTINGS,
        at_note=methods,
    )
    return folder, write_reports(folder, DIVA)


def test_presets_and_sounds_of_a_tool_are_scored_alike(entered):
    folder, summary = entered
    results = summary.results["theirs"]
    assert {name: result.status for name, result in results.items()} == {"one": "ok", "two": "ok"}
    assert results["two"].scores[metrics.PRIMARY] == pytest.approx(0, abs=1e-3)
    assert results["two"].values == {}
    assert results["two"].elsewhere == {}
    assert results["one"].renders == results["two"].renders == 9
    assert summary.methods[0].name == "theirs"
    assert summary.info.methods["theirs"]["tool"] == "Theirs"
    assert "answered with a sound" in (folder.path / "report.html").read_text("utf-8")


def test_other_keys_stand_in_report_and_table(entered):
    folder, summary = entered
    dark = next(each for each in summary.methods if each.name == "dark")
    assert dark.elsewhere is not None
    assert list(dark.elsewhere.notes) == ["-12", "+7", "+12", "+24", "velocity 60"]
    assert dark.elsewhere.flatters.low <= dark.elsewhere.flatters.value
    assert "flatters by" in (folder.path / "summary.md").read_text("utf-8")
    assert "On other keys" in (folder.path / "report.html").read_text("utf-8")


def test_sounds_are_matched_on_their_own_notes(entered):
    """The low sound has the pitch of its own key."""
    folder, summary = entered
    assert [sound.note and sound.note["pitch"] for sound in summary.info.sounds] == [None, 36]
    with pytest.raises(InvalidValueError, match="two holds Note"):
        run(
            RunFolder(folder.path.parent / "other"),
            Collection("c", [replace(sound_of("two", BASE), note=replace(NOTE, pitch=36))], {}),
            [PresetsMethod("dark", folder.path.parent / "presets")],
            open_engine,
            SETTINGS,
        )


def test_a_leaderboard_has_a_line_for_each_method(entered):
    folder, summary = entered
    with (folder.path / "leaderboard.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["method"] for line in lines] == ["theirs", "dark"]
    assert lines[0]["tool"] == "Theirs"
    assert lines[0]["metrics"] == str(metrics.VERSION)
    assert len({line["sounds_sha256"] for line in lines}) == 1
    value = float(lines[1][metrics.PRIMARY])
    assert value == pytest.approx(summary.methods[1].averages[metrics.PRIMARY].mean.value)


def test_an_empty_entry_and_a_missing_answer_are_told(tmp_path):
    with pytest.raises(MissingFileError, match="no folder with presets"):
        EntryMethod("e", tmp_path, SETTINGS)
    write_wav(tmp_path / "one.wav", np.ones(99, np.float32), 44100)
    method = EntryMethod("e", tmp_path, SETTINGS)
    with pytest.raises(MissingFileError, match="no answer to two"):
        method.match(replace(sound_of("two", BASE), name="two"), 0)
    (tmp_path / "entry.json").write_text("{}")
    with pytest.raises(InvalidValueError, match=r"entry\.json"):
        EntryMethod("e", tmp_path, SETTINGS)
