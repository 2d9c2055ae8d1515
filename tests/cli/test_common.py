"""Options that commands share, and files from arguments."""

import os
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.cli._common import (
    make_output,
    note_options,
    print_json,
    seed_option,
    space_options,
)
from deepdiva.errors import InvalidValueError, MissingFileError, UnknownNameError
from deepdiva.files import collect_files
from deepdiva.note import Note
from deepdiva.pipeline.options import SpaceChoice
from deepdiva.synths.diva import DIVA, SEED_PROJECT_FREE
from deepdiva.synths.diva.preset import Preset


@click.command()
@note_options
@space_options
@seed_option
def probe(note, space, seed):
    click.echo(repr((note, space, seed)))


def answer(*arguments):
    return CliRunner().invoke(probe, arguments, catch_exceptions=False).output.strip()


def test_defaults_are_those_of_the_note():
    assert answer() == repr((Note(), SpaceChoice(None, None, ()), 0))


@pytest.mark.parametrize(
    "names",
    [
        ("--note-pitch", "--velocity", "--note-length", "--render-length"),
        (
            "--midi-note-pitch",
            "--midi-note-velocity",
            "--note-length-seconds",
            "--render-length-seconds",
        ),
    ],
)
def test_options_reach_the_note_under_both_spellings(names):
    given = zip(names, ("60", "90", "0.5", "1.5"), strict=True)
    note = Note(pitch=60, velocity=90, length_seconds=0.5, render_seconds=1.5, sample_rate=48000)
    shown = answer(*(word for pair in given for word in pair), "--sample-rate", "48000")
    assert shown.startswith(f"({note!r},")


def test_note_outside_its_range_is_refused():
    with pytest.raises(InvalidValueError, match="pitch is 128"):
        answer("--note-pitch", "128")


@pytest.mark.parametrize(
    ("name", "pitch"),
    [("C3", 48), ("c4", 60), ("F#2", 42), ("bb1", 34), ("C-1", 0), ("G9", 127), (" 60 ", 60)],
)
def test_key_by_its_name(name, pitch):
    assert answer("--note-pitch", name).startswith(f"({Note(pitch=pitch)!r},")


@pytest.mark.parametrize("name", ["C", "H2", "BB1", "3C", "C3+20", "1.5", ""])
def test_what_is_no_key_is_refused(name):
    result = CliRunner().invoke(probe, ["--note-pitch", name])
    assert result.exit_code == 2
    assert f"{name!r} is no key" in result.output


def test_help_shows_the_options_in_the_order_of_the_decorators():
    text = CliRunner().invoke(probe, ["--help"]).output
    places = [text.index(name) for name in ("--note-pitch", "--sample-rate", "--free", "--seed")]
    assert places == sorted(places)


def test_space_without_options_is_the_default_one():
    choice = SpaceChoice(None, None, ())
    space = choice.space(choice.preset(), DIVA)
    assert space.free == SEED_PROJECT_FREE
    np.testing.assert_array_equal(space.base, DIVA.defaults())


def test_space_around_a_preset_with_free_and_locked_parameters(tmp_path):
    values = DIVA.defaults()
    values[DIVA.index("VCF1.Res")] = 62.0
    Preset.template().with_values(values).write(tmp_path / "base.h2p")
    choice = SpaceChoice(tmp_path / "base.h2p", "86 VCF1.Freq 149", ("86=12", "OSC.Vol2=30.5"))
    space = choice.space(choice.preset(), DIVA)
    assert space.free == ("VCF1.Freq", "VCF1.Res")
    base = dict(zip(DIVA.names, space.base, strict=True))
    assert (base["VCF1.Res"], base["OSC.Tune1"], base["OSC.Vol2"]) == (62.0, 12.0, 30.5)


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        (SpaceChoice(None, "VCF1.Frq", ()), UnknownNameError, "VCF1.Freq"),
        (SpaceChoice(None, None, ("VCF1.Freq",)), InvalidValueError, "NAME=VALUE"),
        (SpaceChoice(None, None, ("VCF1.Freq=200",)), InvalidValueError, "200"),
        (SpaceChoice(None, "148", ("148=100",)), InvalidValueError, "free"),
    ],
)
def test_wrong_space_says_what_is_wrong(choice, error, message):
    with pytest.raises(error, match=message):
        choice.space(choice.preset(), DIVA)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--writes", is_flag=True)
def leaving(folder, writes):
    make_output(folder)
    if writes:
        (folder / "bass.h2p").touch()
    raise InvalidValueError("The sound is none.")


@pytest.mark.parametrize(
    ("before", "writes", "left"),
    [("", False, ""), ("matched", False, "matched"), ("", True, "matched/brass/bass.h2p")],
)
def test_output_folder_goes_again_if_nothing_came_into_it(tmp_path, before, writes, left):
    (tmp_path / before).mkdir(exist_ok=True)
    folder = tmp_path / "matched" / "brass"
    CliRunner().invoke(leaving, [str(folder), *["--writes"] * writes])
    there = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert there[-1:] == ([left] if left else [])


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few make links")
def test_an_output_folder_that_is_a_link_to_nothing_is_refused(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    result = CliRunner().invoke(leaving, [str(tmp_path / "out")])
    assert "out is no folder: name another" in str(result.exception)


def test_files_come_in_order_and_once(tmp_path):
    inside = ("b.h2p", "a.H2P", "notes.txt", ".hidden.h2p", "deeper/c.h2p")
    for name in (*inside, ".git/d.h2p", "b.run/best.h2p", "deeper/c.run/alternative-1.h2p"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    named = tmp_path / "notes.txt"
    files = collect_files([named, tmp_path, tmp_path / "b.h2p"], [".h2p"])
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "notes.txt",
        "a.H2P",
        "b.h2p",
        "deeper/c.h2p",
    ]
    assert collect_files([tmp_path / "b.run"], [".h2p"]) == [tmp_path / "b.run" / "best.h2p"]


def test_folder_without_such_files_is_refused(tmp_path):
    with pytest.raises(InvalidValueError, match=r"holds no \.aiff or \.wav file"):
        collect_files([tmp_path], [".wav", ".aiff"])


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(MissingFileError, match=r"gone\.h2p does not exist"):
        collect_files([tmp_path / "gone.h2p"], [".h2p"])


def test_json_refuses_what_json_cannot_say(capsys, tmp_path):
    print_json({"preset": tmp_path, "distance": 0.25})
    assert capsys.readouterr().out == f'{{\n  "preset": "{tmp_path}",\n  "distance": 0.25\n}}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"distance": float("nan")})
    with pytest.raises(TypeError):
        print_json({"distance": np.array([1.0])})
