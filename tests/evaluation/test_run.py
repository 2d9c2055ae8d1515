"""A run scores what lies on disk, survives interruptions, and keeps failures in their cells."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepdiva.cluster import Workers
from deepdiva.errors import FileExistsAlreadyError, InvalidValueError
from deepdiva.evaluation import metrics
from deepdiva.evaluation.folder import RunFolder
from deepdiva.evaluation.method import Match, Method
from deepdiva.evaluation.registry import Context, make_methods
from deepdiva.evaluation.run import check_names, run
from deepdiva.evaluation.scoring import EvaluationSettings, noise_floor
from deepdiva.evaluation.sound_collections import Collection
from deepdiva.evaluation.sounds import Sound, seeds_for
from deepdiva.evaluation.summary import summarise
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(length_seconds=0.3, render_seconds=0.3)
SETTINGS = EvaluationSettings(NOTE, default_space(), realizations=2)
BASE = Preset.template()


def open_engine(preset: Preset) -> Renderer:
    return PanelRenderer(preset.detune_pots())


def changed(**values: float) -> Preset:
    """MS-REV1 with a few values; `OSC_Vol1=0` stands for `OSC.Vol1`."""
    patch = BASE.values()
    for name, value in values.items():
        patch[SETTINGS.space.table.index(name.replace("_", "."))] = value
    return BASE.with_values(patch)


class Detuned(Method):
    """Answers with the truth, its second oscillator and cutoff a little off, at random."""

    name = "detuned"

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "detuned"}

    def prepare(self) -> None:
        """Nothing to load."""

    def match(self, sound: Sound, seed: int) -> Match:
        patch = sound.preset.values()
        rng = np.random.default_rng(seed)
        patch[SETTINGS.space.table.index("VCF1.Freq")] = rng.uniform(60, 140)
        return Match(BASE.with_values(patch), renders=7)


class Choosy(Method):
    """Answers with a given preset, or raises what is given in its place."""

    def __init__(self, name: str, answers: Mapping[str, Preset | BaseException]) -> None:
        self._name = name
        self._answers = answers
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "choosy", "name": self._name}

    def prepare(self) -> None:
        """Nothing to load."""

    def match(self, sound: Sound, seed: int) -> Match:  # noqa: ARG002
        self.asked.append(sound.name)
        answer = self._answers.get(sound.name, BASE)
        if isinstance(answer, BaseException):
            raise answer
        return Match(answer, renders=0)


class Deadly(Detuned):
    """Takes its process down, as a plug-in can."""

    def match(self, sound: Sound, seed: int) -> Match:
        if sound.name == "dark":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().match(sound, seed)


def played(note: Note) -> Collection:
    """Three presets of the engine, as targets."""
    presets = {
        "bright": changed(OSC_Wave1=2, VCF1_Freq=140),
        "dark": changed(OSC_Wave1=1, VCF1_Freq=80, OSC_Tune1=-12),
        "two": changed(OSC_Vol2=60, OSC_Tune2=7, VCF1_Freq=110),
    }
    sounds = [
        Sound(name, open_engine(p).render(p.values()[None], note, 99)[0], p, "test")
        for name, p in presets.items()
    ]
    return Collection("three", sounds, {})


@pytest.fixture(scope="module")
def collection() -> Collection:
    return played(NOTE)


def go(path: Path, collection: Collection, methods: list[Method], **options: Any) -> None:
    settings = options.pop("settings", SETTINGS)
    options.setdefault("workers", Workers(jobs=options.pop("jobs", 1)))
    run(RunFolder(path), collection, methods, open_engine, settings, **options)


def results(path: Path, method: str) -> dict[str, dict[str, Any]]:
    """Stored results without their times, by sound."""
    found = {}
    for file in sorted((path / "results" / method).glob("*.json")):
        found[file.stem] = json.loads(file.read_bytes())
        del found[file.stem]["seconds"]
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory, collection) -> Path:
    path = tmp_path_factory.mktemp("run")
    go(path, collection, [Detuned()])
    return path


def test_scores_are_those_of_the_preset_on_disk(finished, collection):
    """Read, played and scored by hand."""
    for sound in collection.sounds:
        preset = Preset.read(finished / "presets" / "detuned" / f"{sound.name}.h2p")
        realizations = PanelRenderer(preset.detune_pots()).render(
            np.tile(preset.values(), (2, 1)), NOTE, sound.seeds(0, 2)
        )
        stored = results(finished, "detuned")[sound.name]
        each = [metrics.evaluate(sound.audio, realization, 44100) for realization in realizations]
        for metric in metrics.PANEL:
            values = [scores[metric.key] for scores in each]
            expected = None if values[0] is None else pytest.approx(np.mean(values))
            assert stored["scores"][metric.key] == expected
        assert stored["realization_spread"] == pytest.approx(
            metrics.primary(realizations[0], realizations[1], 44100)
        )
        assert stored["status"] == "ok"
        assert stored["renders"] == 7


def test_parameters_are_compared_with_the_truth(finished, collection):
    for sound in collection.sounds:
        stored = results(finished, "detuned")[sound.name]
        wrong = {name for name, error in stored["errors"].items() if error > 0}
        assert wrong == {"VCF1.Freq"}
        truth = sound.preset.values()[148]
        assert stored["errors"]["VCF1.Freq"] == pytest.approx(
            abs(stored["values"]["VCF1.Freq"] - truth) / 120
        )
        assert stored["scores"]["class_accuracy"] == 1.0


def test_noise_floor_is_that_of_the_true_preset(collection):
    sound = collection.sounds[0]
    realizations = open_engine(sound.preset).render(
        np.tile(sound.preset.values(), (2, 1)), NOTE, sound.seeds(0, 2)
    )
    expected = np.mean([metrics.primary(sound.audio, s, 44100) for s in realizations])
    assert noise_floor(sound, open_engine, SETTINGS) == pytest.approx(expected)
    assert noise_floor(replace(sound, preset=None), open_engine, SETTINGS) is None


def test_a_result_depends_on_no_other_sound(finished, collection, tmp_path):
    alone = replace(collection, sounds=collection.sounds[1:2])
    go(tmp_path, alone, [Detuned()])
    assert results(tmp_path, "detuned")["dark"] == results(finished, "detuned")["dark"]


def test_workers_do_not_change_results(finished, collection, tmp_path):
    go(tmp_path, collection, [Detuned()], jobs=2)
    assert results(tmp_path, "detuned") == results(finished, "detuned")


def test_a_failure_stays_in_its_cell_and_is_scored_as_silence(collection, tmp_path):
    answers = {"dark": ValueError("out of ideas"), "two": changed(OSC_Vol1=0, OSC_Vol2=0)}
    seen = []
    go(tmp_path, collection, [Choosy("choosy", answers)], on_result=seen.append)
    assert [result.status for result in seen] == ["ok", "failed", "silent"]
    failed, silent = results(tmp_path, "choosy")["dark"], results(tmp_path, "choosy")["two"]
    assert failed["error"] == "ValueError: out of ideas"
    assert failed["renders"] is None
    silence = np.zeros(NOTE.samples, np.float32)
    for stored, sound in ((failed, collection.sounds[1]), (silent, collection.sounds[2])):
        expected = metrics.evaluate(sound.audio, silence, 44100)
        assert {key: stored["scores"][key] for key in expected} == pytest.approx(expected)
    assert (failed["scores"]["parameter_error"], failed["scores"]["class_accuracy"]) == (1, 0)
    assert not (tmp_path / "presets" / "choosy" / "dark.h2p").exists()
    assert (tmp_path / "presets" / "choosy" / "two.h2p").exists()


def test_failures_are_tried_again_and_the_rest_is_kept(collection, tmp_path):
    go(tmp_path, collection, [Choosy("choosy", {"dark": ValueError("out of ideas")})])
    again = Choosy("choosy", {})
    plans = []
    go(tmp_path, collection, [again], on_plan=lambda cells, done: plans.append((cells, done)))
    assert again.asked == ["dark"]
    assert plans == [(3, 2)]
    assert results(tmp_path, "choosy")["dark"]["status"] == "ok"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_later_run_asks_its_own_methods(collection, tmp_path, jobs):
    """Not those of the same name and description that an earlier run has left in a worker."""
    answers = {}
    for folder, cutoff in (("first", 60), ("second", 90)):
        wanted = changed(VCF1_Freq=cutoff)
        choosy = Choosy("choosy", {sound.name: wanted for sound in collection.sounds})
        go(tmp_path / folder, collection, [choosy], jobs=jobs)
        answers[cutoff] = {
            result["values"]["VCF1.Freq"]
            for result in results(tmp_path / folder, "choosy").values()
        }
    assert answers == {60: {60.0}, 90: {90.0}}


def test_a_later_run_answers_around_its_own_base(collection, tmp_path):
    for voicing in (1.0, 2.0):
        base = changed(VCC_Voicing=voicing)
        settings = replace(SETTINGS, space=default_space(base.values()))
        methods = make_methods(["mean"], Context(PanelRenderer(), base, settings))
        path = tmp_path / f"voicing {voicing:g}"
        go(path, collection, methods, settings=settings)
        answer = Preset.read(path / "presets" / "mean" / "dark.h2p")
        assert answer.values()[SETTINGS.space.table.index("VCC.Voicing")] == voicing


def test_a_worker_that_is_killed_costs_its_cell_only(finished, collection, tmp_path):
    go(tmp_path, collection, [Deadly()], jobs=2)
    stored = results(tmp_path, "detuned")
    assert stored["dark"]["status"] == "failed"
    assert re.search(r"worker process died.*--jobs.*tried 3 times", stored["dark"]["error"])
    assert {name: stored[name] for name in ("bright", "two")} == {
        name: results(finished, "detuned")[name] for name in ("bright", "two")
    }
    assert not (tmp_path / "presets" / "detuned" / "dark.h2p").exists()


def test_an_interrupted_run_goes_on_to_the_same_results(finished, collection, tmp_path):
    class Interrupted(Detuned):
        def match(self, sound: Sound, seed: int) -> Match:
            if sound.name == "dark":
                raise KeyboardInterrupt
            return super().match(sound, seed)

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, collection, [Interrupted()])
    assert set(results(tmp_path, "detuned")) == {"bright"}
    done = []
    go(tmp_path, collection, [Detuned()], on_plan=lambda _, count: done.append(count))
    assert done == [1]
    assert results(tmp_path, "detuned") == results(finished, "detuned")
    for sound in collection.sounds:
        name = f"{sound.name}.wav"
        preview = (tmp_path / "previews" / "detuned" / name).read_bytes()
        assert preview == (finished / "previews" / "detuned" / name).read_bytes()


def test_a_changed_target_is_answered_again(collection, tmp_path):
    go(tmp_path, collection, [Detuned()])
    first = results(tmp_path, "detuned")["dark"]["key"]
    louder = replace(collection.sounds[1], audio=collection.sounds[1].audio * np.float32(0.5))
    other = replace(collection, sounds=[collection.sounds[0], louder, collection.sounds[2]])
    with pytest.raises(FileExistsAlreadyError, match="differs in sounds"):
        go(tmp_path, other, [Detuned()])
    go(tmp_path, other, [Detuned()], force=True)
    assert results(tmp_path, "detuned")["dark"]["key"] != first


def test_results_of_other_settings_are_not_mixed(collection, tmp_path):
    go(tmp_path, collection, [Detuned()])
    with pytest.raises(FileExistsAlreadyError, match="differs in settings"):
        go(tmp_path, collection, [Detuned()], settings=replace(SETTINGS, seed=1))

    class Other(Detuned):
        def describe(self) -> Mapping[str, Any]:
            return {"kind": "other"}

    with pytest.raises(FileExistsAlreadyError, match="differs in method detuned"):
        go(tmp_path, collection, [Other()])


def half_replaced(path: Path, collection: Collection, settings: EvaluationSettings) -> None:
    """A finished run, then one of other settings that was broken off after its first sound."""
    go(path, played(NOTE), [Choosy("quick", {}), Choosy("slow", {})])
    interrupted = Choosy("slow", {"dark": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        go(path, collection, [interrupted], settings=settings, force=True)


def test_after_force_results_of_other_settings_count_as_missing(collection, tmp_path):
    other = replace(SETTINGS, seed=1)
    half_replaced(tmp_path, collection, other)
    go(tmp_path, collection, [Choosy("quick", {})], settings=other)
    summary = summarise(RunFolder(tmp_path))
    assert {c.name: c.counts["missing"] for c in summary.methods} == {"quick": 0, "slow": 2}
    assert {c.name: c.probe is None for c in summary.methods} == {"quick": False, "slow": True}
    assert set(summary.results["slow"]) == {"bright"}
    assert not summary.complete


def test_previews_of_another_length_are_not_probed(tmp_path):
    longer = replace(NOTE, render_seconds=0.4)
    settings = replace(SETTINGS, note=longer)
    half_replaced(tmp_path, played(longer), settings)
    go(tmp_path, played(longer), [Choosy("quick", {})], settings=settings)
    assert not summarise(RunFolder(tmp_path)).complete


def test_what_force_has_not_replaced_is_found_again(collection, tmp_path):
    half_replaced(tmp_path, collection, replace(SETTINGS, seed=1))
    plans = []
    both = [Choosy("quick", {}), Choosy("slow", {})]
    go(tmp_path, collection, both, force=True, on_plan=lambda *plan: plans.append(plan))
    assert plans == [(6, 5)]
    assert summarise(RunFolder(tmp_path)).complete


def test_a_result_never_stands_beside_the_preset_of_another(collection, tmp_path, monkeypatch):
    go(tmp_path, collection, [Choosy("choosy", {})])

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deepdiva.evaluation.run.score_match", interrupt)
    other = Choosy("choosy", {"bright": changed(VCF1_Freq=60)})
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, collection, [other], settings=replace(SETTINGS, seed=1), force=True)
    assert set(results(tmp_path, "choosy")) == {"dark", "two"}


def test_force_keeps_other_methods_of_the_same_settings(collection, tmp_path):
    go(tmp_path, collection, [Choosy("first", {})])
    go(tmp_path, collection, [Choosy("second", {})], force=True)
    fewer = replace(collection, sounds=collection.sounds[:2])
    go(tmp_path, fewer, [Choosy("third", {})], force=True)
    assert list(RunFolder(tmp_path).read_info().methods) == ["first", "second", "third"]
    summary = summarise(RunFolder(tmp_path))
    assert summary.complete
    assert {method.name for method in summary.methods} == {"first", "second", "third"}


def test_force_drops_methods_without_a_result_of_these_settings(collection, tmp_path):
    go(tmp_path, collection, [Choosy("first", {})])
    other = replace(SETTINGS, seed=1)
    go(tmp_path, collection, [Choosy("second", {})], settings=other, force=True)
    assert list(RunFolder(tmp_path).read_info().methods) == ["second"]


def test_force_replaces_a_run_of_another_format(collection, tmp_path):
    (tmp_path / "run.json").write_text('{"format": 0}')
    with pytest.raises(InvalidValueError, match="format '0'"):
        go(tmp_path, collection, [Detuned()])
    go(tmp_path, collection, [Detuned()], force=True)
    assert summarise(RunFolder(tmp_path)).complete


def test_a_folder_with_other_things_is_left_alone(collection, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsAlreadyError, match="holds no run"):
        go(tmp_path, collection, [Detuned()])
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_methods_can_be_added_later(collection, tmp_path):
    go(tmp_path, collection, [Detuned()])
    before = results(tmp_path, "detuned")
    go(tmp_path, collection, [Choosy("late", {})])
    info = RunFolder(tmp_path).read_info()
    assert list(info.methods) == ["detuned", "late"]
    assert results(tmp_path, "detuned") == before
    assert set(results(tmp_path, "late")) == {"bright", "dark", "two"}


def test_run_says_all_about_itself(finished, collection):
    info = RunFolder(finished).read_info()
    assert info.renderer == {"name": "embedded", "version": PanelRenderer().info.version}
    assert Note(**info.settings["note"]) == NOTE
    assert info.methods == {"detuned": {"kind": "detuned"}}
    for entry, sound in zip(info.sounds, collection.sounds, strict=True):
        assert entry.name == sound.name
        assert entry.values["VCF1.Freq"] == sound.preset.values()[148]
        assert entry.floor == pytest.approx(noise_floor(sound, open_engine, SETTINGS))
    assert asdict(info)["test_set"] == "three"


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "what?", "dot.", "blank ", "line\nbreak"])
def test_names_that_cannot_be_files_are_refused(name):
    with pytest.raises(InvalidValueError, match="cannot name a sound"):
        check_names("sound", [name])


def test_names_must_differ_on_every_file_system():
    with pytest.raises(InvalidValueError, match="called 'Kick'"):
        check_names("sound", ["Kick", "kick"])
    with pytest.raises(InvalidValueError, match="no method"):
        check_names("method", [])


def test_seeds_belong_to_the_name():
    assert seeds_for("kick", 0, 3) == seeds_for("kick", 0, 5)[:3]
    assert (
        len({*seeds_for("kick", 0, 4), *seeds_for("snare", 0, 4), *seeds_for("kick", 1, 4)}) == 12
    )
    assert all(0 <= seed < 2**31 for seed in seeds_for("kick", 7, 50))
