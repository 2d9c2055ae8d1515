"""A folder of presets as a prior."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError, MissingFileError, PresetError, UnknownNameError
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.prior.base import places_of
from deepdiva.synths.diva.prior.folder import CHAIN, KEPT, FolderPrior
from deepdiva.synths.diva.prior.human import HumanPrior
from deepdiva.synths.diva.prior.registry import prior_for
from deepdiva.synths.diva.prior.uniform import UniformPrior

IN_NO_FILE = [DIVA.index(name) for name in ("VCC.MuCore", "OPT.Acc", "OPT.OffAcc")]
PRESETS = 12
CHAIN_PLACES = [DIVA.index(name) for name in CHAIN]


@pytest.fixture
def patches() -> NDArray[np.float64]:
    """Patches for the presets: eight of one chain, four of another."""
    drawn = HumanPrior().sample(PRESETS, seed=6)
    drawn[:, IN_NO_FILE] = 0.0
    drawn[:8, CHAIN_PLACES] = (0, 0, 1)
    drawn[8:, CHAIN_PLACES] = (1, 2, 0)
    return drawn


@pytest.fixture
def folder(tmp_path: Path, patches: NDArray[np.float64]) -> Path:
    """Presets that hold them, some in a folder below."""
    (tmp_path / "mine" / "deeper").mkdir(parents=True)
    for number, patch in enumerate(patches):
        place = tmp_path / "mine" / ("deeper" if number % 2 else "") / f"{number:02}.h2p"
        Preset.template().with_values(patch).write(place)
    return tmp_path / "mine"


def as_set(patches: NDArray[np.float64]) -> set[tuple[float, ...]]:
    return set(map(tuple, patches.tolist()))


def test_presets_come_back_unchanged_without_jitter(
    folder: Path, patches: NDArray[np.float64]
) -> None:
    prior = FolderPrior.read(folder, jitter=0.0, crossed=False)
    assert as_set(prior.patches) == as_set(patches)
    drawn = prior.sample(3000, seed=0)
    counts = [int((drawn == patch).all(axis=1).sum()) for patch in patches]
    # A value in 10,000 is drawn from its whole range.
    assert sum(counts) == pytest.approx(3000 * (1 - 1e-4) ** 281, abs=5 * np.sqrt(3000 * 0.028))
    assert min(counts) > 3000 / PRESETS - 5 * np.sqrt(3000 / PRESETS)
    # Their probability: one of twelve, and each value is kept.
    floor = [np.log(1 - 1e-4 + 1e-4 / places_of(parameter)) for parameter in DIVA]
    np.testing.assert_allclose(
        prior.log_density(patches), np.log(1 / PRESETS) + sum(floor), atol=1e-6
    )


def test_crossing_takes_parts_of_two_presets_of_one_chain(
    folder: Path, patches: NDArray[np.float64]
) -> None:
    drawn = FolderPrior.read(folder, jitter=0.0).sample(2000, seed=1)
    groups = (patches[:8], patches[8:])
    mixed = 0
    for patch in drawn:
        (group,) = [group for group in groups if (group[0] == patch)[CHAIN_PLACES].all()] or [None]
        if group is None:
            continue  # the chain was drawn from its whole range
        for section in ("ENV1", "LFO2", "VCF1"):
            places = [entry.index for entry in DIVA if entry.section == section]
            sources = (group[:, places] == patch[places]).all(axis=1)
            odd = np.min(np.sum(group[:, places] != patch[places], axis=1))
            assert sources.any() or odd <= 2  # whole from one preset, but for such draws
        mixed += not (group == patch).all(axis=1).any()
    assert mixed > 1200


def test_slots_stay_whole(folder: Path, patches: NDArray[np.float64]) -> None:
    drawn = FolderPrior.read(folder, jitter=0.3).sample(1000, seed=2)
    slot = [DIVA.index(name) for name in ("main.#FX1", "FX1.Module")]
    found = as_set(drawn[:, slot])
    rare = found - as_set(patches[:, slot])
    assert sum(tuple(pair) in rare for pair in drawn[:, slot].tolist()) <= 3
    assert len(found) > 1


def test_jitter_moves_values_by_its_size_and_leaves_most_at_rest(
    patches: NDArray[np.float64],
) -> None:
    one = patches[:1]
    knob = DIVA["VCF1.Freq"]
    one[0, knob.index] = 90.0
    drawn = FolderPrior(one, jitter=0.05).sample(4000, seed=3)
    steps = (drawn[:, knob.index] - 90.0) / 120.0
    moved = steps[steps != 0]
    assert len(moved) / 4000 == pytest.approx(0.5, abs=5 * np.sqrt(0.25 / 4000))
    assert np.median(np.abs(moved)) == pytest.approx(0.05 * 0.6745, rel=0.08)
    rest = drawn[:, DIVA.index("HPF.KeyScl")]
    assert np.mean(rest == one[0, DIVA.index("HPF.KeyScl")]) > 0.93
    for name in KEPT:
        column = drawn[:, DIVA.index(name)]
        assert np.mean(column == one[0, DIVA.index(name)]) > 0.998
    DIVA.check(drawn, grid=True)


@pytest.mark.parametrize("jitter", [0.0, 0.02, 0.1, 0.5])
def test_kernels_sum_to_one(jitter: float, patches: NDArray[np.float64]) -> None:
    prior = FolderPrior(patches, jitter=jitter)
    for name in ("VCF1.Freq", "ENV1.Sus", "OSC.Wave1", "OSC.Model", "LFO1.Rate", "PCore.LED"):
        parameter = DIVA[name]
        values = (
            parameter.choice_values
            if parameter.choices
            else np.round(parameter.minimum + np.arange(places_of(parameter)) / 100, 2)
        )
        for preset in prior.patches[:3]:
            chances = prior.kernels(preset, values[:, None], np.array([parameter.index]))
            assert chances.min() > 0
            assert float(chances.sum()) == pytest.approx(1.0, abs=1e-6)


def test_density_is_the_frequency_of_values(patches: NDArray[np.float64]) -> None:
    one = patches[:1]
    prior = FolderPrior(one, jitter=0.2)
    drawn = prior.sample(40_000, seed=4)
    for name in ("VCF1.Res", "ENV2.Dec"):
        parameter = DIVA[name]
        values = np.round(np.arange(10_001) / 100, 2)
        place = np.array([parameter.index])
        chances = prior.kernels(prior.patches[0], values[:, None], place)[:, 0]
        column = np.sort(drawn[:, parameter.index])
        found = np.searchsorted(column, values, "right") / len(column)
        # Kolmogorov's distance of 40,000 draws exceeds 0.0125 once in 700,000 times.
        assert np.abs(found - np.cumsum(chances)).max() < 0.0125


def test_density_prefers_its_own(folder: Path, patches: NDArray[np.float64]) -> None:
    prior = FolderPrior.read(folder)
    own, uniform = prior.sample(100, seed=5), UniformPrior().sample(100, seed=5)
    assert prior.log_density(own).min() > prior.log_density(uniform).max()
    assert (prior.log_density(patches) > UniformPrior().log_density(patches)).all()


def test_same_seed_same_patch(folder: Path) -> None:
    prior = prior_for(folder)
    many = prior.sample(5000, seed=1)
    np.testing.assert_array_equal(prior.sample(11, seed=1), many[:11])
    np.testing.assert_array_equal(prior_for(str(folder)).sample(4100, seed=1), many[:4100])
    assert not np.array_equal(prior.sample(11, seed=2), many[:11])


def test_a_bad_file_does_not_stop_the_others(folder: Path, patches: NDArray[np.float64]) -> None:
    (folder / "broken.h2p").write_bytes(b"/*@Meta\n nonsense")
    (folder / "empty.h2p").write_bytes(b"")
    prior = FolderPrior.read(folder, crossed=False, jitter=0.0)
    assert as_set(prior.patches) == as_set(patches)
    assert sorted(path.name for path in prior.refused) == ["broken.h2p", "empty.h2p"]
    assert all(str(path) in text for path, text in prior.refused.items())


def test_values_between_choices_count_as_the_nearest(patches: NDArray[np.float64]) -> None:
    patches[0, DIVA.index("OSC.Tune1")] = 11.43
    prior = FolderPrior(patches[:1], jitter=0.0)
    assert prior.patches[0, DIVA.index("OSC.Tune1")] == 12.0
    np.testing.assert_array_equal(prior.log_density(patches[:1]), prior.log_density(prior.patches))


def test_what_cannot_be_a_prior_is_refused(tmp_path: Path, patches: NDArray[np.float64]) -> None:
    with pytest.raises(UnknownNameError, match="'humans' is no prior: name uniform, human or a"):
        prior_for("humans")
    with pytest.raises(MissingFileError, match=r"holds no \.h2p preset"):
        prior_for(tmp_path)
    (tmp_path / "bad.h2p").write_bytes(b"x")
    with pytest.raises(PresetError, match=r"None of the 1 presets .*bad\.h2p"):
        prior_for(str(tmp_path))
    with pytest.raises(InvalidValueError, match=r"jitter is 0\.6"):
        FolderPrior(patches, jitter=0.6)
    with pytest.raises(InvalidValueError, match="no preset to draw around"):
        FolderPrior(np.empty((0, 281)))


def test_real_presets_make_a_prior(diva_presets: list[Path]) -> None:
    prior = prior_for(diva_presets[0].parent)
    assert isinstance(prior, FolderPrior)
    assert len(prior.patches) == 62
    assert prior.refused == {}
    drawn = prior.sample(200, seed=0)
    DIVA.check(drawn, grid=True)
    assert prior.log_density(drawn).min() > UniformPrior().log_density(drawn).max()
