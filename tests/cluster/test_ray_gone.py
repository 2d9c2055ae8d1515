"""A Ray cluster whose head is killed is one sentence, before Ray ends the program by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, signal, sys
from pathlib import Path
from deepdiva.cluster import Workers
from deepdiva.cluster.crew import Crew
from deepdiva.errors import ClusterError
from tests.standins import cluster_tasks as tasks


def kill_the_head():
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == os.getpid() and b"gcs_server" in command.split(bytes(1))[0]:
            os.kill(int(entry.name), signal.SIGKILL)
            return
    raise LookupError("no head")


done = 0
try:
    with Crew(tasks.slow, 0.05, Workers("ray", jobs=2)) as crew:
        for outcome in crew.each(range(10_000)):
            assert outcome.result == outcome.number
            done += 1
            if done == 5:
                kill_the_head()
except ClusterError as error:
    print(done, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_head_that_is_killed_is_one_sentence() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert run.returncode == 0, run.stderr
    done, _, said = run.stdout.partition(" ")
    assert 5 <= int(done) < 500
    assert said.startswith(f"The Ray cluster does not answer any more: what is done by now ({done}")
