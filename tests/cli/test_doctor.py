"""`deepdiva doctor`: every check, as a table and as JSON, with its remedy and its exit code."""

import importlib
import json

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.cli.doctor import examine
from deepdiva.hosts import checkup
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.note import Note

SHORT = ["--render-length", "0.3", "--note-length", "0.2"]
NOTE = Note(length_seconds=0.2, render_seconds=0.3)


def run(*arguments):
    result = CliRunner().invoke(main, ["doctor", *SHORT, *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def checked(plugin, **settings):
    """Status of each check of a plug-in by its subject."""
    renderer = PluginRenderer(PluginSettings(plugin, **settings))
    try:
        return {check.subject: check for check in checkup.check_plugin(renderer, NOTE)}
    finally:
        renderer.close()


def test_a_plugin_that_works(nekobi, monkeypatch, tmp_path):
    monkeypatch.setenv("VST_PATH", str(nekobi.parent))
    monkeypatch.chdir(tmp_path)
    result = run("--plugin", str(nekobi), "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["problems"] == 0
    checks = {(check["topic"], check["subject"]): check for check in report["checks"]}
    assert "numpy" in checks["Python", "versions"]["finding"]
    assert checks["embedded engine", "repeats itself"]["finding"].startswith("exactly")
    assert checks["hosts", "dawdreamer"]["finding"].startswith("dawdreamer 0.")
    assert str(nekobi.parent) in checks["plug-ins", "usual folders"]["finding"]
    mine = {subject: check for (topic, subject), check in checks.items() if topic == nekobi.name}
    assert list(mine) == [
        *("loads", "takes patches", "presets", "speed", "repeats itself", "fresh renders"),
        "parameters act",
    ]
    assert "Nekobi-vst 1.1.0, vst2 in DawDreamer" in mine["loads"]["finding"]
    assert mine["takes patches"]["finding"].endswith("unchanged")
    assert "noise floor 0." in mine["repeats itself"]["finding"]
    assert not list(tmp_path.iterdir())


def test_the_table_shows_remedies_and_the_exit_code_tells(tmp_path):
    broken = tmp_path / "Diva.so"
    broken.write_text("no library")
    result = run("--plugin", str(broken))
    assert result.exit_code == 1
    assert "problem" in result.stdout
    assert "cannot be loaded" in " ".join(result.stdout.split())
    assert "->" in result.stdout
    assert result.stdout.rstrip().endswith("1 to mend.")


def test_a_plugin_that_does_not_exist(tmp_path):
    result = run("--plugin", str(tmp_path / "Diva.vst3"))
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_every_finding_that_is_not_fine_has_its_remedy(nekobi, standins, tmp_path):  # noqa: ARG001
    faulty = importlib.import_module("faulty_host").FaultyHost
    plugin = tmp_path / "Missing.so"
    plugin.touch()
    for checks in (checked(plugin), checked(nekobi, host=faulty)):
        for check in checks.values():
            assert bool(check.remedy) == (check.status != "fine"), check


def test_a_plugin_that_does_not_repeat_itself(kars, nekobi):
    """A string plucked by noise is another one each time; an oscillator hardly is."""
    noisy = checked(kars)["repeats itself"]
    assert noisy.status == "note"
    assert "--plugin-mode fresh" in noisy.remedy
    assert checked(nekobi)["repeats itself"].status == "fine"


def test_a_silent_plugin_is_no_instrument(nekobi, standins):  # noqa: ARG001
    silent = importlib.import_module("faulty_host").SilentHost
    checks = checked(nekobi, host=silent)
    assert checks["sounds"].status == "problem"
    assert "an effect is no instrument" in checks["sounds"].remedy
    assert "speed" not in checks


def test_a_plugin_that_alters_what_it_is_given(nekobi, standins):  # noqa: ARG001
    stubborn = importlib.import_module("faulty_host").StubbornHost
    check = checked(nekobi, host=stubborn)["takes patches"]
    assert check.status == "problem"
    assert "1 differ: Cutoff " in check.finding
    assert "became 0.500" in check.finding
    assert "--free" in check.remedy


def test_a_plugin_whose_parameters_do_nothing(nekobi, standins):  # noqa: ARG001
    deaf = importlib.import_module("faulty_host").DeafHost
    check = checked(nekobi, host=deaf)["parameters act"]
    assert check.status == "problem"
    assert "sound as the default patch, sample for sample" in check.finding
    assert checked(nekobi)["parameters act"].status == "fine"


def test_diva_is_recognised_and_its_preset_survives(standins, tmp_path):  # noqa: ARG001
    host = importlib.import_module("diva_host")
    plugin = tmp_path / "Diva.vst3"
    plugin.touch()
    checks = checked(plugin, host=host.DivaHost)
    assert "Diva 1.4.8, vst3 in stand-in: Diva, all 281 parameters" in checks["loads"].finding
    way = "preset file -> plug-in -> parameters: unchanged"
    assert checks["takes patches"].finding == way
    assert "presets" not in checks
    checks = checked(plugin, host=host.RenamedDivaHost)
    assert list(checks) == ["loads"]
    assert checks["loads"].status == "problem"
    assert "missing (2)" in checks["loads"].remedy + checks["loads"].finding


def test_missing_packages_are_problems(monkeypatch):
    monkeypatch.setattr(checkup, "_REQUIRED", ("numpy", "no-such-package"))
    missing, versions = checkup.check_packages()
    assert (missing.status, missing.remedy[:27]) == ("problem", "pip install no-such-package")
    assert versions.finding == f"numpy {np.__version__}"


def test_nothing_installed(monkeypatch, tmp_path):
    class Choice:
        plugin, name, is_embedded, constants = None, None, True, None

    monkeypatch.setattr("deepdiva.hosts.discovery.find_plugins", list)
    monkeypatch.setattr(checkup, "HOSTS", {})
    checks = list(examine(NOTE, Choice()))
    assert not [check for check in checks if check.status == "problem"]
    assert checks[-1].topic == "plug-ins"
    assert checks[-1].status == "note"
    assert pytest.approx(0) == len(list(tmp_path.iterdir()))
