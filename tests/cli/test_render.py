"""`deepdiva render`: presets become sounds."""

import json
import math

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.note import Note
from deepdiva.performance import AT_REST, Performance
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

SHORT = ("--note-length", "0.2", "--render-length", "0.3", "--sample-rate", "22050")
NOTE = Note(length_seconds=0.2, render_seconds=0.3, sample_rate=22050)


def run(*arguments):
    return CliRunner().invoke(main, ["render", *SHORT, *map(str, arguments)])


def write_preset(path, **changes):
    """MS-REV1 with some values changed: `VCF1_Freq=90`."""
    preset = Preset.template()
    values = preset.values()
    for name, value in changes.items():
        values[DIVA.index(name.replace("_", "."))] = value
    path.parent.mkdir(exist_ok=True)
    preset.with_values(values).write(path)
    return path


@pytest.fixture
def dark(tmp_path):
    return write_preset(tmp_path / "dark.h2p", VCF1_Freq=60.0)


def test_sound_is_what_the_engine_plays(dark):
    result = run(dark, "--seed", 7)
    assert (result.exit_code, result.stderr) == (0, "")
    audio, rate = soundfile.read(dark.with_suffix(".wav"), dtype="float32")
    preset = Preset.read(dark)
    engine = PanelRenderer.of_preset(preset)
    expected = engine.render_stereo(preset.values()[None], NOTE, 7)[:, 0].T
    assert rate == 22050
    np.testing.assert_array_equal(audio, expected)
    peak = 20 * math.log10(np.abs(expected).max())
    assert result.stdout == f"{dark} -> {dark.with_suffix('.wav')}: peak {peak:.1f} dBFS\n"


def test_trimmers_of_the_preset_are_heard(tmp_path, dark):
    text = dark.read_bytes()
    detuned = tmp_path / "detuned.h2p"
    pot = next(line for line in text.splitlines() if line.startswith(b"V1T1="))
    detuned.write_bytes(text.replace(pot, b"V1T1=80.00"))
    run(tmp_path)
    one, other = (soundfile.read(path.with_suffix(".wav"))[0] for path in (dark, detuned))
    assert np.abs(one - other).max() > 0.01


def test_folder_is_rendered_into_a_new_folder(tmp_path, dark):
    write_preset(tmp_path / "more" / "bright.h2p")
    out = tmp_path / "new" / "sounds"
    result = run(tmp_path, "--output", out)
    assert result.exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["bright.wav", "dark.wav"]
    assert not dark.with_suffix(".wav").exists()


def test_parameters_that_are_not_honoured_are_named_with_reasons(tmp_path):
    path = write_preset(tmp_path / "lead.h2p", ENV1_Trig=1.0, ENV2_Trig=1.0)
    result = run(path)
    assert result.exit_code == 0
    assert result.stderr == (
        f"{path}: not supported: ENV1.Trig, ENV2.Trig (what the other triggers do is unknown).\n"
    )


def test_json_says_what_was_rendered(tmp_path, dark):
    silent = write_preset(tmp_path / "silent.h2p", VCA1_Vol=0.0, ENV1_Trig=1.0)
    result = run(dark, silent, "--json", "--seed", 3)
    first, second = json.loads(result.stdout)
    assert first == {
        "preset": str(dark),
        "sound": str(dark.with_suffix(".wav")),
        "renderer": "embedded",
        "version": PanelRenderer().info.version,
        "note": NOTE.to_dict(),
        "seed": 3,
        "performance": AT_REST.to_dict(),
        "channels": 2,
        "peak_db": pytest.approx(first["peak_db"]),
        "unsupported": {},
        "uncalibrated": [],
    }
    assert second["peak_db"] is None
    assert second["unsupported"] == {"ENV1.Trig": "what the other triggers do is unknown"}


def test_existing_sound_is_kept_unless_forced(dark):
    kept = dark.with_suffix(".wav")
    kept.write_bytes(b"mine")
    result = run(dark)
    assert result.exit_code == 2
    assert "overwrite it with --force" in result.stderr
    assert kept.read_bytes() == b"mine"
    assert run(dark, "--force").exit_code == 0
    assert soundfile.info(kept).frames == NOTE.samples


@pytest.mark.usefixtures("dark")
def test_one_bad_preset_does_not_stop_the_others(tmp_path):
    (tmp_path / "notes.h2p").write_text("buy milk\n")
    result = run(tmp_path, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith(str(tmp_path / "notes.h2p"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dark.wav"]


def test_nothing_but_bad_presets_leaves_nothing_behind(tmp_path):
    (tmp_path / "notes.h2p").write_text("buy milk\n")
    result = run(tmp_path, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {tmp_path / 'notes.h2p'}")
    assert not (tmp_path / "out").exists()


def test_a_chord_in_stereo_as_flac(dark):
    keys = ("--note-pitch", "C3", "--note-pitch", "55", "--tempo", 90, "--wheel", 0.5)
    result = run(dark, *keys, "--format", "flac", "--seed", 3, "--json")
    assert result.exit_code == 0, result.stderr
    (told,) = json.loads(result.stdout)
    assert told["performance"]["chord"] == [55]
    assert told["channels"] == 2
    audio, rate = soundfile.read(dark.with_suffix(".flac"), dtype="float32")
    preset = Preset.read(dark)
    engine = PanelRenderer.of_preset(preset, Performance(chord=(55,), tempo=90.0, wheel=0.5))
    expected = engine.render_stereo(preset.values()[None], NOTE, 3)[:, 0].T
    expected *= 10.0 ** (-told["quieter_db"] / 20.0)
    assert rate == 22050
    np.testing.assert_allclose(audio, expected, atol=2e-3 if told["quieter_db"] else 2e-7)


def test_verbose_names_what_no_sound_has_judged(tmp_path):
    path = write_preset(tmp_path / "lead.h2p", **{"main_#FX1": 1.0, "VCF1_Model": 1.0})
    result = run(path, "--mono", "--verbose")
    assert result.stderr == f"{path}: uncalibrated: filter.cascade, effect.chorus.\n"
    assert soundfile.info(path.with_suffix(".wav")).channels == 1


def test_two_presets_for_one_name_are_refused(tmp_path, dark):
    other = write_preset(tmp_path / "more" / "dark.h2p")
    result = run(tmp_path, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert f"{dark} and {other} would both become" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--velocity", "0"], "velocity is 0"),
        (["--renderer", "embedded", "--plugin", "diva.so"], "leave one out"),
        (["--plugin", "no-such.so"], "no-such.so does not exist"),
        (["--wheel", "2"], "2.0 is not in the range"),
        (["--note-pitch", "50", "--note-pitch", "50"], "50 is given twice"),
        (["--renderer", "dawdreamer", "--bend", "1"], "plays single keys with wheels at rest"),
        (["--tuning", "no-such.scl"], "no-such.scl does not exist"),
        (["--renderer", "harmonium"], "'harmonium' is not one of"),
    ],
)
def test_wrong_options_are_refused(dark, arguments, message):
    result = run(dark, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not dark.with_suffix(".wav").exists()
