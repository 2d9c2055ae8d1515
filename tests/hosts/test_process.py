"""The caller's end of a worker process: answers, and every way to end without one."""

import contextlib
import gc
import importlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from deepdiva.errors import InvalidValueError, RenderError
from deepdiva.hosts.process import Watchdog, WorkerDeathError, WorkerProcess, end_of_process


@pytest.fixture
def process():
    worker = WorkerProcess()
    yield worker
    worker.close()


@pytest.fixture
def evaluate(standins):  # noqa: ARG001  (puts the module on the import path)
    return importlib.import_module("worker_tasks").Evaluate


def test_tasks_one_after_the_other(process, evaluate):
    assert process.ask(evaluate("1 + 1"), 30) == 2
    assert process.ask(evaluate("os.getpid()"), 30) == process.ask(evaluate("os.getpid()"), 30)
    assert process.ask(evaluate("os.getpid()"), 30) != os.getpid()
    assert process.ask(evaluate("str(bench.scratch)"), 30) == str(process.scratch)


def test_reports_come_before_the_result(process, evaluate):
    answers = list(process.answers(evaluate("[bench.report(k) for k in (1, 2)] and 3"), 30, 30))
    assert answers[:2] == [1, 2]
    assert answers[2].value == 3


def test_what_a_plugin_prints_does_not_disturb(process, evaluate):
    line = "os.write(1, b'plug-in says hello\\n') and os.system('echo a child too') + 5"
    assert process.ask(evaluate(line), 30) == 5
    assert process.log() == "plug-in says hello\na child too\n"


def test_errors_of_a_task_come_back(process, evaluate):
    line = "refuse('cutoff is 2: it must be at most 1.')"
    with pytest.raises(InvalidValueError, match="cutoff is 2: it must be at most 1"):
        process.ask(evaluate(line), 30)
    assert process.ask(evaluate("'alive'"), 30) == "alive"


def test_bugs_come_back_with_their_traceback(process, evaluate):
    with pytest.raises(RuntimeError, match="ZeroDivisionError") as caught:
        process.ask(evaluate("1 / 0"), 30)
    assert not isinstance(caught.value, RenderError)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed with SIGSEGV"),
        ("os.abort()", "crashed with SIGABRT"),
        ("os._exit(1)", "ended its process with exit code 1"),
    ],
)
def test_a_process_that_ends(process, evaluate, line, reason):
    with pytest.raises(WorkerDeathError) as caught:
        process.ask(evaluate(f"os.write(2, b'last words') and {line}"), 30)
    assert caught.value.reason == reason
    assert caught.value.log.startswith("last words")
    with pytest.raises(WorkerDeathError):
        process.ask(evaluate("1"), 30)


def test_a_process_that_hangs(process, evaluate):
    assert process.ask(evaluate("1"), 30) == 1
    started = time.monotonic()
    with pytest.raises(WorkerDeathError, match=r"hung: no answer within 0\.3 s"):
        process.ask(evaluate("time.sleep(60)"), 0.3)
    assert time.monotonic() - started < 5


def test_reports_keep_the_watchdog_quiet(process, evaluate):
    assert process.ask(evaluate("1"), 30) == 1
    line = "[(time.sleep(0.15), bench.report(k)) for k in range(6)]"
    assert len(list(process.answers(evaluate(line), 0.6, 0.6))) == 7


def test_closing_leaves_nothing_behind(process, evaluate):
    pid = process.ask(evaluate("os.getpid()"), 30)
    child = "__import__('subprocess').Popen(['sleep', '60']).pid"
    grandchild = process.ask(evaluate(child), 30)
    with pytest.raises(WorkerDeathError):
        process.ask(evaluate("time.sleep(60)"), 0.2)
    process.close()
    assert not process.scratch.exists()
    for number in (pid, grandchild):
        assert gone(number)


@pytest.fixture
def hears_ctrl_c():
    """Tests that run in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif("sys.platform == 'win32'", reason="cannot be sent a Ctrl-C")
@pytest.mark.usefixtures("hears_ctrl_c")
def test_closing_that_is_interrupted_leaves_nothing_behind(process, evaluate):
    """Ctrl-C while a plug-in is at work, and again because it takes so long."""
    line = "bench.report(os.getpid()) or time.sleep(60)"
    pid = next(process.answers(evaluate(line), 90, 90))
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  (a slow machine gets it early)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        process.close()
    assert gone(pid)
    assert not process.scratch.exists()


def test_a_process_that_does_not_start_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with contextlib.suppress(FileNotFoundError):
        WorkerProcess()
    gc.collect()
    assert not list(tmp_path.iterdir())


def gone(pid, patience_seconds=5):
    """Whether a process has ended, or does so soon (an orphan waits for init to reap it)."""
    end = time.monotonic() + patience_seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_apart_says_how_the_copy_ended(process, evaluate):
    ends = {
        "0": 0,
        "os._exit(3)": 3,
        "os.kill(os.getpid(), signal.SIGSEGV)": -signal.SIGSEGV,
        "1 / 0": 70,
    }
    for line, code in ends.items():
        assert process.ask(evaluate(f"bench.apart(lambda: {line})"), 30) == code


def test_end_of_process():
    assert end_of_process(-11) == "crashed with SIGSEGV"
    assert end_of_process(3) == "ended its process with exit code 3"
    assert end_of_process(-1000) == "crashed with signal 1000"


def test_watchdog_barks_once_and_in_time():
    barks = []
    dog = Watchdog(lambda: barks.append(time.monotonic()))
    started = time.monotonic()
    dog.arm(30)
    dog.arm(0.1)  # an earlier deadline must wake it
    time.sleep(0.4)
    dog.stop()
    assert len(barks) == 1
    assert 0.1 <= barks[0] - started < 0.35
    assert dog.barked_after == 0.1


def test_watchdog_that_is_disarmed_is_quiet():
    barks = []
    dog = Watchdog(lambda: barks.append(1))
    for _ in range(20):
        dog.arm(0.15)
        time.sleep(0.01)
        dog.disarm()
    time.sleep(0.3)
    dog.stop()
    assert not barks
    assert dog.barked_after is None


def test_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(InvalidValueError("cutoff is 2")))
    assert (type(error), str(error)) == (InvalidValueError, "cutoff is 2")


HANGING_APART = "bench.apart(lambda: bench.report(os.getpid()) or time.sleep(600))"


@pytest.mark.parametrize(
    "pid",
    [
        "process.ask(Evaluate('os.getpid()'), 60)",
        "next(process.answers(Evaluate('bench.report(os.getpid()) or time.sleep(0.5)'), 60, 60))",
        "next(process.answers(Evaluate('bench.report(os.getpid()) or time.sleep(600)'), 60, 60))",
        f"next(process.answers(Evaluate({HANGING_APART!r}), 60, 60))",
    ],
    ids=["idle", "at work", "hanging", "hanging apart"],
)
def test_a_worker_whose_caller_was_killed_leaves_nothing_behind(standins, pid):
    program = (
        "import os, signal\n"
        "from deepdiva.hosts.process import WorkerProcess\n"
        "from worker_tasks import Evaluate\n"
        "process = WorkerProcess()\n"
        f"print({pid}, process.scratch, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(standins), *sys.path])}
    caller = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert caller.returncode == -signal.SIGKILL
    pid, scratch = caller.stdout.split()
    assert gone(int(pid))
    assert not Path(scratch).exists()


def test_beats_are_counted_and_keep_the_watchdog_quiet(process, evaluate):
    assert process.ask(evaluate("1"), 30) == 1
    line = "[(time.sleep(0.15), bench.beat()) for k in range(6)] and 3"
    (answer,) = process.answers(evaluate(line), 0.6, 0.6)
    assert answer.value == 3
    assert process.beats == 6
    assert process.ask(evaluate("1"), 30) == 1
    assert process.beats == 0


def test_patience_after_a_beat_is_that_between_answers(process, evaluate):
    """A long wait for the first sign of life does not make the later ones long."""
    assert process.ask(evaluate("1"), 30) == 1
    started = time.monotonic()
    with pytest.raises(WorkerDeathError, match=r"hung: no answer within 0\.4 s"):
        list(process.answers(evaluate("bench.beat() or time.sleep(60)"), 60, 0.4))
    assert time.monotonic() - started < 5
    assert process.beats == 1


def test_watchdog_heeds_signs_of_life():
    barks = []
    heard = time.monotonic()
    dog = Watchdog(lambda: barks.append(time.monotonic()), lambda: heard)
    dog.arm(5, 0.2)
    for _ in range(10):
        time.sleep(0.05)
        heard = time.monotonic()
    assert not barks
    time.sleep(0.6)
    dog.stop()
    assert len(barks) == 1
    assert 0.2 <= barks[0] - heard < 0.45
    assert dog.barked_after == 0.2
