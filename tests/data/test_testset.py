"""Test sets: checked, self-describing, and the same for everybody."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import read_audio
from deepdiva.calibration import KnownSounds
from deepdiva.cli import main
from deepdiva.data.testsets import embedded50, flow64, panel200
from deepdiva.data.testsets.diva50 import Diva50, checksums
from deepdiva.data.testsets.flow64 import Flow64
from deepdiva.data.testsets.make_testset import drawn_sounds, make_test_set, sounds_of_presets
from deepdiva.data.testsets.testset import Further, TestSet
from deepdiva.data.testsets.testset_registry import NAMED, cached, load
from deepdiva.errors import (
    AudioError,
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
    StorageError,
    UnknownNameError,
)
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, SEED_PROJECT_FREE, acting, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.prior.human import HumanPrior
from deepdiva.synths.diva.trimmers import Trimmers

NOTE = Note(length_seconds=0.04, render_seconds=0.05)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's own cache."""
    monkeypatch.setenv("DEEPDIVA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# diva50


def test_the_table_of_checksums_is_complete() -> None:
    files = [f"eval_0_audio_{number}.wav" for number in range(50)]
    assert list(checksums()) == files
    assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in checksums().values())
    assert len(set(checksums().values())) == 50


def test_half_of_diva50_comes_from_a_folder_and_says_what_is_missing(
    diva_recordings: list[Path], cache: Path
) -> None:
    assert cached("diva50") is None
    source = diva_recordings[0].parent
    options = ["testset", "get", "diva50", "--from", str(source), "--json"]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["missing"] == [f"eval_0_audio_{number}" for number in range(1, 50, 2)]

    got = load("diva50")
    assert got.folder == cache / "testsets" / "diva50"
    assert [sound.name for sound in got.sounds] == [path.stem for path in diva_recordings]
    assert got.damaged() == []
    assert got.note == Note()
    assert got.space.free == SEED_PROJECT_FREE
    assert got.space.base[DIVA.index("VCC.Voicing")] == 2.0
    assert "MIT" in got.origin
    for sound, path in zip(got.sounds, diva_recordings, strict=True):
        assert sound.patch is None
        recorded, rate = read_audio(path)
        assert rate == got.note.sample_rate
        np.testing.assert_array_equal(got.audio(sound), recorded[: got.note.samples, 0])


def test_a_recording_that_was_changed_is_refused(
    diva_recordings: list[Path], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    data = bytearray(diva_recordings[3].read_bytes())
    data[-1] ^= 1
    (source / diva_recordings[3].name).write_bytes(data)
    with pytest.raises(InvalidValueError, match=r"eval_0_audio_6\.wav is not the recording"):
        Diva50().fetch(tmp_path / "to", source)
    assert not (tmp_path / "to").exists()


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"eval_0_audio_0\.wav to eval_0_audio_49\.wav"):
        Diva50().fetch(tmp_path / "to", tmp_path)
    with pytest.raises(MissingFileError, match="is no folder"):
        Diva50().fetch(tmp_path / "to", tmp_path / "none")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a web server offers it."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{web.server_port}/"
        web.shutdown()
        thread.join()


def test_diva50_is_fetched_checked_and_fetched_only_once(
    diva_recordings: list[Path], server: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = server
    target = tmp_path / "to"
    target.mkdir()
    # The server has the first recording only; the others of the set are here already.
    shutil.copy(diva_recordings[0], folder)
    for path in diva_recordings[1:]:
        shutil.copy(path, target)
    with pytest.raises(StorageError, match=r"eval_0_audio_1\.wav cannot be fetched .*--from DIR"):
        Diva50(url).fetch(target)
    fetched = target / diva_recordings[0].name
    assert fetched.read_bytes() == diva_recordings[0].read_bytes()


def test_a_download_that_was_changed_is_refused(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = server
    (folder / "eval_0_audio_0.wav").write_bytes(b"not the sound")
    with pytest.raises(InvalidValueError, match="its SHA-256 is another"):
        Diva50(url).fetch(tmp_path / "to")
    assert not list((tmp_path / "to").glob("*.wav"))


# embedded50


def test_the_list_is_what_its_script_writes() -> None:
    path = Path(embedded50.__file__).parent / "embedded50.csv"
    assert path.read_text(encoding="utf-8") == embedded50.to_csv(embedded50.draw())


def test_the_list_is_what_was_drawn() -> None:
    listed, drawn_again = embedded50.listed(), embedded50.draw()
    assert len(listed) == 50
    for one, other in zip(listed, drawn_again, strict=True):
        assert (one.name, one.seed) == (other.name, other.seed)
        np.testing.assert_array_equal(one.patch, other.patch)


def test_embedded50_is_rendered_on_demand_and_kept() -> None:
    assert cached("embedded50") is None
    made = load("embedded50")
    assert len(made.sounds) == 50
    renderer = PanelRenderer()
    assert made.renderer == {"name": "embedded", "version": renderer.info.version}
    for sound in made.sounds[::10]:
        assert sound.patch is not None
        assert sound.seed is not None
        np.testing.assert_array_equal(
            made.audio(sound), renderer.render(sound.patch[None], made.note, sound.seed)[0]
        )
    peaks = [np.abs(made.audio(sound)).max() for sound in made.sounds]
    assert min(peaks) > 0.01  # every one of them can be heard
    before = (made.folder / "testset.json").stat().st_mtime_ns
    again = load("embedded50")
    assert (again.folder / "testset.json").stat().st_mtime_ns == before
    np.testing.assert_array_equal(again.sounds[7].patch, made.sounds[7].patch)


def test_the_folder_of_a_run_may_be_called_like_a_known_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "embedded50").mkdir()
    assert load("embedded50").folder != Path("embedded50")
    with pytest.raises(MissingFileError, match="is no test set"):
        load("./embedded50")


def test_another_engine_renders_embedded50_anew() -> None:
    made = load("embedded50")
    path = made.folder / "testset.json"
    text = path.read_text()
    version = json.dumps(PanelRenderer().info.version)
    path.write_text(text.replace(f'"version": {version}', '"version": "0"'))
    assert cached("embedded50") is None
    assert load("embedded50").renderer["version"] == PanelRenderer().info.version


# Sets of one's own


def test_a_set_survives_the_disk(tmp_path: Path) -> None:
    space = default_space().locked({"VCC.Voicing": 3.0})
    sounds = drawn_sounds(space, 4, 9, "sound_")
    made = make_test_set(tmp_path / "set", "mine", "here", sounds, space, NOTE, [PanelRenderer()])
    again = TestSet.open(tmp_path / "set")
    assert (again.name, again.origin, again.note) == ("mine", "here", NOTE)
    assert again.to_json() == made.to_json()
    for sound, one in zip(sounds, again.sounds, strict=True):
        assert one.patch is not None
        np.testing.assert_array_equal(one.patch, sound.patch)
    assert again.damaged() == []
    again.path(again.sounds[2]).write_bytes(b"")
    assert again.damaged() == [again.path(again.sounds[2])]


def test_draws_do_not_depend_on_how_many_follow() -> None:
    space = default_space()
    few, many = drawn_sounds(space, 3, 1, "s"), drawn_sounds(space, 12, 1, "s")
    for one, other in zip(few, many, strict=False):
        assert one.seed == other.seed
        np.testing.assert_array_equal(one.patch, other.patch)
    DIVA.check(np.stack([sound.patch for sound in many]), grid=True)


def test_drawn_patches_stand_on_the_grid_of_preset_files() -> None:
    for sound in drawn_sounds(default_space(), 5, 2, "s"):
        preset = Preset.template().with_values(sound.patch)
        np.testing.assert_array_equal(preset.values(), sound.patch)


def test_presets_become_a_set(diva_presets: list[Path], tmp_path: Path) -> None:
    source = tmp_path / "presets"
    source.mkdir()
    for path in diva_presets[:3]:
        shutil.copy(path, source)
    options = ["testset", "make", str(tmp_path / "set"), "--from-presets", str(source)]
    options += ["--render-length", "0.05", "--note-length", "0.04", "--seed", "4"]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    made = TestSet.open(tmp_path / "set")
    for sound, path in zip(made.sounds, sorted(diva_presets[:3]), strict=True):
        preset = Preset.read(path)
        assert sound.patch is not None
        np.testing.assert_array_equal(sound.patch, preset.values())
        renderer = PanelRenderer(preset.detune_pots())
        np.testing.assert_array_equal(
            made.audio(sound), renderer.render(preset.values()[None], made.note, 4)[0]
        )


def test_presets_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    for name in ("低音", "高音", "a{}b"):
        Preset.template().write(tmp_path / "presets" / f"{name}.h2p")
    options = ["testset", "make", str(tmp_path / "set"), "--from-presets"]
    options += [str(tmp_path / "presets"), "--render-length", "0.05", "--note-length", "0.04"]
    refused = CliRunner().invoke(main, [*options, "--count", "3"])
    assert refused.exit_code == 2
    assert "--count 3: all presets" in refused.stderr
    assert CliRunner().invoke(main, options, catch_exceptions=False).exit_code == 0
    made = TestSet.open(tmp_path / "set")
    assert [sound.name for sound in made.sounds] == ["a{}b", "低音", "高音"]


def test_a_set_keeps_what_is_no_parameter(diva_presets: list[Path], tmp_path: Path) -> None:
    """Without their detune pots, the true patches of a set would not sound like its sounds."""
    usual = Preset.template().detune_pots()
    base = next(path for path in diva_presets if (Preset.read(path).detune_pots() != usual).any())
    options = ["testset", "make", str(tmp_path / "set"), "--base", str(base), "--count", "2"]
    options += ["--render-length", "0.05", "--note-length", "0.04", "--lock", "VCC.Voicing=2"]
    assert CliRunner().invoke(main, options, catch_exceptions=False).exit_code == 0
    made = TestSet.open(tmp_path / "set")
    pots = Preset.read(base).detune_pots()
    np.testing.assert_array_equal(made.base_preset().detune_pots(), pots)
    np.testing.assert_array_equal(made.base_preset().values(), made.space.base)
    for sound in made.sounds:
        preset = made.preset(sound)
        assert preset is not None
        np.testing.assert_array_equal(preset.detune_pots(), pots)
        np.testing.assert_array_equal(preset.values(), sound.patch)
    (tmp_path / "set" / "presets" / f"{made.sounds[1].name}.h2p").unlink()
    with pytest.raises(MissingFileError, match=r"sound_01\.h2p is missing"):
        TestSet.open(tmp_path / "set")


def test_a_known_set_does_not_replace_one_of_ones_own(tmp_path: Path) -> None:
    space = default_space()
    make_test_set(
        tmp_path, "mine", "here", drawn_sounds(space, 1, 0, "s"), space, NOTE, [PanelRenderer()]
    )
    before = (tmp_path / "testset.json").read_bytes()
    got = CliRunner().invoke(main, ["testset", "get", "embedded50", "--to", str(tmp_path)])
    assert got.exit_code == 2
    assert "holds the test set 'mine'" in got.stderr
    assert (tmp_path / "testset.json").read_bytes() == before


def test_a_set_of_another_synthesizer_lies_around_its_own_preset(
    amsynth: Path, tmp_path: Path
) -> None:
    renderer = PluginRenderer(PluginSettings(amsynth))
    patch = renderer.table.defaults()
    patch[renderer.table.index("osc2_range")] = renderer.table["osc2_range"].maximum
    state = tmp_path / "octave.fxp"
    state.write_bytes(renderer.save(patch).data)
    table = renderer.table
    renderer.close()
    options = ["testset", "make", str(tmp_path / "set"), "--plugin", str(amsynth), "--count", "1"]
    options += ["--base", str(state), "--free", "filter_cutoff", "--render-length", "0.2"]
    assert CliRunner().invoke(main, options, catch_exceptions=False).exit_code == 0
    base = TestSet.open(tmp_path / "set", table).space.base
    np.testing.assert_allclose(base, patch, atol=1e-3)


def test_the_command_line_makes_a_set_once(tmp_path: Path) -> None:
    options = ["testset", "make", str(tmp_path / "set"), "--count", "3", "--free", "VCF1.Freq"]
    options += ["--render-length", "0.05", "--lock", "VCC.Voicing=2", "--name", "cutoffs"]
    runner = CliRunner()
    assert runner.invoke(main, options, catch_exceptions=False).exit_code == 0
    made = load(tmp_path / "set")
    assert (made.name, made.space.free) == ("cutoffs", ("VCF1.Freq",))
    again = runner.invoke(main, options)
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert runner.invoke(main, [*options, "--force"], catch_exceptions=False).exit_code == 0


def test_sets_are_listed() -> None:
    text = CliRunner().invoke(main, ["testset", "list"], catch_exceptions=False).stdout
    for name in NAMED:
        assert name in text
    assert text.count("none here yet") == len(NAMED)


def test_wrong_requests_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="diva50, embedded50"):
        load("diva51")
    with pytest.raises(MissingFileError, match="is no test set"):
        load(tmp_path)
    with pytest.raises(InvalidValueError, match="rendered and not copied"):
        NAMED["embedded50"].fetch(tmp_path / "to", tmp_path)
    with pytest.raises(InvalidValueError, match="at least 1"):
        drawn_sounds(default_space(), 0, 0, "s")
    twins = [Preset.from_bytes(Preset.template().data, "a/x.h2p")] * 2
    with pytest.raises(InvalidValueError, match="Two presets are named 'x'"):
        sounds_of_presets(twins, 0)
    (tmp_path / "testset.json").write_text("{}")
    with pytest.raises(InvalidValueError, match="does not describe a test set"):
        TestSet.open(tmp_path)
    (tmp_path / "testset.json").write_text('{"format": "x", "format_version": 1}')
    with pytest.raises(InvalidValueError, match="format 'x 1'"):
        TestSet.open(tmp_path)


def test_a_set_whose_files_are_gone_or_foreign_is_an_error(tmp_path: Path) -> None:
    space = default_space()
    folder = tmp_path / "set"
    made = make_test_set(
        folder, "m", "h", drawn_sounds(space, 2, 0, "s"), space, NOTE, [PanelRenderer()]
    )
    with pytest.raises(FileExistsAlreadyError, match="exists already"):
        make_test_set(
            folder, "m", "h", drawn_sounds(space, 2, 0, "s"), space, NOTE, [PanelRenderer()]
        )
    other_rate = Note(render_seconds=0.05, sample_rate=22050)
    make_test_set(
        tmp_path / "low",
        "l",
        "h",
        drawn_sounds(space, 2, 0, "s"),
        space,
        other_rate,
        [PanelRenderer()],
    )
    shutil.copy(tmp_path / "low" / "s00.wav", folder)
    with pytest.raises(AudioError, match="22050 samples per second"):
        made.audio(made.sounds[0])
    (folder / "s01.wav").unlink()
    with pytest.raises(MissingFileError, match=r"s01\.wav is missing"):
        TestSet.open(folder)


# flow64


def test_flow64_comes_from_a_folder_with_patches_and_onsets(shared: Path, tmp_path: Path) -> None:
    got = Flow64().fetch(tmp_path / "to", shared / "diva_known")
    assert len(got.sounds) == Flow64.count == 40
    assert got.missing == ()
    there = TestSet.open(tmp_path / "to")
    assert there.note == flow64.NOTE
    assert len(there.space.free) == 32
    known = KnownSounds.read(shared / "diva_known")
    patches = dict(zip(known.names, known.patches, strict=True))
    for sound in there.sounds:
        assert sound.patch is not None
        np.testing.assert_allclose(sound.patch, patches[sound.file], atol=1e-6)
        audio = np.abs(there.audio(sound))
        onset = np.flatnonzero(audio > 0.01 * audio.max())[0]
        assert onset < 0.015 * there.note.sample_rate
        preset = there.preset(sound)
        assert preset is not None
        assert Trimmers.of(preset).oscillator_reset
        assert not preset.detune_pots().any()
    assert cached("flow64") is None
    assert NAMED["flow64"].is_current(there)


def test_flow64_is_read_from_the_repositorys_own_folders(shared: Path, tmp_path: Path) -> None:
    row = flow64.rows()[0]
    place = tmp_path / "audio" / row["place"]
    place.parent.mkdir(parents=True)
    shutil.copy(shared / "diva_known" / row["file"], place)
    got = Flow64().fetch(tmp_path / "to", tmp_path / "audio")
    assert [sound.file for sound in got.sounds] == [row["file"]]
    assert len(got.missing) == 39


def test_flow64_is_fetched_from_where_the_page_keeps_it(
    shared: Path, server: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = server
    for row in flow64.rows():
        place = folder / row["place"]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shared / "diva_known" / row["file"], place)
    assert Flow64(url).fetch(tmp_path / "to").missing == ()


# panel200


def test_panel200_is_listed_with_notes_and_known_to_be_on_the_grid() -> None:
    space, sounds = panel200.listed()
    assert len({sound.name for sound in sounds}) == panel200.COUNT == len(sounds)
    notes = [(sound.note.pitch, sound.note.velocity) for sound in sounds if sound.note]
    assert {notes.count(played) for played in panel200.PLAYED} == {50}
    header = panel200.to_csv(sounds).splitlines()[0].split(",")
    assert set(space.free) < set(header)
    assert set(space.free) <= acting.known()
    drawn = HumanPrior().sample(4, panel200.SEED, [panel200.note_of(k) for k in range(4)])
    np.testing.assert_allclose(sounds[0].patch, np.round(drawn[0], 2))


def test_notes_starts_and_further_recordings_are_kept(tmp_path: Path) -> None:
    """Each sound may have a note of its own; the file of a sound may begin earlier."""
    low = replace(NOTE, pitch=36)
    space = default_space()
    planned = [one._replace(note=low) for one in drawn_sounds(space, 1, 3, "s")]
    made = make_test_set(tmp_path / "set", "t", "o", planned, space, NOTE, [PanelRenderer()])
    assert made.note_of(made.sounds[0]) == low
    further = Further(made.sounds[0].file, made.sounds[0].sha256, NOTE)
    replace(made, sounds=(replace(made.sounds[0], start=100, further=(further,)),)).write(
        force=True
    )
    there = TestSet.open(tmp_path / "set")
    [sound] = there.sounds
    assert (sound.note, sound.start, sound.further) == (low, 100, (further,))
    whole = there.audio(further)
    np.testing.assert_array_equal(there.audio(sound)[:-100], whole[100:])
