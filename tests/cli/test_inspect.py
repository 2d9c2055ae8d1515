"""`deepdiva inspect`: a preset as a table, and how two differ."""

import json
import re

import pytest
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    template = Preset.template(name="a", author="Ana", description="it's [red]x[/red]ESC[31m")
    (tmp_path / "a.h2p").write_bytes(template.data.replace(b"ESC", b"\x1b"))
    return tmp_path


@pytest.fixture
def other(folder):
    preset = Preset.read("a.h2p")
    patch = preset.values()
    patch[DIVA.index("VCF1.Freq")] = 60.5
    patch[DIVA.index("OSC.Wave1")] = 4
    preset = preset.with_values(patch).with_meta(author="Bo", description="")
    text = preset.data.replace(b"Drift=35.00\n", b"").replace(b"Rev=9709", b"Rev=12105")
    (folder / "b.h2p").write_bytes(text)
    return "b.h2p"


def run(*arguments):
    result = CliRunner().invoke(main, ["inspect", *arguments])
    assert result.exit_code == 0, result.output
    return result


def row(text, name):
    """The cells of a parameter's row."""
    (line,) = [line for line in text.splitlines() if f" {name} " in line]
    return re.split(r" {2,}", line.strip())


@pytest.mark.usefixtures("folder", "other")
def test_table_names_choices_units_and_what_differs_from_ms_rev1():
    same = run("a.h2p")
    assert row(same.stdout, "VCF1.Freq") == [
        "148",
        "VCF1.Freq",
        "Frequency",
        "147 semitones (40 kHz)",
    ]
    assert row(same.stdout, "OSC.Wave1") == ["131", "OSC.Wave1", "EcoWave1", "sawtooth"]
    assert "Author: Ana" in same.stdout
    assert same.stderr == ""
    changed = run("b.h2p")
    assert row(changed.stdout, "VCF1.Freq")[3:] == ["60.5 semitones (269 Hz)", "147 semitones"]
    assert row(changed.stdout, "OSC.Wave1")[3:] == ["noise", "sawtooth"]
    assert changed.stderr == "b.h2p: no line for OSC.Drift: MS-REV1's value is taken.\n"


@pytest.mark.usefixtures("folder")
def test_every_parameter_of_the_file_has_a_row():
    names = set(re.findall(r"^ *\d+ +([A-Z]\w+|main)\.(#?\w+) ", run("a.h2p").stdout, re.MULTILINE))
    expected = {(p.section, p.key) for p in DIVA if p.spelling}
    assert names == expected


@pytest.mark.usefixtures("folder")
def test_words_of_a_file_are_shown_and_not_obeyed():
    output = run("a.h2p").stdout
    assert "[red]x[/red]\N{REPLACEMENT CHARACTER}[31m" in output
    assert "\x1b" not in output


@pytest.mark.usefixtures("folder")
def test_json_holds_everything():
    result = json.loads(run("a.h2p", "--json").stdout)
    preset = Preset.read("a.h2p")
    assert list(result["values"].values()) == preset.values().tolist()
    assert list(result["values"]) == list(DIVA.names)
    assert result["labels"]["OSC.Wave1"] == "sawtooth"
    assert result["meta"] == preset.meta
    assert (result["preset"], result["version"], result["notes"]) == ("a.h2p", "10001", [])


@pytest.mark.usefixtures("folder")
def test_difference_of_two_presets(other):
    output = run("a.h2p", "--diff", other).stdout
    assert "A: a.h2p" in output
    assert "B: b.h2p" in output
    assert row(output, "VCF1.Freq")[3:] == ["147 semitones (40 kHz)", "60.5 semitones (269 Hz)"]
    assert row(output, "OSC.Wave1")[3:] == ["sawtooth", "noise"]
    assert row(output, "OSC.Drift")[1:] == ["35.00", "-"]
    assert row(output, "PCore.Rev")[1:] == ["9709", "12105"]
    assert row(output, "Author")[1:] == ["Ana", "Bo"]
    assert "ENV1.Atk" not in output


@pytest.mark.usefixtures("folder")
def test_difference_as_json(other):
    result = json.loads(run("a.h2p", "--diff", other, "--json").stdout)
    assert result == {
        "preset": "a.h2p",
        "other": "b.h2p",
        "parameters": {"OSC.Wave1": [2.0, 4.0], "VCF1.Freq": [147.0, 60.5]},
        "lines": {"PCore.Rev": ["9709", "12105"], "OSC.Drift": ["35.00", None]},
        "meta": {
            "Author": ["Ana", "Bo"],
            "Description": ["it's [red]x[/red]\x1b[31m", None],
        },
    }


@pytest.mark.usefixtures("folder")
def test_no_difference():
    output = run("a.h2p", "--diff", "a.h2p").stdout
    assert output == "The presets hold the same values and the same words.\n"


@pytest.mark.usefixtures("folder")
def test_error_names_file_and_line():
    result = CliRunner().invoke(main, ["inspect", __file__])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.match(r"Error: .*test_inspect\.py, line 1: it begins with", result.stderr)


def test_real_presets_can_be_shown(diva_presets):
    for path in diva_presets[::10]:
        result = run(str(path))
        assert result.stderr.count("\n") == len(Preset.read(path).notes)
