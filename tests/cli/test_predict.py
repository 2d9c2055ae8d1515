"""`deepdiva predict`: sounds in, presets out, with a network that was trained for a moment."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from deepdiva.audio import load_target, read_audio, write_wav
from deepdiva.cli import main
from deepdiva.distance import SpectralDistance
from deepdiva.level import at_reference
from deepdiva.models.weights import DEFAULT_WEIGHTS
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(length_seconds=0.4, render_seconds=0.4)
SPACE = default_space()


def train(folder, model, *more):
    options = ["--online", "--model", model, "--epochs", "1", "--batch-size", "32"]
    options += ["--note-length", "0.4", "--render-length", "0.4", "--epoch-sounds", "320"]
    options += ["--test-sounds", "32", "--model-path", str(folder), "--folder-name", model, *more]
    result = CliRunner().invoke(main, ["train", *options])
    assert result.exit_code == 0, result.output
    return folder / model / "final_model.safetensors"


@pytest.fixture(scope="module")
def posterior(tmp_path_factory):
    return train(tmp_path_factory.mktemp("networks"), "posterior")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Three sounds of random patches."""
    folder = tmp_path_factory.mktemp("sounds")
    patches = SPACE.patches(SPACE.random(np.random.default_rng(5), 3))
    patches[:, DIVA.index("ENV1.Atk")] = 5.0
    for number, audio in enumerate(PanelRenderer().render(patches, NOTE, 1)):
        write_wav(folder / f"{number}.wav", audio, NOTE.sample_rate)
    return folder


def predict(*arguments, expect=0):
    """With the network's own note, unless a test says another or leaves it to what is heard."""
    arguments = [*map(str, arguments)]
    if "--note-pitch" not in arguments:
        arguments += ["--note-pitch", "48"]
    if "--render-length" not in arguments:
        arguments += ["--note-length", "0.4", "--render-length", "0.4"]
    return told(*arguments, expect=expect)


def told(*arguments, expect=0):
    result = CliRunner().invoke(main, ["predict", *map(str, arguments)])
    assert result.exit_code == expect, (result.output, result.exception)
    return result


def test_preset_preview_and_table_agree(tmp_path, posterior, sounds):
    result = predict(sounds / "0.wav", "-o", tmp_path, "--model-file", posterior, "--picture")
    assert "key 48 (C3)" in result.stdout
    assert "nearest of 64 candidates" in result.stdout
    assert re.search(r"VCF1.Freq +[\d.]+ \([\d.]+ k?Hz\)", result.stdout)
    assert "VCF1.Freq" in result.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"0.h2p", "0.wav", "0.png"}
    preset = Preset.read(tmp_path / "0.h2p")
    assert "0.wav" in preset.meta["Description"]
    rendered = PanelRenderer().render(preset.values()[None], NOTE, 0)[0]
    preview = read_audio(tmp_path / "0.wav")[0][:, 0]
    # The preset file holds two decimals, the preview the network's full precision.
    distance = SpectralDistance(preview, NOTE.sample_rate)(rendered[None])[0]
    assert distance < 0.2


def test_the_nearest_of_many_is_nearer_than_the_likeliest(tmp_path, posterior, sounds):
    found = {}
    for count in (1, 64):
        output = tmp_path / str(count)
        result = predict(
            sounds, "-o", output, "--model-file", posterior, "-k", count, "--json", "--seed", 3
        )
        found[count] = json.loads(result.stdout)
    for one, many in zip(found[1], found[64], strict=True):
        assert many["distance"] <= one["distance"]
        assert (one["candidates"], many["candidates"]) == (1, 64)
        assert set(many["parameters"]) == set(SPACE.names)
        for name, row in many["parameters"].items():
            assert row["low"] <= row["high"]
            assert 0 <= row["certainty"] <= 1, name
        target = load_target(many["sound"], NOTE).audio
        preview = read_audio(many["preview"])[0][:, 0]
        [target, preview] = at_reference(np.stack([target, preview]))[0]
        again = SpectralDistance(target, NOTE.sample_rate)(preview[None])[0]
        assert many["distance"] == pytest.approx(again, rel=1e-5)
        for probabilities in many["class_probabilities"].values():
            assert sum(probabilities) == pytest.approx(1.0, abs=1e-6)


def test_a_batch_answers_as_each_sound_alone(tmp_path, posterior, sounds):
    predict(sounds, "-o", tmp_path / "all", "--model-file", posterior, "--jobs", 2)
    for name in ("0", "1", "2"):
        predict(sounds / f"{name}.wav", "-o", tmp_path / "one", "--model-file", posterior, "-j", 1)
        alone, together = (Preset.read(tmp_path / d / f"{name}.h2p") for d in ("one", "all"))
        np.testing.assert_allclose(alone.values(), together.values(), atol=0.02)


def test_locks_and_base_hold(tmp_path, posterior, sounds):
    base = tmp_path / "base.h2p"
    values = DIVA.defaults()
    values[DIVA.index("VCC.Voicing")] = 2.0
    values[DIVA.index("ENV1.Rel")] = 33.0
    Preset.template().with_values(values).write(base)
    result = predict(
        *(sounds / "1.wav", "-o", tmp_path / "out", "--model-file", posterior),
        *("--base", base, "--lock", "OSC.Wave1=noise", "--lock", "VCF1.Res=12.5"),
    )
    found = Preset.read(tmp_path / "out" / "1.h2p").values()
    assert found[DIVA.index("VCC.Voicing")] == 2.0
    assert found[DIVA.index("ENV1.Rel")] == 33.0
    assert found[DIVA.index("OSC.Wave1")] == 4.0
    assert found[DIVA.index("VCF1.Res")] == 12.5
    assert "learned around other values of ENV1.Rel" in " ".join(result.stderr.split())


def test_a_base_that_transposes_is_heard(tmp_path, posterior, sounds):
    options = (sounds / "0.wav", "--model-file", posterior, "-k", "1", "--json")
    [octave_up] = json.loads(
        predict(*options, "-o", tmp_path / "a", "--lock", "VCC.Trsp=12").stdout
    )
    [played] = json.loads(predict(*options, "-o", tmp_path / "b", "--note-pitch", "60").stdout)
    assert octave_up["note"]["pitch"] == NOTE.pitch
    assert octave_up["class_probabilities"] == played["class_probabilities"]
    assert Preset.read(tmp_path / "a" / "0.h2p").values()[DIVA.index("VCC.Trsp")] == 12.0


def test_a_base_of_another_synthesizer_is_refused(tmp_path, posterior, sounds):
    options = ("-o", tmp_path / "a", "--model-file", posterior, "--base", "other.fxp")
    assert "other.fxp is no preset of diva" in predict(sounds, *options, expect=2).stderr
    assert not (tmp_path / "a").exists()


def test_regression_networks_answer_without_a_spread(tmp_path, sounds):
    weights = train(tmp_path, "cnn")
    result = predict(sounds / "2.wav", "-o", tmp_path / "out", "--model-file", weights, "--json")
    (answer,) = json.loads(result.stdout)
    assert answer["candidates"] == 1
    assert answer["predictor"] == "cnn"
    assert answer["parameters"]["VCF1.Freq"]["certainty"] is None
    assert (
        "sure"
        in predict(
            sounds / "2.wav", "-o", tmp_path / "out", "--model-file", weights, "--force"
        ).stdout
    )


def test_a_device_that_is_not_there_is_refused(tmp_path, sounds):
    if torch.cuda.is_available():
        pytest.skip("cuda is there")
    output = predict(sounds / "0.wav", "-o", tmp_path, "--device", "cuda", expect=2).stderr
    assert "device cuda: this machine" in " ".join(output.split())


def test_results_are_not_overwritten_unasked(tmp_path, posterior, sounds):
    options = (sounds / "0.wav", "-o", tmp_path, "--model-file", posterior)
    predict(*options)
    before = (tmp_path / "0.h2p").read_bytes()
    assert "exists already" in predict(*options, expect=2).stderr
    predict(*options, "--force")
    assert (tmp_path / "0.h2p").read_bytes() == before


def test_the_sound_itself_is_never_overwritten(posterior, sounds):
    options = (sounds / "0.wav", "-o", sounds, "--model-file", posterior, "--force")
    assert "would overwrite the sound itself" in " ".join(
        predict(*options, expect=2).stderr.split()
    )


def test_two_sounds_of_one_name_are_refused(tmp_path, posterior, sounds):
    other = tmp_path / "0.wav"
    other.write_bytes((sounds / "0.wav").read_bytes())
    output = predict(
        sounds / "0.wav", other, "-o", tmp_path / "x", "--model-file", posterior, expect=2
    )
    assert "would both become" in output.stderr


def test_silence_and_missing_files_are_refused(tmp_path, posterior):
    silent = tmp_path / "silent.wav"
    write_wav(silent, np.zeros(8000, np.float32), 44100)
    options = ("-o", tmp_path / "x", "--model-file", posterior)
    assert "silent" in predict(silent, *options, expect=2).stderr
    assert "does not exist" in predict(tmp_path / "none.wav", *options, expect=2).stderr


def test_without_weights_the_way_out_is_said(tmp_path, sounds):
    missing = tmp_path / "none.safetensors"
    if not DEFAULT_WEIGHTS.exists():
        assert "deepdiva train" in predict(sounds / "0.wav", "-o", tmp_path, expect=2).stderr
    options = (sounds / "0.wav", "-o", tmp_path, "--model-file", missing)
    assert "deepdiva train" in predict(*options, expect=2).stderr


def test_a_sound_of_another_key(tmp_path, posterior, sounds):
    found = []
    for number, options in enumerate(([], ["--note-pitch", 60], ["--note-pitch", 48])):
        result = predict(
            sounds / "0.wav", "-o", tmp_path / str(number), "--model-file", posterior, "--json",
            *options,
        )  # fmt: skip
        found.append(json.loads(result.stdout)[0])
    own, higher, said = found
    assert higher["note"] == {**own["note"], "pitch": 60}
    assert higher["parameters"] != own["parameters"]
    assert said["parameters"] == own["parameters"]
    # An octave lower to the ear, twice as slow.
    preset = Preset.read(tmp_path / "1" / "0.h2p")
    rendered = PanelRenderer().render(preset.values()[None], replace(NOTE, pitch=60), 0)[0]
    preview = read_audio(tmp_path / "1" / "0.wav")[0][:, 0]
    assert SpectralDistance(preview, NOTE.sample_rate)(rendered[None])[0] < 0.2
    result = predict(
        sounds / "0.wav", "-o", tmp_path / "3", "--model-file", posterior, "--note-pitch", 128,
        expect=2,
    )  # fmt: skip
    assert "from 0 to 127" in result.stderr


def test_keys_are_heard(tmp_path, posterior):
    times = np.arange(round(NOTE.render_seconds * NOTE.sample_rate)) / NOTE.sample_rate
    for key in (41, 55, 60):
        hertz = 440.0 * 2.0 ** ((key - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hertz * n * times) / n for n in range(1, 9))
        name = f"{key}.wav"
        write_wav(tmp_path / name, (0.2 * tone).astype(np.float32), NOTE.sample_rate)
    noise = np.random.default_rng(0).standard_normal(times.size)
    write_wav(tmp_path / "noise.wav", (0.1 * noise).astype(np.float32), NOTE.sample_rate)
    options = ["--model-file", posterior, "--json"]
    result = told(tmp_path, "-o", tmp_path / "all", *options)
    found = {Path(row["sound"]).name: row for row in json.loads(result.stdout)}
    assert {name: row["note"]["pitch"] for name, row in found.items()} == {
        "41.wav": 41, "55.wav": 55, "60.wav": 60, "noise.wav": NOTE.pitch,
    }  # fmt: skip
    # An answer does not depend on the sounds beside it.
    result = told(tmp_path / "55.wav", "-o", tmp_path / "one", *options)
    [alone] = json.loads(result.stdout)
    assert alone["parameters"] == found["55.wav"]["parameters"]
