"""What holds for every sound of the engine: seeds, batches, bounds, pickling, SIMD."""

from __future__ import annotations

import pickle
import platform
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.engine.constants import table as constant_table
from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel import Nuisance
from deepdiva.synths.diva.panel_renderer import PanelRenderer

SHORT = Note(length_seconds=0.1, render_seconds=0.15)


def random_patches(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Random points of the default space, with stacks of 1 to 6 voices."""
    rng = np.random.default_rng(seed)
    space = default_space()
    patches = space.patches(space.random(rng, count))
    patches[:, DIVA.index("VCC.Voicing")] = rng.integers(1, 7, count)
    return patches


def anything(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Patches in which all 281 parameters are random, a third of them at an end of their range."""
    positions = rng.random((count, len(DIVA)))
    ends = rng.random(positions.shape) < 1 / 3
    positions[ends] = np.round(positions[ends])
    columns = [parameter.to_unit(positions[:, place]) for place, parameter in enumerate(DIVA)]
    patches = np.stack(columns, axis=1).astype(np.float64)
    for name in ("OSC.Model", "HPF.Model", "VCF1.Model"):
        patches[:, DIVA.index(name)] = 3.0
    return patches


@pytest.fixture(scope="module")
def engine() -> PanelRenderer:
    return PanelRenderer()


def test_a_sound_is_the_same_in_every_batch(engine: PanelRenderer) -> None:
    patches = random_patches(40)
    patches[::3, DIVA.index("VCF1.FMDpt")] = 30.0
    patches[1::5, DIVA.index("VCF1.SkRev")] = 2.0
    seeds = np.arange(40)
    together = engine.render(patches, SHORT, seeds)
    order = np.random.default_rng(1).permutation(40)
    shuffled = engine.render(patches[order], SHORT, seeds[order])
    np.testing.assert_array_equal(shuffled, together[order])
    for place in (0, 7, 39):
        alone = engine.render(patches[place : place + 1], SHORT, seeds[place])
        np.testing.assert_array_equal(alone[0], together[place])


def test_threads_change_nothing(engine: PanelRenderer) -> None:
    patches = random_patches(70)
    threaded = PanelRenderer(threads=3)
    np.testing.assert_array_equal(
        threaded.render(patches, SHORT, 5), engine.render(patches, SHORT, 5)
    )


def test_the_seed_decides_start_phases(engine: PanelRenderer) -> None:
    patch = random_patches(1)
    first, again, other = (engine.render(patch, SHORT, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_a_pickled_engine_plays_the_same(engine: PanelRenderer) -> None:
    changed = PanelRenderer(constants={"loop_clip": 0.8}, oversampling=2)
    copy = pickle.loads(pickle.dumps(changed))
    patches = random_patches(3)
    np.testing.assert_array_equal(copy.render(patches, SHORT), changed.render(patches, SHORT))
    assert np.abs(copy.render(patches, SHORT) - engine.render(patches, SHORT)).max() > 0


@pytest.mark.parametrize("sample_rate", [8000, 44100, 96000, 192000])
def test_every_corner_of_the_cube_is_finite_and_bounded(
    engine: PanelRenderer, sample_rate: int
) -> None:
    rng = np.random.default_rng(sample_rate)
    for _ in range(5):
        note = Note(
            pitch=int(rng.integers(0, 128)),
            velocity=int(rng.integers(1, 128)),
            length_seconds=float(rng.uniform(0.005, 0.06)),
            render_seconds=0.08,
            sample_rate=sample_rate,
        )
        patches = anything(rng, 150)
        audio = engine.render(patches, note, rng.integers(0, 1 << 30, 150))
        assert audio.shape == (150, note.samples)
        assert np.isfinite(audio).all()
        # Six voices, each at most the drive's clip times volume, output and modulation.
        gain = patches[:, DIVA.index("main.CcOp")] / 150 * patches[:, DIVA.index("VCA1.Vol")] / 50
        voices = patches[:, DIVA.index("VCC.Voicing")]
        bound = 1.001 * constant_table()["drive_clip"].value * 4.0 * gain * voices + 1e-6
        assert (np.abs(audio).max(axis=1) <= bound).all()


@pytest.mark.parametrize("pitch", [0, 127])
@pytest.mark.parametrize("velocity", [1, 127])
def test_the_ends_of_the_keyboard(engine: PanelRenderer, pitch: int, velocity: int) -> None:
    note = Note(pitch=pitch, velocity=velocity, length_seconds=0.05, render_seconds=0.1)
    assert np.isfinite(engine.render(random_patches(32), note)).all()


def test_twice_oversampled_is_nearly_the_same_sound(engine: PanelRenderer) -> None:
    patches = DIVA.defaults()[None].repeat(2, axis=0)
    patches[:, DIVA.index("VCF1.Freq")] = (60.0, 90.0)
    nuisance = Nuisance(drift=False)
    plain = engine.render(patches, SHORT, nuisance=nuisance)
    fine = PanelRenderer(oversampling=2).render(patches, SHORT, nuisance=nuisance)
    loudness = np.sqrt((plain**2).mean(axis=1))
    spectrum = [
        np.abs(np.fft.rfft(sound[:, 1000:4000] * np.hanning(3000))) for sound in (plain, fine)
    ]
    low = slice(0, 300)
    gap = np.abs(spectrum[0][:, low] - spectrum[1][:, low]).max(axis=1)
    assert (gap < 0.02 * spectrum[1][:, low].max(axis=1)).all()
    assert (loudness > 0.01).all()


def test_bad_input_is_refused(engine: PanelRenderer) -> None:
    patch = DIVA.defaults()[None]
    with pytest.raises(InvalidValueError, match=r"shape \(1, 11\)"):
        engine.render(np.zeros((1, 11)), SHORT)
    with pytest.raises(InvalidValueError, match="not finite"):
        engine.render(patch * np.nan, SHORT)
    with pytest.raises(InvalidValueError, match="give one seed"):
        engine.render(patch, SHORT, [1, 2])
    with pytest.raises(InvalidValueError, match="phases has shape"):
        engine.render(patch, SHORT, nuisance=Nuisance(phases=np.zeros((1, 2))))
    with pytest.raises(InvalidValueError, match="oversampling is 3"):
        PanelRenderer(oversampling=3)
    with pytest.raises(InvalidValueError, match="detune_pots"):
        PanelRenderer(detune_pots=[[0.0, 1.0]])
    with pytest.raises(UnknownNameError, match="loop_klip"):
        EngineConstants({"loop_klip": 1.0})
    with pytest.raises(InvalidValueError, match="finite"):
        EngineConstants({"loop_clip": np.nan})


def test_an_empty_batch_is_no_error(engine: PanelRenderer) -> None:
    assert engine.render(np.empty((0, len(DIVA))), SHORT).shape == (0, SHORT.samples)


def test_drawn_constants_stay_in_what_the_recordings_leave_open() -> None:
    drawn = EngineConstants.draw(np.random.default_rng(0))
    for name, row in constant_table().items():
        assert row.low <= row.value <= row.high
        assert row.low <= drawn[name] <= row.high
    still = EngineConstants.draw(np.random.default_rng(0), width=0.0)
    assert still.changes == {}


def test_constants_are_drawn_to_either_side_of_the_best_value_as_often() -> None:
    rng = np.random.default_rng(1)
    draws = [EngineConstants.draw(rng, 0.5) for _ in range(400)]
    for name, row in constant_table().items():
        values = np.array([drawn[name] for drawn in draws])
        assert np.mean(values < row.value) < 0.6
        assert np.mean(values > row.value) < 0.6
        assert values.min() >= row.value - 0.5 * (row.value - row.low)
        assert values.max() <= row.value + 0.5 * (row.high - row.value)


def test_no_feedback_of_the_high_pass_grows_without_end() -> None:
    patch = DIVA.defaults()
    patch[DIVA.index("HPF.Res")], patch[DIVA.index("HPF.Freq")] = 100.0, 120.0
    engine = PanelRenderer(constants={"hp_feedback_gain": 2.1})
    assert np.isfinite(engine.render(patch[None], Note())).all()


def test_the_version_names_other_constants() -> None:
    usual = PanelRenderer().info.version
    assert PanelRenderer(constants={}).info.version == usual
    changed = PanelRenderer(constants={"loop_clip": 0.9}).info.version
    assert changed.startswith(f"{usual}+")
    assert changed != PanelRenderer(constants={"loop_clip": 0.8}).info.version


_ASSEMBLY = """
import numpy as np
from deepdiva.engine import filters as f
noise = np.zeros(64 * f.LANES, np.float32)
for block, extra in ((f.filter_block, ()), (f.moving_filter_block, (noise,))):
    block(np.zeros(64 * f.LANES, np.float32), *extra, 64,
          np.zeros(f.ROWS * f.LANES, np.float32), f.LANES, np.ones(f.CIRCUIT, np.float32))
    text = next(iter(block.inspect_asm().values()))
    print(max(text.count(register) for register in ("ymm", "zmm")))
"""


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="looks for registers of x86-64"
)
def test_the_filters_use_simd() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _ASSEMBLY], capture_output=True, text=True, check=True
    )
    still, moving = (int(line) for line in run.stdout.split())
    assert still > 60
    assert moving > 60
