"""Make the network that comes with deepdiva, `models/weights/posterior_ms_rev1.safetensors`.

    python scripts/train_default.py [--resume]

It is an ordinary training of `deepdiva train`, whose options stand below; what comes out is copied
into the package. The training lives in `runs/default`, and if it is killed, `--resume` goes on.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from deepdiva.cli import main as deepdiva
from deepdiva.models.weights import DEFAULT_WEIGHTS

FOLDER = Path("runs/default")
OPTIONS = shlex.split(
    "--online --model posterior --epochs 28 --epoch-sounds 16384 --test-sounds 2048 "
    "--batch-size 256 --optimizer adamw --learning-rate 0.002 --weight-decay 0.01 "
    "--schedule cosine --warmup-steps 300 --engine-width 0.4 --seed 0 --no-save-weights"
)


def main() -> None:
    """Train and copy."""
    where = ["--model-path", str(FOLDER.parent), "--folder-name", FOLDER.name]
    arguments = ["--resume", str(FOLDER)] if "--resume" in sys.argv else [*OPTIONS, *where]
    deepdiva(["train", *arguments], standalone_mode=False)
    DEFAULT_WEIGHTS.parent.mkdir(exist_ok=True)
    shutil.copyfile(FOLDER / "final_model.safetensors", DEFAULT_WEIGHTS)
    print(DEFAULT_WEIGHTS)


if __name__ == "__main__":
    main()
