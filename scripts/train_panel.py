"""Make the network of the whole panel that comes with deepdiva, `models/weights/panel.safetensors`.

    python scripts/train_panel.py [--resume]

It is an ordinary training of `deepdiva train`, whose options stand below; what comes out is copied
into the package. The training lives in `runs/panel`, and if it is killed, `--resume` goes on.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from deepdiva.cli import main as deepdiva
from deepdiva.models.weights import PANEL_WEIGHTS

FOLDER = Path("runs/panel")
OPTIONS = shlex.split(
    "--online --model panel --prior human --epochs 36 --epoch-sounds 32768 --test-sounds 2048 "
    "--batch-size 128 --optimizer adamw --learning-rate 0.001 --weight-decay 0.01 "
    "--schedule cosine --warmup-steps 300 --engine-width 0.5 --precision bfloat16 --seed 0 "
    "--no-save-weights"
)


def main() -> None:
    """Train and copy."""
    where = ["--model-path", str(FOLDER.parent), "--folder-name", FOLDER.name]
    arguments = ["--resume", str(FOLDER)] if "--resume" in sys.argv else [*OPTIONS, *where]
    deepdiva(["train", *arguments], standalone_mode=False)
    PANEL_WEIGHTS.parent.mkdir(exist_ok=True)
    shutil.copyfile(FOLDER / "final_model.safetensors", PANEL_WEIGHTS)
    print(PANEL_WEIGHTS)


if __name__ == "__main__":
    main()
