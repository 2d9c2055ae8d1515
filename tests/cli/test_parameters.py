"""`deepdiva parameters`: what can be set, and to what."""

import json

import pytest
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")


def run(*arguments):
    result = CliRunner().invoke(main, ["parameters", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_holds_every_parameter():
    lines = run().splitlines()
    for parameter in DIVA:
        (line,) = [line for line in lines if line.split()[1:2] == [parameter.name]]
        assert line.split()[0] == str(parameter.index)
        assert parameter.description in line


def test_words_select():
    output = run("cutoff", "source modulation")
    assert "VCF1.FMSrc" in output
    assert "0 none, 1 ModWhl ... 23 Multiply" in output
    assert "VCF1.FMDpt" not in output
    assert "-120 to 120 semitones" in run("cutoff")


@pytest.mark.parametrize("word", ["OSC.Wave2", "132"])
def test_one_parameter_in_full(word):
    output = run(word)
    assert output.startswith("OSC.Wave2\n")
    assert "1 sawtooth, 2 square, 3 narrow pulse, 4 ring mod" in output
    assert "OSC: EcoWave2" in output


def test_json_is_complete():
    entries = json.loads(run("--json"))
    assert [entry["name"] for entry in entries] == list(DIVA.names)
    (tune,) = json.loads(run("OSC.Tune1", "--json"))
    assert [choice["position"] for choice in tune["choices"]] == pytest.approx(
        [0.1, 0.3, 0.5, 0.7, 0.9]
    )
    assert (tune["minimum"], tune["maximum"], tune["default"]) == (-30.0, 30.0, 0.0)
    assert json.loads(run("VCF1.Freq", "--json"))[0]["choices"] == []


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("zither", "No parameter of Diva has to do with 'zither'"),
        ("281", "indices run from 0 to 280"),
        ("9" * 5000, "No parameter of Diva has to do with"),
    ],
)
def test_nothing_found_is_an_error(word, message):
    result = CliRunner().invoke(main, ["parameters", word])
    assert result.exit_code == 2
    assert message in result.stderr


def test_what_acts_in_a_preset_is_listed_with_its_values(tmp_path):
    preset = Preset.template()
    patch = preset.values()
    patch[DIVA.index("VCF1.Freq")] = 69.0
    preset.with_values(patch).write(tmp_path / "bass.h2p")
    shown = run("--acting", str(tmp_path / "bass.h2p"), "cutoff")
    assert "69 (440 Hz)" in shown
    assert "LFO1.Rate" not in run("--acting", str(tmp_path / "bass.h2p"))
    listed = json.loads(run("--acting", str(tmp_path / "bass.h2p"), "--json"))
    [cutoff] = [entry for entry in listed if entry["name"] == "VCF1.Freq"]
    assert cutoff["value"] == 69.0
    assert len(listed) < 150
