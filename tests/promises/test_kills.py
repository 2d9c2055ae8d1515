"""`--resume` succeeds after a kill at every write, rename and fsync of the results."""

import json
import os
import signal
import sys

import numpy as np
import pytest

from deepdiva import files
from deepdiva.errors import FileExistsAlreadyError
from deepdiva.search.sound_match import Outputs
from deepdiva.synths.diva.preset import Preset

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")


def dying_at(monkeypatch, count):
    """Let the n-th call that changes the disk be the last one; how many there were."""
    calls = [0]

    def guarded(function):
        def call(*arguments, **options):
            calls[0] += 1
            if calls[0] == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(os, "fsync", guarded(os.fsync))
    for name in ("replace", "hardlink_to", "unlink", "mkdir", "open"):
        monkeypatch.setattr(files.Path, name, guarded(getattr(files.Path, name)))
    return calls


def killed_at(count, act):
    """Run something in a forked process that dies at a call; whether it came to its end."""
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as monkeypatch:
            dying_at(monkeypatch, count)
            try:
                act()
            finally:
                os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def outputs_in(folder):
    folder.mkdir()
    run = folder / "bass.run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    return Outputs(
        folder / "bass.h2p", folder / "bass.wav", folder / "bass.png", run, folder / "bass.ab.wav"
    )


def write(outputs, text, force=False):
    for path in outputs.files[:2]:
        outputs.write(lambda target: files.atomic_write(target, text, True), path, force=force)


@pytest.mark.parametrize("before", [None, b"an older match"])
def test_results_are_known_as_their_own_after_a_kill_at_any_call(tmp_path, before):
    for count in range(1, 200):
        outputs = outputs_in(tmp_path / f"{count}")
        if before:
            write(outputs, before)
        ended = killed_at(count, lambda outputs=outputs: write(outputs, b"match", bool(before)))
        force = outputs.check(tmp_path / "none.wav", force=False, resume=True)
        write(outputs, b"match", force)
        assert {path.read_bytes() for path in outputs.files[:2]} == {b"match"}
        assert not (outputs.run / "staged").exists()
        if ended:
            assert count > 10
            return
    pytest.fail("it never came to its end")


def test_what_was_changed_since_is_not_overwritten(tmp_path):
    outputs = outputs_in(tmp_path / "folder")
    write(outputs, b"match")
    outputs.preset.write_bytes(b"worked on")
    with pytest.raises(FileExistsAlreadyError, match="was changed since"):
        outputs.check(tmp_path / "none.wav", force=False, resume=True)


def test_a_file_is_as_before_or_complete(tmp_path):
    path = tmp_path / "file"
    for count in range(1, 50):
        path.write_bytes(b"before")
        ended = killed_at(count, lambda: files.atomic_write(path, b"after", force=True))
        assert path.read_bytes() in (b"before", b"after")
        files.sweep(tmp_path, [path.name])
        assert list(tmp_path.iterdir()) == [path]
        if ended:
            return
    pytest.fail("it never came to its end")


def test_an_evaluation_goes_on_after_a_kill_at_any_call(tmp_path, command):
    presets = tmp_path / "presets"
    presets.mkdir()
    Preset.template().write(presets / "one.h2p")
    note = ("--note-length", "0.1", "--render-length", "0.1", "--realizations", 1, "--jobs", 1)
    run = ("evaluate", presets, "-m", "mean", *note)
    command(*run, "-o", tmp_path / "warm")
    for count in range(1, 40, 4):
        folder = tmp_path / f"run{count}"
        ended = killed_at(count, lambda folder=folder: command(*run, "-o", folder))
        command(*run, "-o", folder)
        assert json.loads((folder / "summary.json").read_bytes())["status"]["mean"]["one"] == "ok"
        assert not list(folder.rglob(".*.part"))
        if ended:
            break


def test_a_data_set_goes_on_after_a_kill_at_any_call(tmp_path, command):
    note = ("--note-length", "0.05", "--render-length", "0.05")
    rows = ("--sample-size", 4, "--backend", "threading", "--jobs", 1, *note)
    command("dataset", *rows, "--data-path", tmp_path, "--folder-name", "whole")
    whole = np.load(tmp_path / "whole" / "0_audio.npy")
    for count in range(1, 60, 6):
        run = ("dataset", *rows, "--data-path", tmp_path, "--folder-name", f"run{count}")
        ended = killed_at(count, lambda run=run: command(*run))
        command(*run)
        np.testing.assert_array_equal(np.load(tmp_path / f"run{count}" / "0_audio.npy"), whole)
        if ended:
            break
