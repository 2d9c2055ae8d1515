"""Plug-ins that crash, hang, leave, fall silent, or return what is no audio: all are survived."""

import importlib
import pickle
from dataclasses import replace

import numpy as np
import pytest

from deepdiva.errors import InvalidValueError, MissingFileError, RenderError
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.render_checks import RenderChecks
from deepdiva.hosts.settings import Limits, PluginSettings
from deepdiva.note import Note
from deepdiva.renderer import PartialRenderError

NOTE = Note(length_seconds=0.2, render_seconds=0.3)
LIMITS = Limits(start_seconds=120, render_seconds=1.7, per_second=1.0)


@pytest.fixture(scope="module")
def faulty(standins):  # noqa: ARG001  (puts the module on the import path)
    return importlib.import_module("faulty_host")


@pytest.fixture
def renderer(nekobi, faulty):
    made = []

    def make(**settings):
        settings = {"host": faulty.FaultyHost, "limits": LIMITS, "workers": 2} | settings
        made.append(PluginRenderer(PluginSettings(nekobi, **settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def patches(renderer, tunings):
    """Patches of Nekobi that differ in their tuning, and in their cutoff so that none is alike."""
    batch = np.tile(renderer.table.defaults(), (len(tunings), 1))
    batch[:, renderer.table.index("Tuning")] = tunings
    batch[:, renderer.table.index("Cutoff")] = np.linspace(0.3, 0.6, len(tunings))
    return batch


def test_one_batch_with_every_fault(renderer, faulty):
    """Rows between the faults play as if nothing had been; each fault is named."""
    faults = {
        1: (faulty.CRASH, "crashed with SIGSEGV"),
        4: (faulty.HANG, "hung: no answer within 2 s"),
        6: (faulty.LEAVE, "ended its process with exit code 1"),
        9: (faulty.SILENCE, "is silent (below -80 dBFS)"),
        11: (faulty.NOT_A_NUMBER, "returned values that are not finite"),
    }
    tunings = np.full(14, 0.2)
    for row, (tuning, _) in faults.items():
        tunings[row] = tuning
    one = renderer()
    batch = patches(one, tunings)
    result = one.render_checked(batch, NOTE)
    assert {failure.row: failure.reason for failure in result.failures} == {
        row: reason for row, (_, reason) in faults.items()
    }
    assert result.played.tolist() == [row not in faults for row in range(14)]
    assert not result.audio[list(faults)].any()
    peaks = np.abs(result.audio[result.played]).max(axis=1)
    assert (peaks > 0.01).all()
    # Put aside for good: nothing is tried again, and the other rows play on.
    again = one.render_checked(batch, NOTE)
    assert [failure.row for failure in again.failures] == list(faults)
    assert again.failures[0].reason == "was put aside before: it crashed with SIGSEGV"
    assert again.played.sum() == 9


def test_fresh_renders_are_untouched_by_the_faults_beside_them(renderer, faulty):
    one = renderer(mode="fresh")
    assert one.description.name == "Nekobi-vst"  # read with patience; from here on there is little
    one.settings = replace(one.settings, limits=Limits(start_seconds=3, render_seconds=0.7))
    tunings = [0.2, faulty.CRASH, 0.2, faulty.HANG, faulty.SILENCE, 0.2]
    batch = patches(one, tunings)
    result = one.render_checked(batch, NOTE)
    assert [failure.row for failure in result.failures] == [1, 3, 4]
    assert result.failures[0].reason == "crashed with SIGSEGV"
    assert result.failures[1].reason.startswith("hung: no answer within")
    alone = renderer(mode="fresh", workers=1).render(batch[[0, 2, 5]], NOTE)
    np.testing.assert_array_equal(result.audio[result.played], alone)


def test_audio_of_the_patch_before_is_noticed(renderer, faulty):
    one = renderer(workers=1)
    result = one.render_checked(patches(one, [0.2, faulty.STUCK, 0.2]), NOTE)
    (failure,) = result.failures
    assert (failure.row, failure.reason) == (1, "returned the audio of the patch before")


def test_broken_plugin_is_replaced(renderer, faulty):
    """After one patch everything is silent: only that patch is put aside."""
    one = renderer(workers=1)
    result = one.render_checked(patches(one, [0.2, faulty.BREAK, 0.2, 0.25]), NOTE)
    (failure,) = result.failures
    assert failure.row == 1
    assert "then the reference patch is silent" in failure.reason


def test_render_raises_and_keeps_what_was_rendered(renderer, faulty):
    one = renderer(workers=1)
    batch = patches(one, [0.2, faulty.LEAVE, 0.2])
    with pytest.raises(PartialRenderError, match=r"Patch 1 of 3 ended its process") as caught:
        one.render(batch, NOTE)
    assert caught.value.batch.played.tolist() == [True, False, True]
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.batch.failures == caught.value.batch.failures


def test_plugin_that_always_crashes_ends_the_search(renderer, faulty):
    limits = Limits(failures_in_a_row=4)
    one = renderer(limits=limits)
    batch = patches(one, np.full(30, faulty.LEAVE))
    batch[:, one.table.index("Cutoff")] = np.linspace(0.1, 0.9, 30)
    with pytest.raises(RenderError, match=r"failed \d times in a row: it does not work here"):
        one.render(batch, NOTE)
    # Not even then is the renderer lost.
    assert one.render(patches(one, [0.2]), NOTE).any()


def test_processes_are_replaced_after_a_while(renderer):
    one = renderer(workers=1, host="dawdreamer", limits=Limits(recycle_after=3))
    batch = patches(one, np.linspace(0.1, 0.9, 8))
    assert not one.render_checked(batch, NOTE).failures


def test_long_notes_are_waited_for():
    assert Limits(render_seconds=5, per_second=2).per_patch(Note(render_seconds=10)) == 25


def test_gates():
    checks = RenderChecks()
    audio = np.full(100, 0.1, dtype=np.float32)
    assert checks.fault(audio, 100) == ""
    assert checks.fault(-audio, 100) == ""
    assert checks.fault(audio, 101) == "returned (100,) samples instead of 101"
    assert checks.fault(audio * 1e-4, 100) == "is silent (below -80 dBFS)"
    assert checks.fault(audio * 1e5, 100) == "ran away (above +40 dBFS)"
    for value in (np.nan, np.inf, -np.inf):
        broken = audio.copy()
        broken[50] = value
        assert checks.fault(broken, 100) == "returned values that are not finite"


def test_plugins_that_cannot_be_loaded(tmp_path, nekobi):
    missing = PluginRenderer(PluginSettings(tmp_path / "Diva.vst3"))
    with pytest.raises(MissingFileError, match=r"Diva\.vst3 does not exist"):
        _ = missing.table
    text = tmp_path / "Diva.so"
    text.write_text("no library")
    with pytest.raises(RenderError, match="cannot be loaded"):
        _ = PluginRenderer(PluginSettings(text)).table
    other = tmp_path / "Diva.txt"
    other.touch()
    with pytest.raises(RenderError, match=r"suffix '\.txt'"):
        _ = PluginRenderer(PluginSettings(other)).table
    with pytest.raises(RenderError, match="refuses the preset"):
        _ = PluginRenderer(PluginSettings(nekobi, state=b"no preset")).table


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"host": "carla"}, "host is 'carla': it must be one of dawdreamer, renderman"),
        ({"mode": "fast"}, "mode is 'fast': it must be reuse or fresh"),
        ({"workers": 0}, "workers is 0: it must be at least 1"),
    ],
)
def test_settings_that_are_none(tmp_path, setting, message):
    with pytest.raises(InvalidValueError, match=message):
        PluginSettings(tmp_path, **setting)


def test_patches_that_do_not_fit(renderer):
    one = renderer(workers=1, host="dawdreamer")
    with pytest.raises(InvalidValueError, match=r"must be \(batch, 8\)"):
        one.render(one.table.defaults(), NOTE)
    with pytest.raises(InvalidValueError, match="has 8 values"):
        one.render(np.zeros((1, 7)), NOTE)
    wild = one.table.defaults()
    for value in (1.7, np.nan):
        wild[2] = value
        with pytest.raises(InvalidValueError, match="Cutoff = "):
            one.render(wild[None], NOTE)
