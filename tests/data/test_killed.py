"""A run that is killed, at whatever moment and however often, ends with the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "programs" / "killed_runs.py"
KILLS = 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs are killed in forked processes")
def test_twenty_kills_change_no_byte(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(2), "little")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), str(KILLS), str(seed)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=PROGRAM.parents[2],
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])},
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}:\n{done.stdout}\n{done.stderr}"
    result = json.loads(done.stdout)
    assert result["kills"] == KILLS
    # The kills struck all along the way, not only before the first batch or after the last.
    assert len(set(result["complete"])) > KILLS // 4, result
