"""The librenderman adapter against a stand-in that has the real module's traps, and the real one.

Each variant of the stand-in runs in worker processes as the real one would; what is wrong with the
module itself is shown first, so that the adapter's answers mean something.
"""

import importlib
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from deepdiva.errors import MissingFeatureError, RenderError
from deepdiva.hosts.host import QUIET
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.renderman import RenderManHost, parameter_names
from deepdiva.hosts.settings import PluginSettings
from deepdiva.hosts.vst2_files import ChunkBank, PluginIdentity
from deepdiva.note import Note

# A folder of its own: nothing but these tests may take it for the real module.
STANDIN = str(Path(__file__).parents[1] / "standins" / "renderman")
VARIANTS = ("master", "older", "extended")
RATE = 44100
NOTE = Note(length_seconds=0.2, render_seconds=0.3)
HELD = Note(length_seconds=0.3, render_seconds=0.3)
DEFAULTS = {"Level": 0.8, "Param": 0.6, "Second": 0.1, "Release": 0.0}


@pytest.fixture
def plugin(tmp_path):
    file = tmp_path / "Chord.so"
    file.write_text(json.dumps({"parameters": DEFAULTS}))
    return file


@pytest.fixture(params=VARIANTS)
def variant(request, monkeypatch):
    monkeypatch.syspath_prepend(STANDIN)
    monkeypatch.setenv("LIBRENDERMAN_STANDIN", request.param)
    monkeypatch.delitem(sys.modules, "librenderman", raising=False)
    yield request.param
    sys.modules.pop("librenderman", None)


@pytest.fixture
def host(variant, plugin, tmp_path):  # noqa: ARG001  (the variant must be set first)
    return RenderManHost(plugin, RATE, 512, tmp_path)


@pytest.fixture
def module(variant):  # noqa: ARG001
    return importlib.import_module("librenderman")


def engine_of(module, plugin, variant):
    engine = module.RenderEngine(RATE, 512, 512)
    engine.load_plugin(*((str(plugin),) if variant == "older" else (str(plugin), 0)))
    return engine


def test_traps_of_the_module_itself(module, plugin, variant, capfd):
    engine = engine_of(module, plugin, variant)
    arguments = (48, 127, 0.2, 0.3) + ((True,) if variant == "extended" else ())
    assert {value for _, value in engine.get_patch()} == {0.0}  # not the plug-in's defaults
    engine.render_patch(*arguments)
    assert not np.any(engine.get_audio_frames())  # all zeros were sent
    engine.set_patch([(0, 1.0)])
    assert "Incorrect patch length" in capfd.readouterr().out
    assert engine.get_patch()[0] == (0, 0.0)  # and silently ignored
    with pytest.raises(TypeError):
        engine.render_patch(48.0, *arguments[1:])
    with pytest.raises(TypeError):
        module.RenderEngine(44100.0, 512, 512)


def test_parameters_are_listed_without_the_nameless(host, variant):
    description = host.describe()
    assert [(p.index, p.name) for p in description.parameters] == [
        (0, "Level"),
        (2, "Second"),
        (3, "Release"),
    ]
    readable = variant == "extended"
    defaults = [parameter.default for parameter in description.parameters]
    np.testing.assert_allclose(defaults, [0.8, 0.1, 0.0] if readable else [0.5] * 3, atol=1e-7)
    assert description.knows_defaults == readable
    assert description.takes_state == readable


def test_sound_is_there_without_a_patch_being_set(host):
    audio = host.play(NOTE)
    assert audio.shape == (NOTE.samples,)
    assert np.abs(audio).max() > 0.1


def test_values_arrive_under_their_indices(host):
    host.set_values(np.array([0, 2, 3]), np.array([0.0, 0.25, 0.0]))
    np.testing.assert_array_equal(host.values(np.array([3, 2, 0])), [0.0, 0.25, 0.0])
    host.play(NOTE)
    audio = host.play(NOTE)
    spectrum = np.abs(np.fft.rfft(audio[: RATE // 5] * np.hanning(RATE // 5)))
    # The parameter at place 2 is the third harmonic of a MIDI note 48.
    assert np.argmax(spectrum) * 5 == pytest.approx(3 * NOTE.frequency_hz, abs=5)


def test_a_patch_that_is_not_taken_is_an_error(host, monkeypatch):
    monkeypatch.setattr(host._engine, "set_patch", lambda _: None)
    with pytest.raises(RenderError, match=r"parameter 0 was set to 0\.3 and reads"):
        host.set_values(np.array([0]), np.array([0.3]))


def test_tails_die_away(host):
    host.set_values(np.array([0, 3]), np.array([0.8, 1.0]))
    host.play(HELD)
    assert np.abs(host._rendered(0, 0, 0.1, 4410)).max() > 0.3  # the trap: nothing is reset
    host.play(HELD)
    assert host.settle(HELD, 10.0) <= QUIET
    assert np.abs(host._rendered(0, 0, 0.1, 4410)).max() <= QUIET
    host.play(HELD)
    assert host.settle(HELD, 0.0) > QUIET  # gives up at its limit


def test_presets_where_the_variant_takes_them(host, variant):
    bank = ChunkBank(PluginIdentity(b"Chrd"), b"Level=0.125\nSecond=0.5").to_bytes()
    if variant != "extended":
        with pytest.raises(RenderError, match="cannot load presets"):
            host.load_state(bank)
        return
    host.load_state(bank)
    np.testing.assert_array_equal(host.values(np.array([0, 2])), [0.125, 0.5])
    with pytest.raises(RenderError, match="refuses the preset"):
        host.load_state(b"not a preset")


def test_missing_plugins_and_other_formats(variant, tmp_path, capfd):  # noqa: ARG001
    text = tmp_path / "Other.so"
    text.mkdir()  # found, and not loaded
    with pytest.raises(RenderError, match="cannot be loaded by librenderman"):
        RenderManHost(text, RATE, 512, tmp_path)
    bundle = tmp_path / "Synth.vst3"
    bundle.mkdir()
    with pytest.raises(RenderError, match="VST 2 only"):
        RenderManHost(bundle, RATE, 512, tmp_path)
    capfd.readouterr()


def test_both_forms_of_the_description():
    pairs = [(0, "Level"), (12, "OSC: Tune 1"), (2, "")]
    assert parameter_names(pairs) == pairs
    text = "  0: Level\n 12: OSC: Tune 1\n  2: \n"
    assert parameter_names(text) == pairs


@pytest.mark.parametrize("mode", ["reuse", "fresh"])
def test_renders_in_worker_processes(variant, plugin, mode):
    renderer = PluginRenderer(PluginSettings(plugin, host="renderman", mode=mode, workers=2))
    table = renderer.table
    assert table.names == ("Level", "Second", "Release")
    levels = np.linspace(0.1, 1.0, 6)
    patches = np.column_stack([levels, np.zeros(6), np.zeros(6)])
    audio = renderer.render(patches, NOTE)
    peaks = np.abs(audio).max(axis=1)
    np.testing.assert_allclose(peaks / peaks[-1], levels, rtol=1e-3)
    assert renderer.info.name == "renderman"
    assert renderer.info.repeatable == (mode == "fresh")
    renderer.close()
    assert variant in VARIANTS


def test_without_the_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "librenderman", None)
    with pytest.raises(MissingFeatureError, match="build it as its README says"):
        RenderManHost.library()


def test_the_real_module(amsynth):
    """Where a user built librenderman, it plays amsynth as DawDreamer does, level for level."""
    if importlib.util.find_spec("librenderman") is None:
        pytest.skip("librenderman is not built here; it is on no package index")
    theirs = PluginRenderer(PluginSettings(amsynth, host="renderman", mode="fresh"))
    ours = PluginRenderer(PluginSettings(amsynth, mode="fresh"))
    patches = np.repeat(ours.table.defaults()[None], 3, axis=0)
    patches[:, ours.table.index("amp_sustain")] = [0.3, 0.6, 1.0]
    one = theirs.render(
        np.stack([p.to_normalised(patches[:, p.index]) for p in ours.table], 1), HELD
    )
    other = ours.render(patches, HELD)
    levels = [np.sqrt((audio**2).mean(axis=1)) for audio in (one, other)]
    np.testing.assert_allclose(levels[0], levels[1], rtol=0.05)
    for renderer in (theirs, ours):
        renderer.close()
