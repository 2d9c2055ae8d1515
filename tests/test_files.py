"""Files are written whole or not at all, and never over another by accident."""

import os
import stat
import sys
from pathlib import Path

import pytest

from deepdiva import files
from deepdiva.errors import (
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
    StorageError,
)
from deepdiva.files import alone_in, atomic_write, check_target

DATA = bytes(range(256)) * 1000


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_bytes_arrive_and_nothing_else(tmp_path):
    atomic_write(tmp_path / "a.wav", DATA)
    assert (tmp_path / "a.wav").read_bytes() == DATA
    assert names(tmp_path) == ["a.wav"]


def test_existing_file_needs_force(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    for write in (check_target, lambda path: atomic_write(path, DATA)):
        with pytest.raises(FileExistsAlreadyError, match=r"a\.wav exists already: .* --force"):
            write(path)
    assert path.read_bytes() == b"old"
    check_target(path, force=True)
    atomic_write(path, DATA, force=True)
    assert path.read_bytes() == DATA
    assert names(tmp_path) == ["a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few make links")
def test_a_link_to_itself_is_refused(tmp_path):
    loop = tmp_path / "loop.wav"
    loop.symlink_to(loop)
    with pytest.raises((InvalidValueError, OSError), match=r"loop\.wav"):
        atomic_write(loop, DATA)


def test_names_that_some_disks_take_for_the_same(monkeypatch):
    accent, letters = "B\u00e4ss.h2p", "ba\u0308ss.h2p"
    assert files.disk_key(Path(accent)) != files.disk_key(Path(letters))
    monkeypatch.setattr(files.sys, "platform", "darwin")
    assert files.disk_key(Path(accent)) == files.disk_key(Path(letters))


@pytest.mark.parametrize("force", [False, True])
def test_folder_is_no_file(tmp_path, force):
    with pytest.raises(InvalidValueError, match="is a folder: name a file in it"):
        atomic_write(tmp_path, DATA, force=force)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"the folder .*nowhere is missing"):
        atomic_write(tmp_path / "nowhere" / "a.wav", DATA)


@pytest.mark.parametrize("force", [False, True])
def test_failure_leaves_everything_as_it_was(tmp_path, monkeypatch, force):
    """The disk refuses at the last moment, when all bytes are written."""
    path = tmp_path / "a.wav"
    if force:
        path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, DATA, force=force)
    assert names(tmp_path) == (["a.wav"] if force else [])
    if force:
        assert path.read_bytes() == b"old"


def test_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    sync = os.fsync

    def appear(descriptor):
        path.write_bytes(b"somebody else's")
        sync(descriptor)

    monkeypatch.setattr(files.os, "fsync", appear)
    with pytest.raises(FileExistsAlreadyError, match="exists already"):
        atomic_write(path, DATA)
    assert path.read_bytes() == b"somebody else's"
    assert names(tmp_path) == ["a.wav"]


def test_file_system_without_links(tmp_path, monkeypatch):
    def no_links(_path, _target):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(files.Path, "hardlink_to", no_links)
    atomic_write(tmp_path / "a.wav", DATA)
    assert (tmp_path / "a.wav").read_bytes() == DATA
    assert names(tmp_path) == ["a.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_permissions_are_those_of_any_new_file_or_of_the_old_one(tmp_path):
    path = tmp_path / "a.wav"
    (tmp_path / "plain").touch()
    atomic_write(path, DATA)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    atomic_write(path, DATA, force=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.wav").write_bytes(b"old")
    (tmp_path / "link.wav").symlink_to("real/a.wav")
    atomic_write(tmp_path / "link.wav", DATA, force=True)
    assert (tmp_path / "link.wav").is_symlink()
    assert (tmp_path / "real" / "a.wav").read_bytes() == DATA


def test_one_at_a_time_works_in_a_folder(tmp_path):
    for _ in range(2):  # the file that stays behind locks nobody out
        with alone_in(tmp_path, ".lock", "run: wait for it."):
            second = alone_in(tmp_path, ".lock", "run: wait for it.")
            with pytest.raises(StorageError, match="is in use by another run: wait"), second:
                pass
        assert names(tmp_path) == [".lock"]
