"""What holds for every sound of the engine: tuning, seeds, batches, bounds, ends, refusals."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.engine.voice_constants import voice_values
from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space, panel
from deepdiva.synths.diva.panel import Nuisance
from deepdiva.synths.diva.panel_renderer import PanelRenderer

RATE = 44100
SHORT = Note(length_seconds=0.1, render_seconds=0.15)
C = voice_values({})


def patch(**knobs: float) -> NDArray[np.float64]:
    """MS-REV1 with an instant, full envelope and no slop, and these knobs (VCF1_Freq=60)."""
    values = DIVA.defaults()
    steady = {"ENV1_Atk": 0.0, "OPT_CSlop": 0.0, "OPT_PSlop": 0.0, "OPT_ESlop": 0.0}
    for name, value in {**steady, **knobs}.items():
        values[DIVA.index(name.replace("_", ".", 1))] = value
    return values[None]


def play(
    values: NDArray[np.float64], seconds: float = 1.0, pitch: int = 48, held: float | None = None
) -> NDArray[np.float64]:
    """One sound, drift off, start phases at zero."""
    note = Note(pitch=pitch, length_seconds=held or seconds, render_seconds=seconds)
    nuisance = Nuisance(phases=np.zeros((len(values), 6, 2)), drift=False)
    return PanelRenderer().render(values, note, nuisance=nuisance)[0].astype(np.float64)


def random_patches(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Random points of the default space, with stacks of 1 to 6 voices."""
    rng = np.random.default_rng(seed)
    space = default_space()
    patches = space.patches(space.random(rng, count))
    patches[:, DIVA.index("VCC.Voicing")] = rng.integers(1, 7, count)
    return patches


def anything(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """All parameters random but the chain, a third of them at an end of their range."""
    positions = rng.random((count, len(DIVA)))
    ends = rng.random(positions.shape) < 1 / 3
    positions[ends] = np.round(positions[ends])
    columns = [parameter.to_unit(positions[:, place]) for place, parameter in enumerate(DIVA)]
    patches = np.stack(columns, axis=1).astype(np.float64)
    for name in panel.MODELS:
        patches[:, DIVA.index(name)] = 3.0
    for name in ("main.#FX1", "main.#FX2"):
        patches[:, DIVA.index(name)] = 0.0
    return patches


@pytest.fixture(scope="module")
def engine() -> PanelRenderer:
    return PanelRenderer()


def line(audio: NDArray[np.float64], hertz: float) -> complex:
    """Amplitude of a steady sine of a known frequency, by least squares in a Hann window."""
    time = np.arange(len(audio)) / RATE
    window = np.hanning(len(audio))
    return complex(2.0 * (audio * window * np.exp(-2j * np.pi * hertz * time)).sum() / window.sum())


def cents_from(audio: NDArray[np.float64], hertz: float) -> float:
    """How far a line lies above a frequency: phase advance between two windows."""
    half, near = len(audio) // 2, hertz
    for _ in range(4):
        first, second = line(audio[:half], near), line(audio[half : 2 * half], near)
        turn = np.angle(second / first * np.exp(-2j * np.pi * near * half / RATE))
        near += turn / (2 * np.pi) * RATE / half
    return float(1200 * np.log2(near / hertz))


@pytest.mark.parametrize("pitch", [24, 69, 84])
@pytest.mark.parametrize("octave", [-12.0, 0.0, 12.0])
def test_tuning_of_the_first_oscillator(pitch: int, octave: float) -> None:
    expected = 440.0 * 2.0 ** ((pitch - 69 + octave + C["tune_1_cents"] / 100) / 12)
    audio = play(patch(OSC_Tune1=octave, OSC_Wave1=2.0, VCF1_Freq=130.0), 3.0, pitch)[4410:]
    assert abs(cents_from(audio, expected)) < 0.1


@pytest.mark.parametrize("semitones", [-24.3, -7.0, 0.0, 11.37])
def test_tuning_of_the_second_oscillator(semitones: float) -> None:
    cents = C["tune_2_cents"] + C["pot_2_cents"] * 50.61
    expected = 440.0 * 2.0 ** ((48 - 69 + semitones + cents / 100) / 12)
    audio = play(patch(OSC_Tune2=semitones, OSC_Vol1=0.0, OSC_Vol2=60.0), 3.0)[4410:]
    assert abs(cents_from(audio, expected)) < 0.1


def test_given_cents_detune() -> None:
    note = Note(pitch=57, length_seconds=3.0, render_seconds=3.0)
    nuisance = Nuisance(detune_cents=np.full((1, 1, 2), 31.0), drift=False)
    audio = PanelRenderer().render(patch(OSC_Vol2=0.0, OSC_Wave1=2.0), note, nuisance=nuisance)[0]
    expected = 440.0 * 2.0 ** ((57 - 69 + C["tune_1_cents"] / 100 + 0.31) / 12)
    assert abs(cents_from(audio[4410:].astype(np.float64), expected)) < 0.1


def test_a_sound_is_the_same_in_every_batch(engine: PanelRenderer) -> None:
    patches = random_patches(40)
    patches[::3, DIVA.index("VCF1.FMDpt")] = 30.0
    patches[1::5, DIVA.index("VCF1.SkRev")] = 2.0
    seeds = np.arange(40)
    together = engine.render(patches, SHORT, seeds)
    order = np.random.default_rng(1).permutation(40)
    shuffled = PanelRenderer(threads=3).render(patches[order], SHORT, seeds[order])
    np.testing.assert_array_equal(shuffled, together[order])
    for place in (0, 7, 39):
        alone = engine.render(patches[place : place + 1], SHORT, seeds[place])
        np.testing.assert_array_equal(alone[0], together[place])


def test_the_seed_decides_what_stands_in_no_preset(engine: PanelRenderer) -> None:
    one = random_patches(1)
    first, again, other = (engine.render(one, SHORT, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_a_realization_decides_phases_and_noise(engine: PanelRenderer) -> None:
    """Of a patch without drift and slop nothing is left to the seed."""
    one = patch(OSC_Wave1=4.0, OSC_Vol2=60.0, OSC_Drift=0.0, VCC_Voicing=2.0)
    size = engine.realization_size(one[0])
    assert size == 6
    drawn = np.random.default_rng(0).random((2, size))
    first, again = (engine.render_realizations(one, SHORT, drawn[:1], seed) for seed in (1, 2))
    np.testing.assert_array_equal(first, again)
    for column in range(size):
        changed = drawn[:1].copy()
        changed[0, column] = drawn[1, column]
        other = engine.render_realizations(one, SHORT, changed)
        heard = column % 3 != 0  # the phase of a noise is not
        assert (np.abs(other - first).max() > 1e-3) == heard


def test_a_sound_may_start_in_the_middle_of_an_envelope(engine: PanelRenderer) -> None:
    one = patch(ENV1_Atk=60.0, OSC_Wave1=2.0, OSC_Drift=0.0)
    full = engine.render(patch(OSC_Wave1=2.0, OSC_Drift=0.0), SHORT)
    half = engine.render(one, SHORT, nuisance=Nuisance(start_level=np.array([0.5])))
    ratio = np.abs(half).max() / np.abs(full).max()
    assert 0.4 < ratio < 0.8  # the amplifier saturates behind the envelope


def test_a_pickled_engine_plays_the_same(engine: PanelRenderer) -> None:
    changed = PanelRenderer(constants={"filter.bite.clip": 0.8})
    copy = pickle.loads(pickle.dumps(changed))
    patches = random_patches(3)
    np.testing.assert_array_equal(copy.render(patches, SHORT), changed.render(patches, SHORT))
    assert np.abs(copy.render(patches, SHORT) - engine.render(patches, SHORT)).max() > 0


@pytest.mark.parametrize("sample_rate", [8000, 44100, 192000])
def test_every_corner_of_the_cube_is_finite_and_bounded(
    engine: PanelRenderer, sample_rate: int
) -> None:
    rng = np.random.default_rng(sample_rate)
    for _ in range(3):
        note = Note(
            pitch=int(rng.integers(0, 128)),
            velocity=int(rng.integers(1, 128)),
            length_seconds=float(rng.uniform(0.005, 0.06)),
            render_seconds=0.08,
            sample_rate=sample_rate,
        )
        patches = anything(rng, 64)
        audio = engine.render(patches, note, rng.integers(0, 1 << 30, 64))
        assert audio.shape == (64, note.samples)
        assert np.isfinite(audio).all()
        assert np.abs(audio).max() < 6 * 8.0  # six voices at the amplifier's highest level


@pytest.mark.parametrize("pitch", [0, 127])
@pytest.mark.parametrize("velocity", [1, 127])
def test_the_ends_of_the_keyboard(engine: PanelRenderer, pitch: int, velocity: int) -> None:
    note = Note(pitch=pitch, velocity=velocity, length_seconds=0.05, render_seconds=0.1)
    assert np.isfinite(engine.render(random_patches(32), note)).all()


def test_a_note_ends_in_silence_without_a_click() -> None:
    audio = play(patch(OSC_Wave1=2.0), 1.0, held=0.5)
    off = RATE // 2
    assert np.abs(audio[: off - 100]).max() > 0.1
    assert np.abs(audio[off + RATE // 10 :]).max() < 1e-6
    # The release is a smooth curve: no step after it is larger than the saw's own.
    steps = np.abs(np.diff(audio))
    assert steps[off : off + 2000].max() <= 1.01 * steps[off - 4000 : off].max()


def test_a_release_sounds_on() -> None:
    audio = play(patch(OSC_Wave1=2.0, ENV1_Rel=50.0), 1.0, held=0.5)
    assert np.sqrt((audio[RATE // 2 + 2000 : RATE // 2 + 6000] ** 2).mean()) > 0.05


def test_there_is_no_dc() -> None:
    """What the biased loop adds is taken away before the amplifier saturates."""
    engine = PanelRenderer(constants={"amplifier.vca.drive": 1e-3})
    for wave in (1.0, 2.0, 3.0):
        note = Note(length_seconds=3.0, render_seconds=3.0)
        audio = engine.render(patch(OSC_Wave1=wave, VCF1_Res=40.0), note)[0, 44100:]
        assert abs(audio.mean()) < 0.002 * np.abs(audio).max()


def test_blocks_follow_the_note_and_nothing_else(engine: PanelRenderer) -> None:
    """A shorter recording is the beginning of a longer one."""
    patches = random_patches(8)
    long = engine.render(patches, Note(length_seconds=0.3, render_seconds=0.3))
    short = engine.render(patches, Note(length_seconds=0.3, render_seconds=0.1001))
    kept = short.shape[1] // 256 * 256
    np.testing.assert_array_equal(short[:, :kept], long[:, :kept])


def test_a_route_of_no_consequence_changes_no_sound(engine: PanelRenderer) -> None:
    """It makes a patch moving: the kernels of patches that move and rest play the same voice."""
    patches = random_patches(24)
    patches = patches[np.rint(patches[:, DIVA.index("OSC.Wave1")]) < 4]
    moving = patches.copy()
    moving[:, DIVA.index("VCF1.FMSrc")] = 1.0  # the modulation wheel, which nobody moves
    moving[:, DIVA.index("VCF1.FMDpt")] = 50.0
    here, there = (
        engine.render(rows, SHORT, nuisance=Nuisance(drift=False)) for rows in (patches, moving)
    )
    np.testing.assert_allclose(there, here, atol=5e-3 * np.abs(here).max())


def test_bad_input_is_refused(engine: PanelRenderer) -> None:
    one = DIVA.defaults()[None]
    with pytest.raises(InvalidValueError, match=r"shape \(1, 11\)"):
        engine.render(np.zeros((1, 11)), SHORT)
    with pytest.raises(InvalidValueError, match="not finite"):
        engine.render(one * np.nan, SHORT)
    with pytest.raises(InvalidValueError, match="give one seed"):
        engine.render(one, SHORT, [1, 2])
    with pytest.raises(InvalidValueError, match="phases has shape"):
        engine.render(one, SHORT, nuisance=Nuisance(phases=np.zeros((1, 2))))
    with pytest.raises(InvalidValueError, match="start_level has shape"):
        engine.render(one, SHORT, nuisance=Nuisance(start_level=np.zeros(2)))
    with pytest.raises(InvalidValueError, match="realizations have shape"):
        engine.render_realizations(one, SHORT, np.zeros((1, 5)))
    with pytest.raises(InvalidValueError, match="detune_pots"):
        PanelRenderer(detune_pots=[[0.0, 1.0]])
    with pytest.raises(InvalidValueError, match="threads is 0"):
        PanelRenderer(threads=0)
    with pytest.raises(UnknownNameError, match="klip"):
        PanelRenderer(constants={"filter.bite.klip": 1.0})


def test_an_empty_batch_is_no_error(engine: PanelRenderer) -> None:
    assert engine.render(np.empty((0, len(DIVA))), SHORT).shape == (0, SHORT.samples)


def test_drawn_constants_stay_in_what_the_evidence_leaves_open() -> None:
    drawn = panel.draw_constants(np.random.default_rng(0))
    for name, row in panel.constants().items():
        assert row.low <= row.value <= row.high
        assert row.low <= drawn[name] <= row.high
    still = panel.draw_constants(np.random.default_rng(0), width=0.0)
    assert still == {name: row.value for name, row in panel.constants().items()}


def test_constants_are_drawn_to_either_side_of_the_best_value_as_often() -> None:
    rng = np.random.default_rng(1)
    draws = [panel.draw_constants(rng, 0.5) for _ in range(300)]
    for name, row in panel.constants().items():
        values = np.array([drawn[name] for drawn in draws])
        assert np.mean(values < row.value) < 0.6
        assert np.mean(values > row.value) < 0.6
        assert values.min() >= row.value - 0.5 * (row.value - row.low) - 1e-9
        assert values.max() <= row.value + 0.5 * (row.high - row.value) + 1e-9
