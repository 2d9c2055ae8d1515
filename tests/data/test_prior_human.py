"""The human prior is spread as the counts over human presets say."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2, ks_2samp

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.prior.base import each_note
from deepdiva.synths.diva.prior.cells import UNSEEN
from deepdiva.synths.diva.prior.human import HumanPrior
from deepdiva.synths.diva.prior.musical import refusals
from deepdiva.synths.diva.prior.tables import CHAIN, human_model
from deepdiva.synths.diva.prior.uniform import UniformPrior

SAMPLES = 50_000
SIGMAS = 5.0
"""Some 3,000 comparisons: less than one in a hundred test runs would fail by chance at 5."""
ROUNDING = 1e-3
"""The counts by model have three decimals, and some counts were made over 1,448 presets."""
GROUPS = {"osc": "OSC.Model", "hpf": "HPF.Model", "vcf": "VCF1.Model"}


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


@pytest.fixture(scope="module")
def bare() -> NDArray[np.float64]:
    """Draws from the tables alone."""
    return HumanPrior(constrained=False).sample(SAMPLES, seed=1)


@pytest.fixture(scope="module")
def real(diva_presets: list[Path]) -> NDArray[np.float64]:
    """The patches of 62 presets, which were not among those that were counted."""
    return np.array([Preset.read(path).values() for path in diva_presets])


def column(patches: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    return patches[:, DIVA.index(name)]


def deviation(share: float, count: int) -> float:
    """Of a binomial share."""
    return float(np.sqrt(max(share * (1 - share), 1 / count) / count))


def test_share_at_the_most_frequent_value_is_that_of_the_counts(
    bare: NDArray[np.float64], shared: Path
) -> None:
    far = {}
    for row in rows(shared / "facts/presets/parameters.csv"):
        parameter = DIVA[row["name"]]
        share = float(row["share_at_mode"]) * (1 - UNSEEN)
        found = float(np.mean(column(bare, row["name"]) == float(row["mode_value"])))
        places = len(parameter.choices) or 10_000
        if abs(found - share) > SIGMAS * deviation(share, SAMPLES) + UNSEEN / places + ROUNDING:
            far[row["name"]] = (share, found)
    assert far == {}


def test_choices_are_as_frequent_as_counted(bare: NDArray[np.float64], shared: Path) -> None:
    least = 1.0
    tested = 0
    for row in rows(shared / "facts/presets/parameters.csv"):
        parameter = DIVA[row["name"]]
        counts = {
            float(value): int(count)
            for value, count in (pair.split(":") for pair in row["top10_values"].split())
        }
        listed = sum(counts.values()) == 1448 and set(counts) <= set(parameter.choice_values)
        if not parameter.choices or not listed:
            continue
        tested += 1
        values = column(bare, row["name"])
        observed = np.array([np.sum(values == value) for value in parameter.choice_values])
        shares = np.array([counts.get(value, 0) / 1448 for value in parameter.choice_values])
        expected = SAMPLES * ((1 - UNSEEN) * shares + UNSEEN / len(shares))
        many = expected >= 5
        pooled = [(observed[many], expected[many])]
        if (~many).any():
            pooled.append((observed[~many].sum(keepdims=True), expected[~many].sum(keepdims=True)))
        statistic = sum(float(np.sum((o - e) ** 2 / e)) for o, e in pooled)
        freedom = sum(len(e) for _, e in pooled) - 1
        if freedom:
            least = min(least, float(chi2.sf(statistic, freedom)))
    assert tested == 89  # all whose values are all listed
    assert least > 1e-3 / tested


def test_quantiles_and_modes_are_those_of_each_model(
    bare: NDArray[np.float64], shared: Path
) -> None:
    far = []
    checked = 0
    for row in rows(shared / "facts/presets/parameters_by_model.csv"):
        model = int(row["group"][3:])
        inside = column(bare, GROUPS[row["group"][:3]]) == model
        values = np.sort(column(bare, row["name"])[inside])
        presets, count = int(row["n"]), len(values)
        share = float(row["share_at_mode"])
        at_mode = float(np.mean(values == float(row["mode"])))
        if abs(at_mode - share) > SIGMAS * deviation(share, count) + ROUNDING:
            far.append((row["name"], row["group"], "mode", share, at_mode))
        for name in ("p5", "p25", "p50", "p75", "p95"):
            level, value = int(name[1:]) / 100, float(row[name])
            # A quantile of n presets lies between two ranks; that of the draws scatters.
            slack = 1.5 / presets + SIGMAS * deviation(level, count)
            below = np.searchsorted(values, value - 0.006, "left") / count
            up_to = np.searchsorted(values, value + 0.006, "right") / count
            checked += 1
            if below > level + slack or up_to < level - slack:
                far.append((row["name"], row["group"], name, value, (below, up_to)))
    assert checked > 1500
    assert far == []


def test_effects_share_the_slots_as_counted(bare: NDArray[np.float64]) -> None:
    first = np.where(column(bare, "main.#FX1") > 0, column(bare, "FX1.Module") + 1, 0)
    second = np.where(column(bare, "main.#FX2") > 0, column(bare, "FX2.Module") + 1, 0)
    # Counted: chorus then plate, chorus then delay, delay then plate, chorus only, none.
    for one, two, count in ((1, 3, 148), (1, 4, 123), (4, 3, 92), (1, 0, 137), (0, 0, 262)):
        share = count / 1448
        found = float(np.mean((first == one) & (second == two)))
        assert found == pytest.approx(share, abs=SIGMAS * deviation(share, SAMPLES) + UNSEEN)
    # In either slot: plate 604, chorus 528, delay 464, phaser 206, rotary 107.
    for effect, count in ((3, 604), (1, 528), (4, 464), (2, 206), (5, 107)):
        found = float(np.mean((first == effect) | (second == effect)))
        share = count / 1448
        assert found == pytest.approx(share, abs=SIGMAS * deviation(share, SAMPLES) + UNSEEN)


def test_sources_modulate_as_often_as_counted(bare: NDArray[np.float64], shared: Path) -> None:
    labels = {choice.label: choice.value for choice in DIVA["VCA1.ModSrc"].choices}
    everywhere = {
        "vcf1": ("VCF1.FMSrc", "VCF1.FMDpt"),
        "vcf2": ("VCF1.FM2Src", "VCF1.FM2Dpt"),
        "res": ("VCF1.ResSrc", "VCF1.ResDpt"),
        "vca": ("VCA1.ModSrc", "VCA1.ModDpt"),
        "pan": ("VCA1.PanSrc", "VCA1.PanDpt"),
        "lfo1 depth": ("LFO1.DMS1", "LFO1.DMD1"),
        "lfo2 rate": ("LFO2.FMS1", "LFO2.FMD1"),
    }
    checked = 0
    for row in rows(shared / "facts/presets/routes.csv"):
        if row["target"] not in everywhere:
            continue
        source, depth = everywhere[row["target"]]
        acting = (column(bare, source) == labels[row["source"]]) & (column(bare, depth) != 0)
        share = int(row["presets_active"]) / 1448
        slack = SIGMAS * deviation(share, SAMPLES) + 2.5 / 1448  # fitted to within two presets
        assert float(np.mean(acting)) == pytest.approx(share, abs=slack), row
        checked += 1
    assert checked > 90


def test_processors_that_something_listens_to_have_an_input(bare: NDArray[np.float64]) -> None:
    routes = human_model().routes
    used = np.zeros(len(bare), dtype=bool)
    for route in routes:
        used |= (bare[:, route.source] == 22) & (bare[:, route.depth] != 0)
    inputs = column(bare, "MOD.A1Src") > 0
    assert np.mean(inputs[used]) > 0.9
    assert np.mean(inputs) == pytest.approx(1 - 0.7645, abs=SIGMAS * deviation(0.76, SAMPLES))


def test_every_patch_can_be_held_and_spelled(bare: NDArray[np.float64]) -> None:
    musical = HumanPrior().sample(2000, seed=3)
    for patches in (bare, musical):
        DIVA.check(patches, grid=True)
        np.testing.assert_array_equal(np.round(patches, 2), patches)
    template = Preset.template()
    in_no_file = [DIVA.index(name) for name in ("VCC.MuCore", "OPT.Acc", "OPT.OffAcc")]
    for patch in musical[:20]:
        again = template.with_values(patch).values()
        again[in_no_file] = patch[in_no_file]
        np.testing.assert_array_equal(again, patch)


def test_a_patch_does_not_depend_on_the_batch() -> None:
    prior = HumanPrior()
    many = prior.sample(9000, seed=7)
    np.testing.assert_array_equal(prior.sample(37, seed=7), many[:37])
    np.testing.assert_array_equal(prior.sample(4097, seed=7), many[:4097])
    assert not np.array_equal(prior.sample(37, seed=8), many[:37])
    notes = [Note(pitch=24 + number % 70) for number in range(300)]
    each = prior.sample(300, 7, notes)
    np.testing.assert_array_equal(prior.sample(11, 7, notes[:11]), each[:11])
    np.testing.assert_array_equal(prior.sample(300, 7, Note(pitch=24 + 5))[5], each[5])


def test_constraints_hold_and_leave_the_chain_as_it_is() -> None:
    note = Note(pitch=36, length_seconds=0.5)
    drawn = HumanPrior().draw(20_000, 5, note)
    broken = refusals(drawn.patches, each_note(note, 20_000))
    assert {reason: int(mask.sum()) for reason, mask in broken.items()} == dict.fromkeys(broken, 0)
    assert set(drawn.refused) == set(broken)
    assert all(count > 0 for count in drawn.refused.values())
    assert drawn.draws - 20_000 <= sum(drawn.refused.values()) < 2 * (drawn.draws - 20_000)
    unconstrained = HumanPrior(constrained=False).sample(20_000, 5)
    places = [DIVA.index(name) for name in CHAIN]
    np.testing.assert_array_equal(drawn.patches[:, places], unconstrained[:, places])


def test_shares_accepted_are_those_in_the_table() -> None:
    model = human_model()
    drawn = HumanPrior(constrained=False).sample(SAMPLES, seed=11)
    passed = ~np.any(list(refusals(drawn, each_note(None, SAMPLES)).values()), axis=0)
    chains = drawn[:, [DIVA.index(name) for name in CHAIN]].astype(int)
    expected = model.accepted[tuple(chains.T)]
    # The table is from 10,000 draws a chain.
    slack = SIGMAS * (deviation(0.885, SAMPLES) + deviation(0.885, 100_000))
    assert float(passed.mean()) == pytest.approx(float(expected.mean()), abs=slack)
    for chain in ((0, 0, 0), (1, 2, 1), (1, 3, 2)):
        inside = (chains == chain).all(axis=1)
        share = float(model.accepted[chain])
        slack = SIGMAS * (deviation(share, int(inside.sum())) + deviation(share, 10_000))
        assert float(passed[inside].mean()) == pytest.approx(share, abs=slack)


def test_a_note_for_which_nothing_is_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepdiva.synths.diva.prior.human.MOST_ATTEMPTS", 2)
    with pytest.raises(InvalidValueError, match=r"No audible patch .* pitch 127 and 1e-05 s"):
        HumanPrior().sample(300, 0, Note(pitch=127, length_seconds=1e-5))


def test_density_of_each_parameter_sums_to_one() -> None:
    model = human_model()
    for given in (*model.given, *model.processors):
        parameter = DIVA[given.place]
        values = spelled(given.place)
        for cells in given.by_state:
            assert float(cells.probability(values).sum()) == pytest.approx(1), parameter.name
    for route in model.routes:
        values = spelled(route.depth)
        for joint, cells in zip(route.sources, route.depths, strict=True):
            chances = cells.probability(values)
            assert float(chances.sum()) == pytest.approx(1)
            assert float(chances[values == 0].sum()) == pytest.approx(0, abs=1e-12)
            assert float(joint.share.sum()) == pytest.approx(1)
    assert float(model.chain.share.sum()) == pytest.approx(1)
    assert float(model.effects.share.sum()) == pytest.approx(1)


def spelled(place: int) -> NDArray[np.float64]:
    """All values of a parameter that a preset file can spell."""
    parameter = DIVA[place]
    if parameter.choices:
        return parameter.choice_values
    steps = round((parameter.maximum - parameter.minimum) * 100)
    return np.round(parameter.minimum + np.arange(steps + 1) / 100, 2)


@pytest.mark.parametrize("name", ["VCF1.Res", "ENV1.Sus", "VCF1.LMode", "OSC.Shape1", "Plate1.Wet"])
def test_density_is_the_frequency_of_values(name: str, bare: NDArray[np.float64]) -> None:
    """Conditional shares by the density, over all values of one parameter, are those of draws."""
    prior = HumanPrior(constrained=False)
    place = DIVA.index(name)
    values = spelled(place)
    patches = np.tile(bare[17], (len(values), 1))
    patches[:, place] = values
    logs = prior.log_density(patches)
    shares = np.exp(logs - np.logaddexp.reduce(logs))
    same = np.ones(len(bare), dtype=bool)
    contexts = {"VCF1": "VCF1.Model", "OSC": "OSC.Model"}
    if name.split(".")[0] in contexts:
        context = contexts[name.split(".")[0]]
        same = column(bare, context) == column(bare, context)[17]
    if name == "Plate1.Wet":
        plate = (column(bare, "main.#FX1") > 0) & (column(bare, "FX1.Module") == 2)
        same = plate == plate[17]
    drawn = bare[same, place]
    for value in np.unique(drawn)[:: max(1, len(np.unique(drawn)) // 50)]:
        share = float(shares[values == value].sum())
        found = float(np.mean(drawn == value))
        assert found == pytest.approx(share, abs=SIGMAS * deviation(share, len(drawn)))
    for edge in np.quantile(values, (0.2, 0.5, 0.8)):
        share = float(shares[values <= edge].sum())
        slack = SIGMAS * deviation(share, len(drawn))
        assert float(np.mean(drawn <= edge)) == pytest.approx(share, abs=slack)


def test_density_knows_the_chain(bare: NDArray[np.float64]) -> None:
    """A constant, over all draws, between p(chain) and the frequency of the chain."""
    prior = HumanPrior(constrained=False)
    patch = bare[5].copy()
    # Two patches that differ in the slots only, both off or dry: what stands in them is idle.
    off, on = patch.copy(), patch.copy()
    off[DIVA.index("main.#FX1")], on[DIVA.index("main.#FX1")] = 0, 1
    difference = np.diff(prior.log_density(np.stack([off, on])))
    module = int(patch[DIVA.index("FX1.Module")])
    second = int(patch[DIVA.index("FX2.Module")] + 1) if patch[DIVA.index("main.#FX2")] else 0
    model = human_model()
    table = model.effects.share.reshape(6, 6)
    expected = np.log(table[module + 1, second] / table[0, second])
    expected -= np.log(model.modules[0].probability(np.array([float(module)])))
    section = ("Chrs1", "Phase1", "Plate1", "Delay1", "Rtary1")[module]
    for given in model.given:
        if DIVA[given.place].section == section:
            value = patch[given.place : given.place + 1]
            expected += np.log(given.by_state[module + 1].probability(value))
            expected -= np.log(given.by_state[0].probability(value))
    np.testing.assert_allclose(difference, expected)


def test_constraints_divide_the_density_by_the_share_that_passes() -> None:
    patches = HumanPrior().sample(50, seed=2)
    bare, musical = HumanPrior(constrained=False), HumanPrior()
    chains = patches[:, [DIVA.index(name) for name in CHAIN]].astype(int)
    np.testing.assert_allclose(
        musical.log_density(patches) - bare.log_density(patches),
        -np.log(human_model().accepted[tuple(chains.T)]),
        atol=1e-9,
    )


def test_density_refuses_what_is_no_patch() -> None:
    with pytest.raises(InvalidValueError, match=r"\(batch, 281\)"):
        HumanPrior().log_density(DIVA.defaults())
    far = DIVA.defaults()
    far[DIVA.index("VCF1.Freq")] = 151
    with pytest.raises(InvalidValueError, match=r"VCF1\.Freq = 151"):
        HumanPrior().log_density(far[None])


def test_real_presets_are_far_likelier_than_uniform_patches(real: NDArray[np.float64]) -> None:
    prior, uniform = HumanPrior(), UniformPrior()
    patches = uniform.sample(1000, seed=0)
    assert prior.log_density(real).min() > prior.log_density(patches).max() + 500
    # They are likelier than under the uniform prior as well, which uniform patches are not.
    assert (prior.log_density(real) > uniform.log_density(real)).all()
    assert (prior.log_density(patches) < uniform.log_density(patches)).all()


def test_draws_are_nearer_to_real_presets_than_uniform_patches(real: NDArray[np.float64]) -> None:
    human, uniform = HumanPrior().sample(5000, 4), UniformPrior().sample(5000, 4)
    varied = [place for place in range(len(DIVA)) if len(np.unique(real[:, place])) > 1]
    distances = np.array(
        [
            [ks_2samp(draws[:, place], real[:, place]).statistic for draws in (human, uniform)]
            for place in varied
        ]
    )
    assert len(varied) > 200
    assert np.mean(distances[:, 0] < distances[:, 1]) > 0.9
    assert np.median(distances[:, 0]) < 0.5 * np.median(distances[:, 1])


def test_real_presets_keep_the_constraints(real: NDArray[np.float64]) -> None:
    broken = refusals(real, each_note(Note(pitch=60), len(real)))
    assert {reason: int(mask.sum()) for reason, mask in broken.items()} == dict.fromkeys(broken, 0)
