"""Arrays in memory that other processes see: lent, kept, copied, and used again."""

import gc
import mmap
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from deepdiva.hosts.memory import AudioStore, SharedMemory, opened
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.note import Note

NOTE = Note(length_seconds=0.2, render_seconds=0.25)
_DESCRIPTORS = Path("/proc/self/fd")


def open_files():
    gc.collect()
    return len(list(_DESCRIPTORS.iterdir()))


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def windows(tmp_path, monkeypatch):
    """The way that Windows goes; elsewhere with a file in place of the memory behind a tag."""
    if sys.platform == "win32":
        return
    mapping = mmap.mmap

    def tagged(fileno, length, *, tagname):
        assert fileno == -1
        path = tmp_path / tagname
        if not path.exists():
            path.write_bytes(bytes(length))
        with path.open("r+b") as file:
            return mapping(file.fileno(), length)

    monkeypatch.setattr(mmap, "mmap", tagged)
    monkeypatch.setattr(sys, "platform", "win32")


def test_what_one_side_writes_the_other_reads():
    memory = SharedMemory(100)
    there = opened(memory.address, 100)
    assert bytes(there) == bytes(100)
    there[7] = 42
    assert memory.mapped[7] == 42


def test_audio_written_elsewhere_is_in_the_array():
    loan = AudioStore(2).lend(3, 5)
    loan.audio[:] = 0.0
    loan.buffer.open()[1] = 7.0
    np.testing.assert_array_equal(loan.for_keeps(), [[0] * 5, [7] * 5, [0] * 5])


def test_memory_comes_back_when_nothing_refers_to_the_array():
    store = AudioStore(1)
    loan = store.lend(4, 10)
    name = loan.buffer.name
    row = loan.for_keeps()[2]
    del loan
    assert store.lend(1, 1).buffer.name != name  # a row of it is still in use
    del row
    assert store.lend(2, 20).buffer.name == name
    assert store.lend(4, 20).buffer.name != name  # too small


def test_whoever_keeps_many_results_gets_copies():
    store = AudioStore(2)
    kept = []
    for number in range(5):
        loan = store.lend(2, 3)
        loan.audio[:] = number
        kept.append(loan.for_keeps())
        assert (not np.shares_memory(kept[-1], loan.audio)) == (number >= 2)
    assert [array[0, 0] for array in kept] == [0, 1, 2, 3, 4]


def test_no_rows():
    assert AudioStore(1).lend(0, 10).audio.shape == (0, 10)


@pytest.mark.skipif(not _DESCRIPTORS.is_dir(), reason="counts open files in /proc")
def test_nothing_stays_open():
    before = open_files()
    store = AudioStore(2)
    kept = [store.lend(2, 30).for_keeps() for _ in range(20)]
    assert open_files() <= before + 4
    store.clear()
    del store, kept
    assert open_files() == before


def test_windows_needs_no_file(windows, temporary):  # noqa: ARG001  (its platform)
    """A mapped file could not be deleted there, and results outlive everything else."""
    store = AudioStore(1)
    for rows in (1, 3):  # the second makes the first too small
        loan = store.lend(rows, 5)
        loan.audio[:] = 0.0
        there = pickle.loads(pickle.dumps(loan.buffer)).open()
        there[rows - 1] = 7.0
        result = loan.for_keeps()
        np.testing.assert_array_equal(result[rows - 1], [7] * 5)
        assert not list(temporary.iterdir())
        del loan, result


@pytest.mark.skipif("sys.platform == 'win32'", reason="deletes no file that is mapped")
def test_a_file_goes_while_its_bytes_are_in_use(temporary, monkeypatch):
    """Where memory is a file: systems other than Linux and Windows."""
    monkeypatch.setattr(sys, "platform", "darwin")
    memory = SharedMemory(100)
    there = opened(memory.address, 100)
    assert len(list(temporary.iterdir())) == 1
    mapped = memory.mapped
    del memory
    gc.collect()
    assert not list(temporary.iterdir())
    there[7] = 42
    assert mapped[7] == 42


def test_results_keep_what_they_hold(nekobi):
    """Later renders, of other sizes too, leave earlier results alone; failed rows are silent."""
    renderer = PluginRenderer(PluginSettings(nekobi, workers=2))
    table = renderer.table
    patches = np.tile(table.defaults(), (6, 1))
    patches[:, table.index("Cutoff")] = np.linspace(0.2, 0.8, 6)
    results, copies = [], []
    for count in (6, 1, 3, 6, 2, 6, 5):
        results.append(renderer.render(patches[:count], NOTE))
        copies.append(results[-1].copy())
    for result, copy in zip(results, copies, strict=True):
        np.testing.assert_array_equal(result, copy)
        assert np.abs(result).max(axis=1).min() > 0.01
    del results, result
    patches[2:4, table.index("Volume")] = 0.0
    batch = renderer.render_checked(patches, NOTE)
    assert batch.played.tolist() == [True, True, False, False, True, True]
    assert not batch.audio[2:4].any()
    renderer.close()
    assert np.abs(batch.audio[0]).max() > 0.01  # outlives the renderer
