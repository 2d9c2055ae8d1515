"""No input leads out of the folders that were given, and no name upsets a terminal or a table."""

import json
import os
import shutil
import sys

import pytest
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.cli._tables import safe_console
from deepdiva.data.testsets.testset import TestSet
from deepdiva.errors import InvalidValueError
from deepdiva.files import atomic_write
from deepdiva.names import check_name, csv_cell, html_text, inside, printable

ESCAPE, BIDI = "\x1b[31mred", "\u202eevil"


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "/etc/x", "a\\b", "c:x", "con", "NUL.txt", "x.", "x ", "a" * 250),
        *(ESCAPE, BIDI, "a\nb", "a\x00b"),
    ],
)
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(InvalidValueError) as refused:
        check_name("sound", name)
    assert printable(str(refused.value)) == str(refused.value)


@pytest.mark.parametrize("name", ["bass", "Bass 2.wav", "höher", "音", "a&b", ".hidden"])
def test_names_that_people_give_are_taken(name):
    assert check_name("sound", name) == name


def test_what_is_shown_holds_no_escape_sequence(capsys):
    safe_console().print(f"{ESCAPE} {BIDI}", markup=False)
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
    assert "\u202e" not in shown
    assert html_text("<\x1b>") == "&lt;\N{REPLACEMENT CHARACTER}&gt;"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x"])
def test_formulas_of_spreadsheets_are_quoted(text):
    assert str(csv_cell(text)).startswith("'")
    assert csv_cell(-1.5) == -1.5


def test_links_that_lead_out_are_refused(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidValueError, match="leads out"):
        inside(folder, "link")
    with pytest.raises(InvalidValueError, match="cannot name a file"):
        inside(folder, "../secret")


def test_a_link_to_nothing_makes_no_file(tmp_path):
    link = tmp_path / "out.h2p"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidValueError, match="is a link to"):
        atomic_write(link, b"x", force=True)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("prefix", ["../", "../../x_", "/tmp/x", "a/b"])
def test_a_data_set_from_elsewhere_makes_nothing_outside(chain, tmp_path, prefix):
    folder = tmp_path / "inner" / "dataset"
    shutil.copytree(chain / "dataset", folder)
    about = json.loads((folder / "dataset.json").read_text("utf-8"))
    (folder / "dataset.json").write_text(json.dumps({**about, "file_prefix": prefix}))
    before = sorted(tmp_path.rglob("*"))
    arguments = ["features", "--feature", "spectrogram", "--data-path", str(folder), "--force"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert "dataset.json" in result.output
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("field", ["file", "preset"])
def test_a_test_set_from_elsewhere_reads_nothing_outside(chain, tmp_path, field):
    folder = tmp_path / "set"
    shutil.copytree(chain / "testset", folder)
    about = json.loads((folder / "testset.json").read_text("utf-8"))
    (tmp_path / "outside.wav").write_bytes(b"x")
    about["sounds"][0][field] = "../outside.wav"
    (folder / "testset.json").write_text(json.dumps(about))
    with pytest.raises(InvalidValueError, match="cannot name a file"):
        TestSet.open(folder)


def test_one_bad_sound_of_a_folder_is_left_out(chain, tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    shutil.copy(chain / "recordings" / "cutoff1.wav", folder / "good.wav")
    (folder / "bad.wav").write_bytes(b"no sound")
    note = ["--note-length", "0.2", "--render-length", "0.2", "--evaluations", "48"]
    arguments = [
        "refine",
        "--free",
        "ms-rev1",
        str(folder),
        "-o",
        str(tmp_path / "out"),
        "--no-predict",
        *note,
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "Left out" in result.output
    assert (tmp_path / "out" / "good.h2p").exists()
    assert not (tmp_path / "out" / "bad.h2p").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes as files, and no such names")
def test_pipes_and_unseen_names_are_refused_before_the_work(chain, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    odd = tmp_path / f"{ESCAPE}.wav"
    shutil.copy(chain / "recordings" / "cutoff1.wav", odd)
    for path, said in ((tmp_path / "pipe.wav", "is a pipe"), (odd, "nobody sees")):
        result = CliRunner().invoke(
            main, ["refine", "--free", "ms-rev1", str(path), "-o", str(tmp_path / "out")]
        )
        assert result.exit_code == 2, result.output
        assert said in result.output
        assert "\x1b[31mred" not in result.output
        assert not (tmp_path / "out").exists()
