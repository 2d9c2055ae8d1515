"""Patches of any plug-in as its own preset files, and as JSON: what is written comes back."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import read_audio
from deepdiva.cli import main
from deepdiva.errors import (
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
    PresetError,
    RenderError,
)
from deepdiva.hosts.patch_files import patch_json, preset_suffix, read_patch, write_patch
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.hosts.vst2_files import ChunkProgram, ParameterProgram, parse_vst2
from deepdiva.hosts.vst3_files import parse_vstpreset
from deepdiva.note import Note

NOTE = Note(length_seconds=0.3, render_seconds=0.3)


@pytest.fixture
def renderer():
    made = []

    def make(plugin, **settings):
        made.append(PluginRenderer(PluginSettings(plugin, **settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def random_patch(table, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([float(parameter.to_unit(rng.random())) for parameter in table])


def restored(renderer, plugin, data):
    """Values of the table after the plug-in was started with a preset."""
    return renderer(plugin, state=data).table.defaults()


def test_amsynth_keeps_a_text_of_its_own(renderer, amsynth, tmp_path):
    one = renderer(amsynth)
    patch = random_patch(one.table)
    preset, values = write_patch(one, patch, tmp_path / "Brass.fxp")
    program = parse_vst2(preset.read_bytes())
    assert isinstance(program, ChunkProgram)
    assert (program.identity.unique_id, program.name) == (b"amsy", "Brass")
    assert b"<parameter> amp_attack" in program.chunk
    np.testing.assert_allclose(restored(renderer, amsynth, preset.read_bytes()), patch, atol=1e-3)
    np.testing.assert_array_equal(read_patch(values, one.table), patch)


def test_nekobi_keeps_a_list(renderer, nekobi, tmp_path):
    one = renderer(nekobi)
    patch = random_patch(one.table, seed=2)
    preset, _ = write_patch(one, patch, tmp_path / "Bass.fxp")
    program = parse_vst2(preset.read_bytes())
    assert isinstance(program, ParameterProgram)
    np.testing.assert_allclose(program.values, patch, atol=1e-6)
    np.testing.assert_allclose(restored(renderer, nekobi, preset.read_bytes()), patch, atol=1e-6)


def test_a_preset_of_another_plug_in_is_refused(renderer, nekobi, amsynth, tmp_path):
    one = renderer(amsynth)
    preset, _ = write_patch(one, one.table.defaults(), tmp_path / "Brass.fxp")
    with pytest.raises(RenderError, match="refuses the preset: it was made for another"):
        restored(renderer, nekobi, preset.read_bytes())


def test_vst3_preset(renderer, vst3, tmp_path):
    one = renderer(vst3)
    assert preset_suffix(one) == ".vstpreset"
    patch = random_patch(one.table, seed=3)
    preset, _ = write_patch(one, patch, tmp_path / "Bass.vstpreset")
    assert parse_vstpreset(preset.read_bytes()).class_id == "2046504473616C636B654E4400000000"
    np.testing.assert_allclose(restored(renderer, vst3, preset.read_bytes()), patch, atol=1e-3)


def test_vst3_switch_that_is_loaded_and_not_shown(renderer, vst3):
    """Nekobi's VST 3 build plays the wave of its preset and still shows the other one."""
    one = renderer(vst3)
    patch = one.table.defaults()
    patch[one.table.index("Waveform")] = 1.0
    saved = one.save(patch)
    assert b"waveform\x001" in parse_vstpreset(saved.data).state.component
    assert saved.values.shape == patch.shape


def test_a_preset_sounds_like_its_patch(renderer, amsynth):
    """Bit for bit: a plug-in started with the preset, and one that was given the values."""
    one = renderer(amsynth, mode="fresh")
    patch = one.table.defaults()
    for name, value in (("filter_cutoff", 0.375), ("osc_mix", 0.25), ("osc2_range", 4.0)):
        patch[one.table.index(name)] = value
    other = renderer(amsynth, mode="fresh", state=one.save(patch).data)
    np.testing.assert_allclose(other.table.defaults(), patch, atol=1e-6)
    difference = one.render(patch[None], NOTE) - other.render(other.table.defaults()[None], NOTE)
    assert np.abs(difference).max() < 1e-4


def test_json_explains_itself(renderer, amsynth):
    one = renderer(amsynth)
    patch = one.table.defaults()
    patch[one.table.index("osc2_pitch")] = -7.0
    document = json.loads(patch_json(one, patch))
    assert document["format"] == "deepdiva-patch"
    assert document["plugin"]["name"] == "amsynth_vst"
    assert document["plugin"]["host"].startswith("DawDreamer ")
    assert list(document["parameters"]) == list(one.table.names)
    pitch = document["parameters"]["osc2_pitch"]
    assert pitch == {"value": -7.0, "normalised": pytest.approx(5 / 24), "label": "-7"}


def test_nothing_is_overwritten_and_nothing_half_written(renderer, nekobi, tmp_path):
    one = renderer(nekobi)
    patch = one.table.defaults()
    (tmp_path / "Bass.json").write_text("mine")
    with pytest.raises(FileExistsAlreadyError, match=r"Bass\.json exists already"):
        write_patch(one, patch, tmp_path / "Bass.fxp")
    assert [file.name for file in tmp_path.iterdir()] == ["Bass.json"]
    write_patch(one, patch, tmp_path / "Bass.fxp", force=True)
    assert read_patch(tmp_path / "Bass.json", one.table).tolist() == patch.tolist()


def test_files_that_are_no_patch(renderer, nekobi, kars, tmp_path):
    table = renderer(nekobi).table
    file = tmp_path / "patch.json"
    with pytest.raises(MissingFileError, match="does not exist"):
        read_patch(file, table)
    for text in ("no json", "[1]", "{}", '{"format": "deepdiva-patch"}', "[" * 100_000):
        file.write_text(text)
        with pytest.raises(InvalidValueError, match="does not describe a patch"):
            read_patch(file, table)
    file.write_text('{"format": "other", "format_version": 1, "parameters": {}}')
    with pytest.raises(InvalidValueError, match="this program reads deepdiva-patch 1"):
        read_patch(file, table)
    other = renderer(kars)
    file.write_bytes(patch_json(other, other.table.defaults()))
    with pytest.raises(PresetError, match="made for another plug-in than nekobi-vst: only one"):
        read_patch(file, table)


def test_render_plays_presets_of_a_plugin(renderer, nekobi, tmp_path):
    """The plug-in's file and the JSON beside it sound the same, and as the plug-in does."""
    one = renderer(nekobi, mode="fresh")
    patch = one.table.defaults()
    patch[one.table.index("Cutoff")] = 0.75
    preset, values = write_patch(one, patch, tmp_path / "Bass.fxp")
    options = [
        "--plugin",
        str(nekobi),
        "--note-pitch",
        "48",
        "--note-length",
        "0.3",
        "--render-length",
        "0.3",
    ]
    for path, folder in ((preset, "a"), (values, "b")):
        arguments = ["render", str(path), "-o", str(tmp_path / folder), *options]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
    expected = one.render(patch[None], NOTE)[0]
    for folder in ("a", "b"):
        audio, _ = read_audio(tmp_path / folder / "Bass.wav")
        np.testing.assert_array_equal(audio[:, 0], expected)


def test_render_of_a_plugins_preset_needs_the_plugin(tmp_path):
    preset = tmp_path / "Bass.fxp"
    preset.write_bytes(b"CcnK")
    result = CliRunner().invoke(main, ["render", str(preset)])
    assert result.exit_code == 2
    assert "name the plug-in that it belongs to by --plugin" in result.stderr
