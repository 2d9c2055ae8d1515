"""What `deepdiva refine` shows of a match and of a search under way."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from deepdiva.audio import load_target, write_wav
from deepdiva.cli import main
from deepdiva.cli._refine_report import Bar, line, show, summary
from deepdiva.cli._values import bar
from deepdiva.grade import Grade, Measures
from deepdiva.hosts.noise_floor import NoiseFloor
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.patch_writer import PresetWriter
from deepdiva.search.explain import Explanation, ParameterRole
from deepdiva.search.refine import Progress, refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.sound_match import Match, Outputs, Task
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(sample_rate=8000, length_seconds=0.2, render_seconds=0.25)
NOTE_OPTIONS = [
    "--note-pitch",
    "48",
    "--note-length",
    "0.2",
    "--render-length",
    "0.25",
    "--sample-rate",
    "8000",
]
SPACE = default_space()
MEASURES = Measures(0.25, 2.5, 1.0, 0.0, 9.0, 0.0, 1.0, 9.0, 0.0)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sounds") / "bass.wav"
    points = SPACE.random(np.random.default_rng(3), 1)
    audio = PanelRenderer().render(SPACE.patches(points), NOTE, 9)[0]
    write_wav(path, audio, NOTE.sample_rate)
    return path


@pytest.fixture(scope="module")
def match(sound, tmp_path_factory):
    """A short search, with what it has found changed to something known."""
    target = load_target(sound, NOTE)
    settings = RefineSettings(evaluations=60, jobs=1)
    result = refine(target.audio, PanelRenderer(), SPACE, NOTE, settings)
    roles = (
        ParameterRole("VCF1.Freq", 80.001, 0.5, 79.0, 82.504, uncertain=False),
        ParameterRole("ENV1.Dec", 30.0, 0.01, 10.0, 50.0, uncertain=True),
        ParameterRole("OSC.Wave1", 2.0, 0.2, 2.0, 2.0, uncertain=False),
        ParameterRole("OSC.Wave2", 3.0, 0.001, 1.0, 3.0, uncertain=True),
        ParameterRole("OSC.Vol1", 50.0, 90.0, 50.0, 50.0, uncertain=False),
    )
    known = {
        "distance": 0.25,
        "silence": 2.5,
        "seconds": 1.25,
        "noise": NoiseFloor(0.0625, 0.125, 5),
        "failures": {"crashed with SIGSEGV": 1200},
        "grade": Grade("poor", "its colour is 9 dB off", "say more", MEASURES),
        "explanation": Explanation(0.1, 0.05, roles, SPACE.patches(np.full((2, 11), 0.5))),
    }
    for name, value in known.items():
        object.__setattr__(result, name, value)
    folder = tmp_path_factory.mktemp("out")
    writer = PresetWriter(Preset.template(), ".h2p")
    outputs = Outputs.of(sound, folder, writer)
    task = Task(target, outputs, writer, SPACE, NOTE, settings, force=False, resume=False)
    task = replace(task, key_source="its name")
    return Match(task, result, (outputs.run / "alternative-1.h2p",))


def test_the_table_says_what_matters_and_what_would_do(match, capsys):
    show(match)
    *table, other = capsys.readouterr().out.splitlines()
    assert all(len(row) <= 80 for row in table)
    # Columns stand two spaces apart at least; an empty one leaves no trace.
    rows = [re.split(r"\s{2,}", row.strip()) for row in table]
    assert [[cell.replace("#", "█") for cell in row] for row in rows] == [
        ["parameter", "value", "sounds the same", "matters"],
        ["VCF1.Freq", "80 (831 Hz)", "79 to 82.5 (784 to 960 Hz)", "██"],
        ["ENV1.Dec", "30 (54 ms)", "10 to 50 (2.7 to 665 ms)"],
        ["OSC.Wave1", DIVA["OSC.Wave1"].label(2.0), "█"],
        ["OSC.Wave2", DIVA["OSC.Wave2"].label(3.0), "other choices, too"],
        ["OSC.Vol1", DIVA["OSC.Vol1"].label(50.0), "████████"],
    ]
    assert other.startswith("As near, with other settings: ")
    assert other.endswith("alternative-1.h2p")


def test_of_many_values_those_that_nobody_hears_are_counted(match, capsys):
    explanation = match.result.explanation
    roles = explanation.roles + 12 * (explanation.roles[1],)
    longer = replace(match.result, explanation=replace(explanation, roles=roles))
    show(replace(match, result=longer))
    *table, hidden, _ = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in table[1:]] == ["VCF1.Freq", "OSC.Wave1", "OSC.Vol1"]
    assert hidden.startswith("14 more values could be otherwise without being heard: see ")


def test_bars_are_of_signs_where_there_are_no_blocks():
    assert [bar(share, "utf-8") for share in (0.0, 0.01, 0.5, 1.0)] == ["", "█", "████", "█" * 8]
    assert bar(1.0, "cp1252") == "#" * 8


def test_names_of_a_plug_in_are_no_markup(match, capsys):
    parameter = replace(DIVA["VCF1.Freq"], name="cutoff [/lp]", section="", key="", index=0)
    table = ParameterTable("other", (parameter,))
    role = replace(match.result.explanation.roles[0], name=parameter.name)
    explanation = replace(match.result.explanation, roles=(role,))
    task = replace(match.task, space=ParameterSpace(table, np.array([80.0]), [parameter.name]))
    show(replace(match, task=task, result=replace(match.result, explanation=explanation)))
    assert "cutoff [/lp]" in capsys.readouterr().out


def test_the_line_says_how_near_and_what_failed(match):
    first, second, third, last = line(match).splitlines()
    assert "bass.wav -> " in first
    assert first.endswith(": poor, key 48 (C3), by its name")
    assert second.startswith("  distance 0.2500 (")
    assert second.endswith("silence 2.5000, render noise 0.0625), 60 candidates in 1.2 s")
    assert third == "  1,200 candidates were put aside: the plug-in crashed with SIGSEGV"
    assert last == "  Poor: its colour is 9 dB off (say more)."


def test_json_holds_the_same(match):
    found = summary(match, PanelRenderer())
    assert found["noise_floor"] == {"median": 0.0625, "largest": 0.125, "repeats": 5}
    assert found["explanation"]["parameters"][0]["name"] == "VCF1.Freq"
    assert found["alternatives"] == [match.task.outputs.run / "alternative-1.h2p"]
    assert found["renderer"] == "embedded"
    assert (found["grade"]["name"], found["key_source"]) == ("poor", "its name")


def test_one_sound_is_explained_and_many_are_one_line_each(sound, tmp_path):
    arguments = [
        "refine",
        "--free",
        "ms-rev1",
        str(sound),
        *NOTE_OPTIONS,
        "--evaluations",
        "100",
        "--no-predict",
    ]
    alone = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "one")])
    assert alone.exit_code == 0, alone.output
    rows = alone.stdout.splitlines()
    [head] = [number for number, row in enumerate(rows) if row.startswith("parameter")]
    assert [row.split()[0] for row in rows[head + 1 : head + 12]] == list(SPACE.names)
    stored = json.loads((tmp_path / "one" / "bass.run" / "explanation.json").read_text())
    assert [entry["name"] for entry in stored["parameters"]] == list(SPACE.names)
    (tmp_path / "lead.wav").write_bytes(sound.read_bytes())
    arguments.insert(3, str(tmp_path / "lead.wav"))
    many = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "two")])
    assert many.exit_code == 0, many.output
    assert many.stdout.count(" -> ") == 2
    assert "sound" in many.stdout.splitlines()[-3]


def test_a_terminal_shows_progress_and_a_file_does_not():
    progress = Progress(
        stage="race",
        evaluations=1234,
        seconds=2.0,
        share=0.25,
        rate=617.0,
        left_seconds=6.0,
        distance=0.4321,
        improved=True,
        patch=SPACE.base,
    )
    for terminal in (True, False):
        screen = Console(file=io.StringIO(), force_terminal=terminal, width=120)
        with Bar(screen, "bass.wav") as bar:
            bar.show(progress)
        with Bar(screen, "2 sounds", 2) as bar:
            bar.count(1)
        shown = screen.file.getvalue()
        assert ("race  distance 0.4321  1,234 at 617/s  6 s left" in shown) == terminal
        assert ("1 done" in shown) == terminal
