"""Tables of tunings: Scala and AnaMark files."""

import math

import pytest

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.tuning import Tuning


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scala_scale_repeats_from_the_middle_c(tmp_path):
    text = "! five.scl\n!\npentatonic\n 5\n!\n9/8\n 5/4 a third\n701.955\n27/16\n2\n"
    tuning = Tuning.read(written(tmp_path / "five.scl", text))
    assert tuning.name == "five"
    assert tuning.pitches[60] == 60.0
    assert tuning.pitches[61] == pytest.approx(60.0 + 12.0 * math.log2(9 / 8))
    assert tuning.pitches[63] == pytest.approx(67.01955)
    assert tuning.pitches[65] == 72.0
    assert tuning.pitches[59] == pytest.approx(48.0 + 12.0 * math.log2(27 / 16))
    assert not tuning.is_equal


def test_equal_temperament_written_as_either_file(tmp_path):
    cents = "\n".join(f"{100 * k}.0" for k in range(1, 13))
    assert Tuning.read(written(tmp_path / "a.scl", f"equal\n12\n{cents}\n")).is_equal
    lines = "\n".join(f"note {k}={100 * k}" for k in range(128))
    assert Tuning.read(written(tmp_path / "a.tun", f"[Tuning]\n{lines}\n")).is_equal


def test_exact_cents_go_before_whole_ones(tmp_path):
    text = (
        "; by hand\n[Tuning]\nnote 69=6900\n[Exact Tuning]\nbasefreq = 8.1757989156437\n"
        "note 69 = 6950.25 ; sharp\n"
    )
    tuning = Tuning.read(written(tmp_path / "sharp.TUN", text))
    assert tuning.pitches[69] == pytest.approx(69.5025)
    assert tuning.pitches[68] == pytest.approx(68.0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.scl", "name\nmany\n", "is no Scala scale"),
        ("a.scl", "name\n3\n9/8\n2\n", "promises 3 degrees and has 2"),
        ("a.scl", "name\n1\n-2/1\n", "is no Scala scale"),
        ("a.scl", "name\n1\n99999.0\n", "from -1000 to 1000"),
        ("a.tun", "[Tuning]\nnote x=1\n", "is no AnaMark table"),
        ("a.tun", "[Scale]\nnote 3=1\n", "has no lines 'note 60=6000.0'"),
        ("a.txt", "", "a tuning is a .scl or .tun file"),
    ],
)
def test_other_files_are_refused(tmp_path, name, text, message):
    with pytest.raises(InvalidValueError, match=message):
        Tuning.read(written(tmp_path / name, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="does not exist"):
        Tuning.read(tmp_path / "none.tun")
