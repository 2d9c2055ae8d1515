"""Every command of the README runs on the output of the one before it."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]

ELSEWHERE = {
    "hear": "tests/hearing",
    "parameters": "tests/cli/test_parameters.py",
    "doctor": "tests/cli/test_doctor.py",
    "help": "tests/test_topics.py",
    "calibrate": "tests/calibration",
    "app": "tests/app",
    "find": "tests/library",
}
"""Commands that read nothing that another has written, and what tests them."""


def test_what_the_readme_shows_is_what_the_chain_runs():
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    rows = [row for block in blocks for row in block.replace("\\\n", " ").splitlines()]
    lines = [shlex.split(row, comments=True) for row in rows]
    shown = {words[1] for words in lines if words[:1] == ["deepdiva"]}
    made = (Path(__file__).parent / "conftest.py").read_text("utf-8")
    run = set(re.findall(r'deepdiva\(\s*"(\w+)"', made)) | {"compare"}
    assert shown - set(ELSEWHERE) <= run


def test_evaluations_are_compared(chain, command):
    output = command("compare", chain / "old", chain / "new", "--all")
    assert "search" in output
    command("compare", chain / "old", chain / "old", "--json")


def test_the_same_evaluation_again_finds_everything_there(chain, command):
    who = ("--method", "mean", "--method", "search=search:64")
    how = ("--output", chain / "old", "--jobs", 1, "--realizations", 1, "--limit", 2)
    note = ("--note-length", "0.2", "--render-length", "0.2")
    assert "4 of 4 matches are there" in command("evaluate", chain / "presets", *who, *how, *note)


def test_what_one_command_writes_the_next_reads(chain, command):
    assert (chain / "previews" / "cutoff1.wav").stat().st_size > 1000
    assert (chain / "predicted" / "cutoff1.h2p").exists()
    assert (chain / "dataset" / "train_mfcc.npy").exists()
    command("evaluate", chain / "testset", "-m", "mean", "--limit", 1, "-o", chain / "third")
