"""Presets of a folder are found by their own sounds, played otherwise."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.cluster import Workers
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.library import cache, nearest_presets, open_library
from deepdiva.library.fingerprint import BANDS, SPANS, fingerprint, spectral_gaps, transposed
from deepdiva.library.rendered import play
from deepdiva.library.sound import sound_to_find
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset

NOTE = Note(pitch=53, velocity=70, length_seconds=0.6, render_seconds=0.8)
CHANGES = {
    "dull": {"VCF1.Freq": 50.0, "VCF1.Res": 0.0},
    "bright": {"VCF1.Freq": 120.0, "VCF1.Res": 0.0},
    "sharp": {"VCF1.Freq": 75.0, "VCF1.Res": 90.0},
    "slow": {"VCF1.Freq": 90.0, "ENV1.Atk": 60.0},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets")
    template = Preset.template()
    for name, changes in CHANGES.items():
        values = template.values()
        for parameter, value in changes.items():
            values[DIVA.index(parameter)] = value
        template.with_values(values).write(folder / f"{name}.h2p")
    return folder


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def library(folder, cached):
    return open_library(folder, workers=Workers(jobs=2), cached_in=cached)


@pytest.fixture(scope="module")
def sound(folder, tmp_path_factory):
    """A preset at a key that the library does not have, softer in both ways."""
    path = tmp_path_factory.mktemp("sounds") / "unnamed.wav"
    audio = play(Preset.read(folder / "sharp.h2p"), NOTE, seed=1) * np.float32(0.1)
    write_wav(path, audio, NOTE.sample_rate)
    return path


def test_preset_is_found_at_another_key_velocity_and_level(library, sound):
    wanted = sound_to_find(sound)
    found = nearest_presets(library, wanted.audio, wanted.note, keys=wanted.keys, jobs=2)
    assert found[0].path.stem == "sharp"
    assert found[0].key == NOTE.pitch
    assert [one.distance for one in found] == sorted(one.distance for one in found)
    assert {one.path for one in found} == set(library.paths)
    rms = [float(np.sqrt(np.mean(np.square(one)))) for one in (found[0].sound, wanted.audio)]
    assert rms[0] == pytest.approx(rms[1], rel=0.2)


def test_second_call_renders_nothing_and_damage_is_mended(folder, cached, library):
    assert library.rendered == len(CHANGES)
    entries = sorted(cached.rglob("*.spectra"))
    entries[0].write_bytes(entries[0].read_bytes()[:-100])
    data = bytearray(entries[1].read_bytes())
    data[-1] ^= 1
    entries[1].write_bytes(data)
    again = open_library(folder, cached_in=cached)
    assert again.rendered == 2
    np.testing.assert_array_equal(again.prints, library.prints)
    assert open_library(folder, cached_in=cached).rendered == 0


def test_what_cannot_be_played_is_named_and_stops_nothing(cached, library, tmp_path):
    for path in library.paths:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "a broken one.h2p").write_bytes(b"no preset")
    told = []
    found = open_library(tmp_path, cached_in=cached, on_progress=lambda *done: told.append(done))
    assert len(found.paths) == len(CHANGES)
    assert found.rendered == 0  # known by content, not by place
    assert [one.path.name for one in found.unplayed] == ["a broken one.h2p"]
    assert told[-1] == (len(CHANGES) + 1,) * 2


def test_folders_without_presets_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match="no folder"):
        open_library(tmp_path / "none")
    with pytest.raises(InvalidValueError, match="holds no"):
        open_library(tmp_path)


def test_fingerprints_follow_key_and_forget_level():
    seconds = np.arange(2 * 44100) / 44100
    note = Note()
    partials = np.arange(1, 20)[:, None]

    def harmonic(key):
        hertz = Note(pitch=key).frequency_hz
        return (np.sin(2 * np.pi * hertz * partials * seconds) / partials).sum(0).astype("f4")

    prints = np.stack([fingerprint(0.1 * harmonic(key), note) for key in (48, 60)])[None]
    wanted = fingerprint(0.01 * harmonic(55), note)
    gaps = {
        key: spectral_gaps(transposed(np.array([48, 60]), prints, key)[1], wanted)[0]
        for key in range(50, 60)
    }
    assert min(gaps, key=gaps.get) == 55
    assert spectral_gaps(10 * wanted[None], wanted)[0] == pytest.approx(0.0, abs=1e-3)


def test_entries_of_another_size_are_not_read(tmp_path):
    path = tmp_path / "one.spectra"
    cache.store(path, np.zeros((3, SPANS, BANDS), np.float32))
    assert cache.load(path, 3).shape == (3, SPANS, BANDS)
    assert cache.load(path, 4) is None
    assert cache.load(tmp_path / "none", 3) is None


def test_command_writes_previews_and_a_picture(folder, sound, tmp_path):
    output = tmp_path / "near"
    arguments = ["find", str(sound), "--among", str(folder), "-n", "2", "-o", str(output), "--json"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert next(one["key"] for one in result["found"]) == NOTE.pitch
    names = {"01 sharp.wav", "unnamed.png"}
    assert names < {path.name for path in output.iterdir()}
    assert len(list(output.iterdir())) == 3
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "--force" in again.output
    table = CliRunner().invoke(main, arguments[:-3])
    assert "53 F3" in table.stdout


def test_search_also_starts_from_a_library(folder, sound, tmp_path):
    done = CliRunner().invoke(
        main,
        [
            "refine",
            str(sound),
            "--library",
            str(folder),
            "--no-predict",
            "--note-pitch",
            "53",
            "--evaluations",
            "8",
            "--free",
            "VCF1.Freq VCF1.Res",
            "-o",
            str(tmp_path),
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    values = Preset.read(tmp_path / "unnamed.h2p").values()
    assert values[DIVA.index("VCF1.Res")] == pytest.approx(90.0, abs=5.0)


def test_presets_of_others_are_found(diva_presets, tmp_path):
    """Those that play no arpeggio: one is heard as other notes (docs/library.md)."""
    chosen = diva_presets[::6] + diva_presets[-1:]
    for path in chosen:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    library = open_library(tmp_path)
    chosen = library.paths[::4]
    held = [p for p in chosen if Preset.read(p).values()[DIVA.index("ARP.OnOff")] < 0.5]
    assert len(held) == 2
    for path in held:
        note = Note(pitch=48, velocity=70, length_seconds=1.0, render_seconds=1.4)
        audio = play(Preset.read(path), note, seed=1) * np.float32(0.1)
        assert nearest_presets(library, audio, note, keys=(48,))[0].path == path
