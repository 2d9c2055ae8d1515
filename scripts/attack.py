"""Attack the commands for a while: damaged files, kills, odd names; say what came of each.

    python scripts/attack.py WORK --minutes 40 --seed 1

WORK gets a chain of real runs, each command on the output of the one before. Then, until time is
up, one of their files is damaged at random, or a command is killed at a random moment, and the
command that goes on from it runs. Anything but success or one line with exit code 2 is a finding:
a traceback, a process or temporary file that is left, a file that was written outside. Findings
are appended to WORK/findings.jsonl; the exit code is 1 where there are some.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

NOTE = ("--note-length", "0.2", "--render-length", "0.2")
SECONDS = 120.0
"""After which a command hangs."""


def deepdiva(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, or kill it when it hangs."""
    command = [sys.executable, "-m", "deepdiva", *map(str, arguments)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -1, "", "it hangs")


def refine(root: Path) -> tuple[object, ...]:
    """A search that is resumed."""
    sound = root / "previews" / "sound.wav"
    search = ("--evaluations", 96, "--no-predict", *NOTE, "--resume")
    return ("refine", sound, "--output", root / "matched", *search)


def evaluate(root: Path) -> tuple[object, ...]:
    """An evaluation that goes on."""
    who = ("--method", "mean", "--method", "search=search:64")
    how = ("--output", root / "evaluation", "--jobs", 2, "--realizations", 1)
    return ("evaluate", root / "presets", *who, *how, *NOTE)


def dataset(root: Path) -> tuple[object, ...]:
    """A data set that goes on."""
    rows = ("--sample-size", 8, "--nr-data-batches", 2, *NOTE)
    return ("dataset", *rows, "--data-path", root, "--file-prefix", "train_")


def features(root: Path) -> tuple[object, ...]:
    """Features of the data set."""
    return ("features", "--feature", "spectrogram", "--data-path", root / "dataset", "--force")


def train(root: Path) -> tuple[object, ...]:
    """A training that goes on."""
    return ("train", "--resume", root / "training")


def predict(root: Path) -> tuple[object, ...]:
    """A network's answer."""
    weights = ("--model-file", root / "training" / "final_model.safetensors")
    sound = root / "previews" / "sound.wav"
    return ("predict", sound, "--output", root / "predicted", *weights, "--force", *NOTE)


def compare(root: Path) -> tuple[object, ...]:
    """An evaluation beside itself."""
    return ("compare", root / "evaluation", root / "evaluation")


def inspect(root: Path) -> tuple[object, ...]:
    """A preset."""
    return ("inspect", root / "presets" / "sound.h2p")


READERS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "matched/sound.run/run.json": refine,
    "matched/sound.run/written.json": refine,
    "matched/sound.run/generations.jsonl": refine,
    "dataset/dataset.json": dataset,
    "dataset/train_melspectrogram.json": train,
    "dataset/train_melspectrogram.npy": train,
    "dataset/train_0_audio.npy": features,
    "training/training.json": train,
    "training/checkpoint.pt": train,
    "training/final_model.safetensors": predict,
    "evaluation/run.json": evaluate,
    "evaluation/results/mean/sound.json": evaluate,
    "evaluation/summary.json": compare,
    "presets/sound.h2p": inspect,
    "previews/sound.wav": refine,
}
"""Files that a command has written, and what reads them."""


def make_chain(root: Path) -> None:
    """Real runs of the commands.

    Raises:
        RuntimeError: a command failed.
    """
    from deepdiva.synths.diva.preset import Preset

    (root / "presets").mkdir(parents=True)
    Preset.template().write(root / "presets" / "sound.h2p")
    shutil.copy(root / "presets" / "sound.h2p", root / "presets" / "other.h2p")
    learn = ("--train-features", "train_melspectrogram.npy", "--epochs", 1, "--batch-size", 8)
    folder = ("--model-path", root, "--folder-name", "training")
    for command in (
        ("render", root / "presets" / "sound.h2p", "-o", root / "previews", *NOTE),
        refine(root)[:-1],
        dataset(root),
        features(root),
        ("train", "--data-path", root / "dataset", "--model", "cnn", *learn, *folder),
        evaluate(root),
    ):
        done = deepdiva(*command)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A file with a random fault: bits, cuts, repetitions, values of JSON."""
    kind = rng.choice(("bits", "cut", "zeros", "repeat", "json", "json", "json"))
    place = rng.randrange(len(data)) if data else 0
    if kind == "bits":
        flipped = bytearray(data)
        for _ in range(min(len(data), rng.choice((1, 4, 64)))):
            flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    if kind == "cut":
        return data[:place]
    if kind == "zeros":
        return data[:place] + bytes(min(4096, len(data) - place)) + data[place + 4096 :]
    if kind == "repeat":
        return data[:place] + data
    lines = data.splitlines() if data[:10] == b'{"seconds"' else [data]
    row = rng.randrange(len(lines)) if lines else 0
    try:
        content = json.loads(lines[row])
    except (ValueError, IndexError):
        return data[: place // 2]
    lines[row] = json.dumps(_changed(content, rng)).encode()
    return b"\n".join(lines) + b"\n"


def _changed(content: Any, rng: random.Random) -> Any:
    """JSON with one value of another kind, or without it."""
    if isinstance(content, dict) and content:
        key = rng.choice(list(content))
        if rng.random() < 0.2:
            return {name: value for name, value in content.items() if name != key}
        return {**content, key: _changed(content[key], rng)}
    if isinstance(content, list) and content and rng.random() < 0.7:
        place = rng.randrange(len(content))
        return [*content[:place], _changed(content[place], rng), *content[place + 1 :]]
    odd: tuple[Any, ...] = (
        None,
        -1,
        1e308,
        -1e9,
        10**30,
        "",
        "../x",
        "\x1b[2J",
        [],
        {},
        True,
        float("nan"),
    )
    return rng.choice(odd)


def try_damage(root: Path, rng: random.Random) -> dict[str, object] | None:
    """Damage one file and read it; what is wrong, or None."""
    name = rng.choice(list(READERS))
    path = root / name
    path.write_bytes(damaged(path.read_bytes(), rng))
    kept = root.parent / "damaged"
    shutil.copy(path, kept)
    done = deepdiva(*READERS[name](root))
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    good = done.returncode == 0 or (done.returncode == 2 and len(errors) == 1)
    if good and "Traceback" not in done.stderr and "\x1b[2J" not in done.stderr + done.stdout:
        return None
    case = root.parent / f"case-{time.time_ns()}"
    shutil.copy(kept, case)
    return {"file": name, "case": case.name, "code": done.returncode, "said": done.stderr[-800:]}


def processes(session: int) -> list[int]:
    """Processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def try_kill(root: Path, rng: random.Random) -> dict[str, object] | None:
    """Kill a command at a random moment and let it go on; what is wrong, or None."""
    make = rng.choice((refine, dataset, evaluate))
    for name in ("matched", "dataset", "evaluation"):
        shutil.rmtree(root / name, ignore_errors=True)
    number = rng.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    command = [sys.executable, "-m", "deepdiva", *map(str, make(root))]
    nowhere = subprocess.DEVNULL
    run = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True)
    time.sleep(rng.uniform(0.2, 8.0))
    run.send_signal(number)
    try:
        code = run.wait(30)
    except subprocess.TimeoutExpired:
        run.kill()
        return {"command": make.__name__, "signal": int(number), "said": "it does not end"}
    end = time.monotonic() + 5.0
    while processes(run.pid) and time.monotonic() < end:
        time.sleep(0.1)
    orphans = processes(run.pid)
    for orphan in orphans:
        os.kill(orphan, signal.SIGKILL)
    wanted = (0, 128 + number, -number)
    done = deepdiva(*make(root))
    if code in wanted and not orphans and done.returncode == 0:
        return None
    return {
        "command": make.__name__,
        "signal": int(number),
        "code": code,
        "orphans": len(orphans),
        "said": done.stderr[-800:],
    }


def main() -> None:
    """Attack until time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60.0 * arguments.minutes
    rng = random.Random(arguments.seed)
    whole, root = arguments.work / "whole", arguments.work / "chain"
    if not (arguments.work / "made").exists():
        shutil.rmtree(root, ignore_errors=True)
        make_chain(root)
        shutil.copytree(root, whole)  # what is damaged is laid back from here
        (arguments.work / "made").touch()
    tried: Counter[str] = Counter()
    findings = 0
    while time.monotonic() < end:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(whole, root)
        kill = sys.platform == "linux" and rng.random() < 0.15
        found = (try_kill if kill else try_damage)(root, rng)
        tried["kills" if kill else "damaged files"] += 1
        if found is not None:
            findings += 1
            with (arguments.work / "findings.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps(found), flush=True)
    print(", ".join(f"{count} {what}" for what, count in tried.items()), f"{findings} findings")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
