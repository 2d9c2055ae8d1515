"""SIGTERM and SIGHUP act as Ctrl-C, and no process outlives the one that started it."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

NOTE = ("--note-length", "0.2", "--render-length", "0.2")


def until(condition, seconds=100.0):
    """Wait for something that must come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def living(session):
    """Processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_sigterm_writes_the_best_match_and_the_search_can_be_resumed(chain, program, tmp_path):
    sound = chain / "recordings" / "cutoff0.wav"
    search = ("--evaluations", 10**6, "--no-predict", *NOTE)
    run = program("refine", "--free", "ms-rev1", sound, "--output", tmp_path, *search)
    generations = tmp_path / "cutoff0.run" / "generations.jsonl"
    until(lambda: lines(generations) > 2 or run.poll() is not None)
    run.send_signal(signal.SIGTERM)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM, output
    assert "the best match so far was written" in " ".join(output.split())
    assert (tmp_path / "cutoff0.h2p").exists()

    kept = lines(generations)
    run = program("refine", "--free", "ms-rev1", sound, "--output", tmp_path, *search, "--resume")
    until(lambda: lines(generations) > kept or run.poll() is not None)
    run.send_signal(signal.SIGHUP)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGHUP, output


def test_nothing_is_left_when_an_evaluation_is_killed(chain, program, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    who = ("--method", "search=search:1000000", "--realizations", 1, "--jobs", 2)
    out = ("--output", tmp_path / "run", *NOTE)
    environment = {"TMPDIR": str(temporary)}
    run = program("evaluate", chain / "presets", *who, *out, env=environment)
    until(lambda: len(living(run.pid)) >= 3 or run.poll() is not None)
    assert run.poll() is None, run.stdout.read()
    run.kill()
    run.communicate()
    until(lambda: not living(run.pid), seconds=5.0)
    shared = Path("/dev/shm")
    ours = [path.name for path in shared.iterdir() if f"-{run.pid}-" in path.name]
    assert ours == []
    assert [path.name for path in temporary.iterdir() if "deepdiva" in path.name] == []


CODE = """
import os, signal, sys
from deepdiva import interruption
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
interruption.install()
try:
    os.kill(os.getpid(), signal.SIGHUP)
    print("goes on")
except KeyboardInterrupt as error:
    print(interruption.exit_code(error))
"""


@pytest.mark.parametrize(("before", "said"), [("usual", str(128 + 1)), ("ignored", "goes on")])
def test_what_nohup_ignores_stays_ignored(program, before, said):
    output, _ = program(before, code=CODE).communicate(timeout=60)
    assert output.strip() == said


POOL = """
import os, sys, time
from deepdiva.workers import WorkerPool

def work(state, item):
    time.sleep(60)

if __name__ == "__main__":
    with WorkerPool(work, 0, "loky", 2) as pool:
        pool.map([1, 2])
"""


@pytest.mark.parametrize(
    ("number", "delay"), [(signal.SIGKILL, 0.0), (signal.SIGKILL, 2.0), (signal.SIGTERM, 2.0)]
)
def test_nothing_is_left_of_a_pool(program, tmp_path, number, delay):
    script = tmp_path / "script.py"
    script.write_text(POOL)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    run = program(code=code, env={"TMPDIR": str(temporary)})
    until(lambda: len(living(run.pid)) >= 3 or run.poll() is not None)
    time.sleep(delay)  # workers are starting, or at work
    os.kill(run.pid, number)
    run.communicate()
    until(lambda: not living(run.pid), seconds=5.0)
    assert [path.name for path in temporary.iterdir() if "deepdiva" in path.name] == []


def test_an_evaluation_ends_between_two_cells_and_goes_on(chain, program, command, tmp_path):
    who = ("--method", "mean", "--method", "search=search:1000000")
    run = (
        "evaluate",
        chain / "presets",
        "--output",
        tmp_path,
        "--jobs",
        2,
        "--realizations",
        1,
        *NOTE,
    )
    running = program(*run, *who)
    kept = tmp_path / "results" / "mean"
    until(lambda: list(kept.glob("*.json")) or running.poll() is not None)
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM, output
    assert "goes on where this one stopped" in " ".join(output.split())
    until(lambda: not living(running.pid), seconds=5.0)
    before = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    command(*run, "--method", "mean")
    after = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert len(after) == 4
    assert {path: after[path] for path in before} == before


def test_a_data_set_keeps_its_batches_and_goes_on(program, command, tmp_path):
    rows = ("--sample-size", 64, "--nr-data-batches", 60, "--data-path", tmp_path, *NOTE)
    run = ("dataset", *rows, "--backend", "loky", "--jobs", 2)
    about = tmp_path / "dataset" / "dataset.json"
    running = program(*run)
    until(
        lambda: (about.exists() and b'"0": {' in about.read_bytes()) or running.poll() is not None
    )
    running.send_signal(signal.SIGHUP)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGHUP, output
    until(lambda: not living(running.pid), seconds=5.0)
    made = json.loads(about.read_bytes())["batches"]["made"]
    assert 0 < len(made) < 60
    command(*run)
    now = json.loads(about.read_bytes())["batches"]["made"]
    assert len(now) == 60
    assert {number: now[number] for number in made} == made


def test_a_training_keeps_its_network_and_goes_on(chain, program, tmp_path):
    learn = ("--train-features", "train_melspectrogram.npy", "--batch-size", 8)
    folder = ("--model-path", tmp_path, "--folder-name", "training")
    data = ("--data-path", chain / "dataset", "--model", "cnn")
    running = program("train", *data, *learn, *folder, "--epochs", 100_000)
    checkpoint = tmp_path / "training" / "checkpoint.pt"
    until(lambda: checkpoint.exists() or running.poll() is not None)
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM, output
    assert "--resume" in output
    kept = checkpoint.stat().st_mtime_ns
    running = program("train", "--resume", tmp_path / "training")
    until(lambda: checkpoint.stat().st_mtime_ns > kept or running.poll() is not None)
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM, output


def test_a_prediction_keeps_the_sounds_that_are_answered(chain, program, tmp_path):
    # One chain has not much to compile.
    chain_of = ("--lock", "OSC.Model=3", "--lock", "HPF.Model=3", "--lock", "VCF1.Model=3")
    many = ("--candidates", 800, "--output", tmp_path, *NOTE)
    running = program("predict", chain / "recordings", *many, *chain_of)
    until(lambda: list(tmp_path.glob("*.h2p")) or running.poll() is not None)
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM, output
    assert "of 4 sounds are answered and written" in " ".join(output.split())
    assert 1 <= len(list(tmp_path.glob("*.h2p"))) < 4
