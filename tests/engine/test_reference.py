"""The fast voice against the float64 reference, and both at other rates and settings."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.engine import EmbeddedRenderer, Nuisance
from deepdiva.engine.kernel import STILL_BLOCK
from deepdiva.engine.mapping import laws, to_voices
from deepdiva.engine.reference import render_reference
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space

NOTE = Note(length_seconds=0.12, render_seconds=0.15)


def still_patches(count: int) -> NDArray[np.float64]:
    """Points of the default space on stacks of 1 to 3, circuits of both revisions."""
    rng = np.random.default_rng(4)
    space = default_space()
    patches = space.patches(space.random(rng, count))
    patches[:, DIVA.index("VCC.Voicing")] = rng.integers(1, 4, count)
    for name in ("HPF.Rev", "VCF1.SkRev"):
        patches[:, DIVA.index(name)] = rng.integers(1, 3, count)
    return patches


def moving_patches(count: int) -> NDArray[np.float64]:
    """Every honoured parameter random, but what rounds: near a half, either way is right."""
    rng = np.random.default_rng(5)
    patches = DIVA.defaults()[None].repeat(count, axis=0)
    for name in laws():
        patches[:, DIVA.index(name)] = DIVA[name].to_unit(rng.random(count))
    patches[:, DIVA.index("VCC.Voicing")] = rng.integers(1, 4, count)
    for name in ("ENV1.Quant", "ENV2.Quant", "MOD.QSrc"):
        patches[:, DIVA.index(name)] = 0.0
    return patches


def closeness(patches: NDArray[np.float64], note: Note) -> NDArray[np.float64]:
    """Power of the difference over the power of the reference, decibels, shape (batch,)."""
    seeds = np.arange(len(patches))
    fast = EmbeddedRenderer().render(patches, note, seeds).astype(np.float64)
    slow = np.stack(
        [render_reference(*both) for both in zip(patches, [note] * len(seeds), seeds, strict=True)]
    )
    floor = 1e-16  # of sounds that have no power
    error = ((fast - slow) ** 2).mean(axis=1)
    return 10 * np.log10((error + floor) / ((slow**2).mean(axis=1) + floor))


def test_still_patches_equal_the_reference():
    """What float32 loses lies 100 dB below the sound, and 75 dB below in the worst of them."""
    gaps = closeness(still_patches(48), NOTE)
    assert np.median(gaps) < -100
    assert gaps.max() < -75


def test_moving_patches_equal_the_reference():
    """Octaves of pitch modulation and loops near oscillation make rounding grow in some."""
    gaps = closeness(moving_patches(48), NOTE)
    assert np.median(gaps) < -85
    assert np.quantile(gaps, 0.75) < -50
    assert gaps.max() < -20


@pytest.mark.parametrize("sample_rate", [8000, 192000])
def test_other_rates_equal_the_reference(sample_rate):
    note = Note(36, 90, 0.05, 0.06, sample_rate)
    assert closeness(still_patches(8), note).max() < -75


def test_a_sound_may_start_in_the_middle_of_an_envelope():
    patches = still_patches(6)
    levels = np.linspace(0.1, 1.0, 6)
    nuisance = Nuisance(start_level=levels)
    fast = EmbeddedRenderer().render(patches, NOTE, nuisance=nuisance)
    for place, patch in enumerate(patches):
        alone = Nuisance(start_level=levels[place : place + 1])
        slow = render_reference(patch, NOTE, nuisance=alone)
        np.testing.assert_allclose(fast[place], slow, atol=2e-4)


def test_the_still_and_the_moving_kernel_play_the_same_voice():
    """A route of no consequence makes a patch moving; its sound is the same but for the noise."""
    patches = still_patches(32)
    patches = patches[np.rint(patches[:, DIVA.index("OSC.Wave1")]) < 4]
    moving = patches.copy()
    moving[:, DIVA.index("VCF1.FMSrc")] = 1.0  # the modulation wheel, which nobody moves
    moving[:, DIVA.index("VCF1.FMDpt")] = 50.0
    engine = EmbeddedRenderer()
    here, there = (
        engine.render(rows, NOTE, nuisance=Nuisance(drift=False)) for rows in (patches, moving)
    )
    np.testing.assert_allclose(there, here, atol=2e-3 * np.abs(here).max())


def test_a_long_note_keeps_its_phase():
    """Phases are float64 between blocks and float32 within: nothing adds up over ten seconds."""
    note = Note(length_seconds=10.0, render_seconds=10.0, sample_rate=16000)
    patch = DIVA.defaults()
    nuisance = Nuisance(phases=np.full((1, 1, 2), 0.25), drift=False)
    fast = EmbeddedRenderer().render(patch[None], note, nuisance=nuisance)[0]
    slow = render_reference(patch, note, nuisance=nuisance)
    end = slice(-16000, None)
    np.testing.assert_allclose(fast[end], slow[end], atol=1e-3)


def test_blocks_follow_the_note_and_nothing_else():
    """A shorter recording is the beginning of a longer one."""
    patches = still_patches(8)
    engine = EmbeddedRenderer()
    long = engine.render(patches, Note(length_seconds=0.3, render_seconds=0.3))
    short = engine.render(patches, Note(length_seconds=0.3, render_seconds=0.1001))
    kept = short.shape[1] // STILL_BLOCK * STILL_BLOCK
    np.testing.assert_array_equal(short[:, :kept], long[:, :kept])


def test_lanes_are_told_the_same_in_every_batch():
    patches = still_patches(5)
    seeds = np.arange(5).astype(np.uint64)
    engine = EmbeddedRenderer()

    def told(rows):
        return to_voices(
            patches[rows], NOTE, seeds[rows], engine.constants, engine._pots, Nuisance(), 44100.0
        )

    together, alone = told(slice(None)), told(slice(3, 4))
    mine = together.patch == 3
    for name in ("values", "envelopes", "lfos", "sources", "depths", "drift"):
        np.testing.assert_array_equal(getattr(together, name)[mine], getattr(alone, name))
