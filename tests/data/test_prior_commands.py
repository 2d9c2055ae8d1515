"""Priors on the command line, in data sets and in pictures; and what all priors share."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.stats import chi2

from deepdiva.cli import main
from deepdiva.data.prior_sampling import FromPrior
from deepdiva.data.sampling import draw_block
from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.note import Note
from deepdiva.parameters import Parameter, ParameterTable
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.prior import streams
from deepdiva.synths.diva.prior.base import places_of
from deepdiva.synths.diva.prior.human import HumanPrior
from deepdiva.synths.diva.prior.picture import prior_picture
from deepdiva.synths.diva.prior.registry import PRIORS, prior_for
from deepdiva.synths.diva.prior.streams import uniforms
from deepdiva.synths.diva.prior.tables import tables_sha256
from deepdiva.synths.diva.prior.uniform import UniformPrior


def test_streams_are_splitmix64() -> None:
    """Against the first outputs of SplitMix64 for the seed 1234567, as published with it."""
    states = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * streams._GOLDEN
    known = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert streams._mix(states).tolist() == known


def test_streams_are_uniform_and_unrelated() -> None:
    drawn = uniforms(3, np.arange(20_000), 0, 50)
    counts = np.histogram(drawn, 256, (0, 1))[0]
    expected = drawn.size / 256
    assert chi2.sf(float(np.sum((counts - expected) ** 2 / expected)), 255) > 1e-4
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    for first, second in (
        (centred[:, 1:], centred[:, :-1]),  # neighbouring patches
        (centred[1:], centred[:-1]),  # neighbouring parameters
        (centred, uniforms(4, np.arange(20_000), 0, 50) - 0.5),  # other seeds
        (centred, uniforms(3, np.arange(20_000), 1, 50) - 0.5),  # other attempts
    ):
        correlation = float(np.mean(first * second)) * 12
        assert abs(correlation) < 5 / np.sqrt(first.size)


def test_uniform_prior_is_uniform() -> None:
    prior = UniformPrior()
    drawn = prior.sample(20_000, seed=0)
    DIVA.check(drawn, grid=True)
    least = 1.0
    for parameter in DIVA:
        values = parameter.to_normalised(drawn[:, parameter.index])
        bins = len(parameter.choices) or 20
        place = np.minimum((values * bins).astype(int), bins - 1)
        if parameter.choices:
            place = np.searchsorted(parameter.choice_values, drawn[:, parameter.index])
        counts = np.bincount(place, minlength=bins)
        if not parameter.choices and places_of(parameter) < 1000:
            continue  # steps of 0.01 do not fill 20 bins evenly
        least = min(
            least,
            float(chi2.sf(np.sum((counts * bins / 20_000 - 1) ** 2) * 20_000 / bins, bins - 1)),
        )
    assert least > 1e-3 / len(DIVA)
    values = [float(places_of(parameter)) for parameter in DIVA]
    np.testing.assert_allclose(prior.log_density(drawn[:3]), -np.log(values).sum())


def test_every_prior_gives_each_patch_its_own() -> None:
    for name in PRIORS:
        prior = prior_for(name)
        assert prior.to_dict()["name"] == name
        assert prior.sample(0, 0).shape == (0, 281)
        assert prior.log_density(np.empty((0, 281))).shape == (0,)
        with pytest.raises(InvalidValueError, match="count is -1"):
            prior.sample(-1, 0)
        with pytest.raises(InvalidValueError, match="2 notes for 3 patches"):
            prior.sample(3, 0, [Note(), Note()])
        np.testing.assert_array_equal(prior.sample(4097, 2)[:5], prior.sample(5, 2))
    assert HumanPrior().to_dict()["tables_sha256"] == tables_sha256()


def test_data_set_holds_what_the_prior_draws() -> None:
    space = ParameterSpace(DIVA, DIVA.defaults(), DIVA.names)
    note = Note(pitch=60)
    sampling = FromPrior(HumanPrior(), note)
    points, _ = draw_block(sampling, space, np.random.default_rng(5), 40)
    seed = int(np.random.default_rng(5).integers(2**63))
    expected = HumanPrior().sample(40, seed, note)
    np.testing.assert_allclose(space.patches(points), expected, atol=1e-4)
    few = default_space()
    some = sampling.points(few, np.random.default_rng(5), 40)
    np.testing.assert_allclose(few.patches(some)[:, few.columns], expected[:, few.columns])


def test_prior_of_diva_is_not_for_others() -> None:
    knob = Parameter(index=0, name="gain", kind="float", minimum=0, maximum=1, default=0)
    other = ParameterSpace(ParameterTable("other", (knob,)), np.zeros(1), ("gain",))
    with pytest.raises(InvalidValueError, match="the synthesizer is other: leave out --prior"):
        FromPrior(UniformPrior(), Note()).points(other, np.random.default_rng(0), 3)


def test_dataset_command_takes_a_prior(tmp_path: Path) -> None:
    options = [
        "--sample-size",
        "30",
        "--note-length",
        "0.05",
        "--render-length",
        "0.05",
        "--silent",
        "keep",
    ]
    paths = ["--data-path", str(tmp_path)]
    runs = (["--prior", "human"], ["--prior", "uniform"], [])
    stored = []
    for number, prior in enumerate(runs):
        named = ["--folder-name", str(number)]
        done = CliRunner().invoke(main, ["dataset", *options, *paths, *named, *prior])
        assert done.exit_code == 0, done.output
        stored.append(np.load(tmp_path / str(number) / "0_patches.npy"))
    human = json.loads((tmp_path / "0" / "dataset.json").read_text("utf-8"))
    assert human["sampling"]["prior"]["tables_sha256"] == tables_sha256()
    np.testing.assert_array_equal(stored[1], stored[2])
    assert not np.array_equal(stored[0], stored[1])
    attack = default_space().free.index("ENV1.Atk")
    assert np.mean(stored[0][:, attack] == 0) > 0.1  # at rest in 37 % of human presets


def test_dataset_command_refuses_two_ways_and_unknown_names(tmp_path: Path) -> None:
    start = ["dataset", "--sample-size", "3", "--data-path", str(tmp_path)]
    both = CliRunner().invoke(main, [*start, "--prior", "human", "--from-presets", str(tmp_path)])
    assert isinstance(both.exception, InvalidValueError) or both.exit_code == 2
    unknown = CliRunner().invoke(main, [*start, "--prior", "humans"])
    assert isinstance(unknown.exception, UnknownNameError) or unknown.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_presets_are_told(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    Preset.template().write(tmp_path / "mine" / "good.h2p")
    (tmp_path / "mine" / "bad.h2p").write_bytes(b"x")
    options = ["--sample-size", "3", "--note-length", "0.05", "--render-length", "0.05"]
    folders = ["--data-path", str(tmp_path), "--prior", str(tmp_path / "mine")]
    done = CliRunner().invoke(main, ["dataset", *options, *folders])
    assert done.exit_code == 0, done.output
    assert "Passed over:" in done.stderr
    assert "bad.h2p" in "".join(done.stderr.split())
    description = json.loads((tmp_path / "dataset" / "dataset.json").read_text("utf-8"))
    assert description["sampling"]["prior"]["presets"] == 1


def test_inspect_draws_a_prior(tmp_path: Path) -> None:
    picture = tmp_path / "prior.png"
    options = ["dataset", "inspect", "--prior", "human", "--picture", str(picture)]
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 0, done.output
    assert str(picture) in done.output
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert image.width > 1500
    again = CliRunner().invoke(main, options)
    assert again.exit_code != 0
    neither = CliRunner().invoke(main, ["dataset", "inspect"])
    assert neither.exit_code == 2
    assert "Name the FOLDER of a data set or a --prior" in neither.output


def test_picture_shows_what_it_is_asked_for() -> None:
    one = prior_picture(UniformPrior(), 100, names=("VCF1.Freq",))
    many = prior_picture(UniformPrior(), 100, names=DIVA.names[:20])
    with Image.open(io.BytesIO(one)) as small, Image.open(io.BytesIO(many)) as large:
        assert small.height < large.height
    with pytest.raises(UnknownNameError, match=r"VCF1\.Freq"):
        prior_picture(UniformPrior(), 100, names=("VCF1.Frequ",))
    with pytest.raises(InvalidValueError, match="nothing to draw"):
        prior_picture(UniformPrior(), 0)
