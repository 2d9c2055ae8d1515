"""Plays patches on numba's simulator of a card and on the processor: a program of its own.

Writes, as JSON, for each patch how far apart both are, in dB of the processor's level, and that
level; mono, then stereo.
"""

import json
import sys

import numpy as np

from deepdiva.engine.backends import cuda
from deepdiva.note import Note
from deepdiva.synths.diva.panel_renderer import PanelRenderer


def main():
    patches = np.load(sys.argv[1])
    note = Note(60, 100, float(sys.argv[2]), float(sys.argv[3]), 22050)
    found = []
    for stereo in (False, True):
        sounds = []
        for device in cuda.DEVICES:
            engine = PanelRenderer(device=device)
            play = engine.render_stereo if stereo else engine.render
            sounds.append(play(patches, note, seeds=7).astype(np.float64))
        away = np.sqrt(np.mean((sounds[1] - sounds[0]) ** 2, axis=-1))
        level = np.sqrt(np.mean(sounds[0] ** 2, axis=-1))
        found.append((20 * np.log10((away + 1e-12) / (level + 1e-12))).tolist())
        found.append(level.tolist())
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
