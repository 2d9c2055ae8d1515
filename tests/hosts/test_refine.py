"""A search with a plug-in: it survives faults, repeats itself, writes the files of the plug-in."""

import importlib
import json

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import read_audio, write_wav
from deepdiva.cli import main
from deepdiva.hosts.patch_files import read_patch
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import Limits, PluginSettings
from deepdiva.note import Note
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.space import ParameterSpace

NOTE = Note(length_seconds=0.2, render_seconds=0.25)
FREE = ("Tuning", "Cutoff", "VCF Resonance")
NOTE_OPTIONS = ["--note-pitch", "48", "--note-length", "0.2", "--render-length", "0.25"]


@pytest.fixture
def renderer():
    made = []

    def make(plugin, **settings):
        made.append(PluginRenderer(PluginSettings(plugin, **settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def sound(nekobi, tmp_path_factory):
    """A sound that Nekobi made with a patch that the searches do not start from."""
    one = PluginRenderer(PluginSettings(nekobi, mode="fresh"))
    patch = one.table.defaults()
    for name, value in zip(FREE, (0.2, 0.8, 0.7), strict=True):
        patch[one.table.index(name)] = value
    path = tmp_path_factory.mktemp("sound") / "bass.wav"
    write_wav(path, one.render(patch[None], NOTE)[0], NOTE.sample_rate)
    one.close()
    return path


def test_a_search_survives_its_plugin(renderer, nekobi, standins, sound):  # noqa: ARG001
    """One candidate in seven crashes, hangs, or is silent; the match is found all the same."""
    wild = importlib.import_module("faulty_host").WildHost
    limits = Limits(render_seconds=1.5, per_second=2.0)
    one = renderer(nekobi, host=wild, workers=2, limits=limits)
    space = ParameterSpace(one.table, one.table.defaults(), FREE)
    settings = RefineSettings(
        optimizer="RandomSearch", evaluations=96, population=32, seed=1, jobs=2
    )
    target = read_audio(sound)[0][:, 0]
    seen = []
    result = refine(target, one, space, NOTE, settings, on_progress=seen.append)
    assert result.evaluations == 96
    assert set(result.failures) == {
        "crashed with SIGSEGV",
        "hung: no answer within 2 s",
        "is silent (below -80 dBFS)",
    }
    assert result.distance < 0.7 * result.silence
    assert result.patch[one.table.index("Tuning")] <= 0.85
    assert np.abs(result.sound).max() > 0.01
    assert [progress.evaluations for progress in seen] == [32, 64, 96]


def run(sound, output, plugin, *options):
    arguments = ["refine", str(sound), "-o", str(output), "--plugin", str(plugin), *NOTE_OPTIONS]
    result = CliRunner().invoke(main, [*arguments, "--free", ", ".join(FREE), "--json", *options])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)[0]


def test_same_seed_same_bytes_with_one_worker_and_with_two(nekobi, sound, tmp_path):
    options = ["--plugin-mode", "fresh", "--evaluations", "40", "--seed", "5"]
    for name, jobs in (("one", "1"), ("two", "2")):
        summary = run(sound, tmp_path / name, nekobi, *options, "--jobs", jobs)
        assert summary["noise_floor"] is None
    for suffix in ("fxp", "json", "wav", "png"):
        one, two = (tmp_path / name / f"bass.{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), suffix


def test_what_is_written(nekobi, sound, tmp_path, renderer):
    summary = run(sound, tmp_path, nekobi, "--evaluations", "150", "--jobs", "2")
    assert summary["preset"] == str(tmp_path / "bass.fxp")
    assert summary["values"] == str(tmp_path / "bass.json")
    assert summary["failures"] == {}
    assert summary["distance"] < 0.5 * summary["silence"]
    floor = summary["noise_floor"]
    assert 0.0 <= floor["median"] <= floor["largest"] < 0.5 * summary["silence"]
    # The preset holds the patch, and the preview is what a fresh plug-in makes of it.
    exact = renderer(nekobi, mode="fresh", state=(tmp_path / "bass.fxp").read_bytes())
    patch = read_patch(tmp_path / "bass.json", exact.table)
    np.testing.assert_allclose(exact.table.defaults(), patch, atol=1e-6)
    preview, rate = read_audio(tmp_path / "bass.wav")
    audio = exact.render(exact.table.defaults()[None], NOTE)[0]
    assert rate == NOTE.sample_rate
    np.testing.assert_allclose(preview[:, 0], audio, atol=1e-4)
    best = read_patch(tmp_path / "bass.run" / "best.json", exact.table)
    assert best.shape == patch.shape


def test_a_search_around_a_preset_of_the_plugin(nekobi, sound, tmp_path, renderer):
    one = renderer(nekobi)
    base = one.table.defaults()
    base[one.table.index("Waveform")] = 1.0
    (tmp_path / "base.fxp").write_bytes(one.save(base).data)
    options = ["--base", str(tmp_path / "base.fxp"), "--evaluations", "20"]
    run(sound, tmp_path / "out", nekobi, *options)
    patch = read_patch(tmp_path / "out" / "bass.json", one.table)
    assert patch[one.table.index("Waveform")] == 1.0


def test_presets_of_another_synthesizer_are_refused(nekobi, sound, tmp_path):
    from deepdiva.synths.diva.preset import Preset

    base = tmp_path / "base.h2p"
    Preset.template().write(base)
    arguments = ["refine", str(sound), "-o", str(tmp_path), "--plugin", str(nekobi)]
    result = CliRunner().invoke(main, [*arguments, "--base", str(base)])
    assert result.exit_code == 2
    assert "is no preset of nekobi-vst" in result.stderr
    state = tmp_path / "base.fxp"
    state.touch()
    result = CliRunner().invoke(main, ["refine", str(sound), "--base", str(state)])
    assert result.exit_code == 2
    assert "base.fxp is no preset of Diva: name the plug-in that it belongs to" in result.stderr
