"""What repeats itself, bit for bit, and what does not: `fresh`, `reuse`, and the noise floor."""

import pickle
import sys

import numpy as np
import pytest

from deepdiva.distance import SpectralDistance
from deepdiva.errors import InvalidValueError
from deepdiva.hosts.noise_floor import noise_floor
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.note import Note

NOTE = Note(length_seconds=0.3, render_seconds=0.4)


@pytest.fixture
def renderer():
    made = []

    def make(plugin, **settings):
        made.append(PluginRenderer(PluginSettings(plugin, **settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def random_patches(table, count, seed=1):
    rng = np.random.default_rng(seed)
    return np.stack([parameter.to_unit(rng.random(count)) for parameter in table], axis=1)


def test_fresh_is_exact_whatever_the_order_and_the_workers(renderer, amsynth):
    """Random patches of amsynth: noise, random waveforms and LFOs draw from the process."""
    one = renderer(amsynth, mode="fresh", workers=1)
    patches = random_patches(one.table, 5)
    audio = one.render(patches, NOTE)
    assert len({row.tobytes() for row in audio}) == 5
    two = renderer(amsynth, mode="fresh", workers=2)
    np.testing.assert_array_equal(two.render(patches[::-1], NOTE), audio[::-1])


def test_a_new_interpreter_gives_what_a_forked_one_gives(renderer, nekobi):
    forked = renderer(nekobi, mode="fresh")
    patches = random_patches(forked.table, 2)
    spawned = renderer(nekobi, mode="fresh", fork=False)
    np.testing.assert_array_equal(forked.render(patches, NOTE), spawned.render(patches, NOTE))


def test_info_says_what_was_measured(renderer, nekobi):
    reuse = renderer(nekobi)
    assert not reuse.info.repeatable
    exact = reuse.exact()
    assert exact.info.repeatable
    assert exact.settings.mode == "fresh"
    assert exact.info.name == "dawdreamer"
    assert exact.info.version.startswith("Nekobi-vst 1.1.0 in DawDreamer ")
    assert exact.info.workers == "threading"


def test_a_plugin_that_takes_chance_from_memory(renderer, kars):
    """Kars repeats itself only where the system lets a process fix its addresses."""
    exact = renderer(kars, mode="fresh")
    patch = exact.table.defaults()[np.newaxis]
    again = renderer(kars, mode="fresh")
    same = np.array_equal(exact.render(patch, NOTE), again.render(patch, NOTE))
    assert same == exact.repeatable
    if sys.platform != "linux":
        return
    assert np.abs(exact.render(patch, NOTE)).max() > 0.01


def test_reuse_plays_what_fresh_plays(renderer, nekobi):
    """The phase of the oscillator differs, the level of every patch does not."""
    reuse = renderer(nekobi, workers=2)
    patches = random_patches(reuse.table, 12)
    patches[:, reuse.table.index("Volume")] = np.linspace(0.3, 1.0, 12)
    exact = renderer(nekobi, mode="fresh", workers=2)
    one, other = reuse.render(patches, NOTE), exact.render(patches, NOTE)
    levels = [np.sqrt(np.mean(audio**2, axis=1)) for audio in (one, other)]
    np.testing.assert_allclose(levels[0], levels[1], rtol=0.1)


def test_defaults_are_played_as_they_are_named(renderer, nekobi):
    """Nekobi names defaults that it does not play before it is told: it is told."""
    reuse = renderer(nekobi)
    patches = np.tile(reuse.table.defaults(), (3, 1))
    patches[1] = random_patches(reuse.table, 1)[0]
    first, _, later = reuse.render(patches, NOTE)
    alone = renderer(nekobi, mode="fresh").render(patches[:1], NOTE)[0]
    distance = SpectralDistance(later, NOTE.sample_rate)
    assert distance(np.array([first, alone])).max() < 0.01


def test_tails_do_not_reach_into_the_next_patch(renderer, amsynth):
    """A held note with a release of seconds and reverb, then a patch that is nearly silent."""
    reuse = renderer(amsynth, workers=1)
    table = reuse.table
    loud, quiet = table.defaults(), table.defaults()
    for name, value in (("amp_release", 1.0), ("reverb_wet", 1.0), ("reverb_roomsize", 1.0)):
        loud[table.index(name)] = value
    quiet[table.index("master_vol")] = 0.05
    quiet[table.index("amp_attack")] = 1.0
    held = Note(length_seconds=0.4, render_seconds=0.4)
    alone = reuse.exact()
    expected = np.abs(alone.render_checked(quiet[None], held).audio).max()
    alone.close()
    audio = reuse.render_checked(np.array([loud, quiet, loud, quiet]), held).audio
    assert np.abs(audio[0]).max() > 0.1
    assert np.abs(audio[[1, 3]]).max() < expected + 2e-4


def test_noise_floor(renderer, nekobi, kars):
    exact = renderer(nekobi, mode="fresh", workers=2)
    floor = noise_floor(exact, exact.table.defaults(), NOTE, repeats=3)
    assert (floor.median, floor.largest, floor.repeats) == (0.0, 0.0, 3)
    noisy = renderer(kars, workers=2)
    floor = noise_floor(noisy, noisy.table.defaults(), NOTE, repeats=4)
    assert 0.0 < floor.median <= floor.largest
    with pytest.raises(InvalidValueError, match="repeats is 1"):
        noise_floor(noisy, noisy.table.defaults(), NOTE, repeats=1)


def test_pickled_renderer_works_elsewhere(renderer, nekobi):
    one = renderer(nekobi, mode="fresh")
    patches = random_patches(one.table, 1)
    audio = one.render(patches, NOTE)
    copy = pickle.loads(pickle.dumps(one))
    assert "description" in copy.__dict__  # the plug-in need not be asked again
    np.testing.assert_array_equal(copy.render(patches, NOTE), audio)
    copy.close()


def test_another_sample_rate(renderer, amsynth):
    """The same sound, sampled otherwise: the fundamental stands where it belongs."""
    one = renderer(amsynth)
    patch = one.table.defaults()[np.newaxis]
    strongest = []
    for rate in (44100, 96000):
        note = Note(pitch=57, length_seconds=0.5, render_seconds=0.5, sample_rate=rate)
        audio = one.render(patch, note)[0]
        assert audio.shape == (rate // 2,)
        strongest.append(np.argmax(np.abs(np.fft.rfft(audio * np.hanning(len(audio))))) * 2)
    assert strongest == pytest.approx([note.frequency_hz] * 2, abs=2)
