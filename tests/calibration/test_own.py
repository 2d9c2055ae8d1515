"""The engine learns from a plug-in: a stand-in that plays the engine with hidden constants."""

from __future__ import annotations

import importlib
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.calibration.own import advanced, calibrate, measured_delay
from deepdiva.calibration.recorded import RecordedProbes, pack, record, unpack
from deepdiva.cli import main
from deepdiva.errors import InvalidValueError, MissingFileError, UnknownNameError
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.pipeline.options import Listener, RendererChoice
from deepdiva.pipeline.own_plugin import OwnPlugin, constants_of, describe, fitted, in_turn
from deepdiva.renderers import make_renderer
from deepdiva.synths.diva import panel, probes
from deepdiva.synths.diva.own_constants import OwnConstants, chosen_constants
from deepdiva.synths.diva.panel_renderer import ENGINE_VERSION, PanelRenderer

HIDDEN = {
    "output_gain": 1.7, "amplifier.vca.drive": 1.4, "amplifier.vca.coupling": 6.0,
    "highpass.pre.shift": -6.0, "highpass.pre.off": 30.4,
}  # fmt: skip
"""Far from the engine's own; of two modules."""

SMALL = {"amplifier": 8, "highpass-pre": 6}
PLUGIN = {"name": "Diva", "version": "1.4.8"}


def some_modules(**counts):
    """Modules with the first of their probes alone."""
    known = probes.plan()
    return [
        replace(known[name.replace("_", "-")], probes=known[name.replace("_", "-")].probes[:count])
        for name, count in counts.items()
    ]


def small():
    return some_modules(**{name.replace("-", "_"): count for name, count in SMALL.items()})


def played(modules, constants, late=0):
    """What an engine with other constants plays of probes, so many samples late."""
    engine = PanelRenderer.of_preset(probes.probe_preset(), constants=constants)
    return {
        probe.name: advanced(engine.render(probe.patch[None], probe.note, k)[0], -late)
        for module in modules
        for k, probe in enumerate(module.probes)
    }


@pytest.fixture(scope="module")
def fit():
    return calibrate(small(), played(small(), HIDDEN))


def test_every_constant_is_told_by_a_probe_but_chance_and_glide():
    plan = probes.plan()
    told = [name for module in plan.values() for name in module.constants]
    assert len(told) == len(set(told))
    left = set(panel.constants()) - set(told)
    assert left == set(probes.unprobed())
    assert {name.split("_")[0] for name in left} <= {
        "drift",
        "cutoff",
        "time",
        "width",
        "glide",
        "pot",
    }
    names = [probe.name for module in plan.values() for probe in module.probes]
    assert len(names) == len(set(names)) > 300
    for module in plan.values():
        for probe in module.probes:
            assert len(probe.patch) == 281
    with pytest.raises(UnknownNameError, match="No module 'piano' is probed"):
        probes.chosen(("piano",))
    assert [module.name for module in probes.chosen(("ladder",))] == [
        "tuning",
        "amplifier",
        "ladder",
    ]


def test_probes_come_in_turns():
    order = [probe.module for probe in in_turn(some_modules(amplifier=3, ladder=2, chorus=2))]
    assert order == ["amplifier"] * 3 + ["ladder", "chorus"] * 2


def test_hidden_constants_are_found(fit):
    assert [result.verdict for result in fit.modules] == ["fitted", "fitted"]
    for result in fit.modules:
        assert result.after < 0.2 * result.before
        assert result.left_out < 0.3 * result.before
    assert abs(fit.values["highpass.pre.shift"] - HIDDEN["highpass.pre.shift"]) < 0.5
    assert abs(fit.values["amplifier.vca.coupling"] - HIDDEN["amplifier.vca.coupling"]) < 0.5


def test_what_is_right_stays():
    found = calibrate(small(), played(small(), {}))
    assert [result.verdict for result in found.modules] == ["right", "right"]
    assert found.values == {}


def test_a_late_plugin_is_noticed():
    modules = small()
    assert measured_delay([p for m in modules for p in m.probes], played(modules, {}, 700)) == 700


def test_a_law_that_no_constant_expresses_is_named():
    """The knob turned around: nothing that the module can do sounds like it."""
    (module,) = some_modules(highpass_pre=6)
    engine = PanelRenderer.of_preset(probes.probe_preset())
    place = panel.DIVA.index("HPF.Freq")
    sounds = {}
    for probe in module.probes:
        patch = probe.patch
        patch[place] = 180.0 - patch[place]
        sounds[probe.name] = engine.render(patch[None], probe.note)[0]
    (result,) = calibrate([module], sounds).modules
    assert result.verdict in ("nearer", "kept")
    assert "law differs" in result.sentence or "cannot be fitted" in result.sentence
    assert result.after <= result.before


@pytest.fixture
def plugin(standins, tmp_path):  # noqa: ARG001  (puts the module on the import path)
    host = importlib.import_module("engine_host")
    path = tmp_path / "Diva.vst3"
    made = []

    def make(**hidden):
        path.write_text(json.dumps({"constants": {}, **hidden}))
        settings = PluginSettings(path, host=host.EngineHost, mode="fresh")
        made.append(PluginRenderer(settings, probes.probe_preset()))
        return made[-1]

    yield make
    for renderer in made:
        renderer.close()


def test_a_plugin_is_played_resumed_and_packed(plugin, tmp_path):
    """A probe that crashes it costs that probe; what was played is not played again."""
    modules = some_modules(amplifier=6)
    renderer = plugin(constants=HIDDEN, crash=["OSC.Vol1", 20.0])
    about = describe(renderer)
    assert (about["name"], about["version"], len(about["sha256"])) == ("Diva", "1.4.8", 64)
    wanted = list(modules[0].probes)
    recorded = RecordedProbes.go_on(tmp_path / "sounds", about)
    record(recorded, wanted[:3], renderer)
    assert list(recorded.failures()) == ["amplifier-02"]
    assert "exit code 1" in recorded.failures()["amplifier-02"]
    # As after a kill: another process reads what the first one left.
    again = RecordedProbes.go_on(tmp_path / "sounds", about)
    assert [probe.name for probe in again.lacking(wanted)] == [p.name for p in wanted[3:]]
    steps = []
    record(again, wanted, renderer, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(6, 6)]
    engine = PanelRenderer.of_preset(probes.probe_preset(), constants=HIDDEN)
    sounds = again.sounds(wanted)
    assert set(sounds) == {p.name for p in wanted} - {"amplifier-02"}
    for probe in wanted[2:]:
        truth = engine.render(probe.patch[None], probe.note)[0]
        assert np.abs(sounds[probe.name] - truth).max() < 1e-6
    with pytest.raises(InvalidValueError, match=r"holds what Diva 1\.4\.8 played"):
        RecordedProbes.go_on(tmp_path / "sounds", {**about, "version": "1.5"})

    pack(again, tmp_path / "mine.zip")
    assert str(tmp_path).encode() not in (tmp_path / "mine.zip").read_bytes()
    other = unpack(tmp_path / "mine.zip", tmp_path / "theirs")
    assert other.digest() == again.digest()
    mine, theirs = (fitted(one, modules, 1, lambda _: None)[1] for one in (again, other))
    assert mine == theirs
    assert mine.values


def test_an_archive_that_holds_more_is_refused(tmp_path):
    with pytest.raises(MissingFileError, match="takes an archive"):
        unpack(tmp_path / "none.zip", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../outside.flac", b"")
    with pytest.raises(InvalidValueError, match=r"holds '\.\./outside\.flac'"):
        unpack(tmp_path / "bad.zip", tmp_path / "out")
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(InvalidValueError, match="is no archive"):
        unpack(tmp_path / "text.zip", tmp_path / "out")


def test_constants_are_used_and_named(tmp_path, monkeypatch):
    own = OwnConstants({"output_gain": 1.8}, PLUGIN, ENGINE_VERSION, "0" * 64, "1" * 64)
    own.write(tmp_path / "mine.json")
    assert OwnConstants.read(tmp_path / "mine.json") == own
    plain = make_renderer(constants="builtin")
    mine = make_renderer(constants=tmp_path / "mine.json")
    assert plain.info.version == ENGINE_VERSION
    assert mine.info.version == PanelRenderer(constants=own.values).info.version != ENGINE_VERSION
    assert mine.info.laws == ENGINE_VERSION
    # The user's own are used without a word, and named.
    assert chosen_constants(None) is None
    monkeypatch.setenv("DEEPDIVA_SETTINGS", str(tmp_path))
    own.write(tmp_path / "constants.json")
    assert make_renderer().info == mine.info
    assert make_renderer(constants="builtin").info == plain.info
    assert "constants of Diva 1.4.8" in RendererChoice().own_constants()
    assert RendererChoice(constants="builtin").own_constants() == ""
    assert RendererChoice(plugin=tmp_path / "Diva.vst3").own_constants() == ""


def test_constants_that_do_not_fit_are_refused(tmp_path):
    for name, change, message in (
        ("older", {"engine": "2"}, "fitted with version 2 of the engine"),
        ("more", {"values": {"warmth": 1.0}}, "holds warmth, which the engine lacks"),
    ):
        made = {"values": {}, "engine": ENGINE_VERSION, **change}
        own = OwnConstants(plugin=PLUGIN, plan="0" * 64, sounds="1" * 64, **made)
        own.write(tmp_path / f"{name}.json")
        with pytest.raises(InvalidValueError, match=message):
            OwnConstants.read(tmp_path / f"{name}.json")
    (tmp_path / "cut.json").write_text('{"format": "deepdiva-constants"')
    with pytest.raises(InvalidValueError, match="say --constants builtin"):
        OwnConstants.read(tmp_path / "cut.json")


def test_the_command(fit, tmp_path):
    """From an archive, with a picture; the constants are then taken by other commands."""
    modules = small()
    recorded = RecordedProbes.go_on(tmp_path / "sounds", PLUGIN)
    for name, sound in played(modules, HIDDEN).items():
        recorded.put(next(p for m in modules for p in m.probes if p.name == name), sound)
    recorded.save()
    constants_of(fit, recorded, [p for m in modules for p in m.probes]).write(tmp_path / "c.json")
    where = ["--from", str(tmp_path / "sounds"), "--output", str(tmp_path / "own.json")]
    run = ["calibrate", *where, "--modules", "amplifier", "--picture", str(tmp_path / "p.png")]
    export = ["--export", str(tmp_path / "mine.zip"), "--json", "-j", "1"]
    result = CliRunner().invoke(main, [*run, *export])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["modules"]["amplifier"]["verdict"] == "fitted"
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    assert zipfile.is_zipfile(tmp_path / "mine.zip")
    play = ["render", "--json", "--constants", str(tmp_path / "own.json")]
    length = ["--note-length", "0.1", "--render-length", "0.1"]
    preset = tmp_path / "one.h2p"
    preset.write_bytes(probes.probe_preset().to_bytes())
    shown = CliRunner().invoke(
        main, [*play, *length, str(preset), "--output", str(tmp_path / "one.wav")]
    )
    assert shown.exit_code == 0, shown.output
    assert ENGINE_VERSION + "+" in shown.stdout
    assert "plays with the constants of Diva 1.4.8" in shown.stderr


def test_a_plugin_that_is_no_diva_is_refused(tmp_path):
    listener = Listener()
    with pytest.raises(MissingFileError, match="does not exist"):
        OwnPlugin(RendererChoice(plugin=tmp_path / "no.vst3"), folder=tmp_path).recorded(
            small(), listener
        )
