"""Is a preset found from its own sound, played otherwise? How often it comes first, and how long.

    python benchmarks/find.py FOLDER [--key 48] [--velocity 70] [--gain-db -20] [--jobs N]

Each preset of the folder is rendered at a velocity and with a seed that the library does not have,
20 dB softer, written as a file whose name says nothing, and looked for as `deepdiva find` does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from deepdiva.audio import write_wav
from deepdiva.cluster import Workers
from deepdiva.library import nearest_presets, open_library
from deepdiva.library.rendered import play
from deepdiva.library.sound import sound_to_find
from deepdiva.note import Note
from deepdiva.synths.diva.preset import Preset


def main() -> None:
    """Print the number of presets that come first, and the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", type=int, default=48)
    parser.add_argument("--velocity", type=int, default=70)
    parser.add_argument("--gain-db", type=float, default=-20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int)
    said = parser.parse_args()
    for name in ("rendering", "from the cache"):
        began = time.perf_counter()
        library = open_library(said.folder, workers=Workers(jobs=said.jobs))
        seconds = time.perf_counter() - began
        count = len(library.paths)
        print(f"{name}: {count} presets in {seconds:.2f} s, {library.rendered} rendered")
    note = Note(said.key, said.velocity, 2.0, 2.8)
    gain = np.float32(10.0 ** (said.gain_db / 20.0))
    first, right_key, spent = 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sound.wav"
        for path in library.paths:
            audio = play(Preset.read(path), note, said.seed) * gain
            write_wav(wav, audio, note.sample_rate, force=True)
            began = time.perf_counter()
            sound = sound_to_find(wav)
            found = nearest_presets(
                library,
                sound.audio,
                sound.note,
                keys=sound.keys,
                velocities=sound.velocities,
                jobs=said.jobs,
            )
            spent.append(time.perf_counter() - began)
            paths = [one.path for one in found]
            first += paths[0] == path
            right_key += paths[0] == path and found[0].key == said.key
            if paths[0] != path:
                place = paths.index(path) + 1 if path in paths else "none"
                print(f"{path.name}: place {place}; heard as {sound.note}; {found[0].path.name}")
    print(f"first: {first} of {len(library.paths)}, at the key played {right_key}")
    print(f"seconds a sound: median {np.median(spent):.2f}, most {max(spent):.2f}")


if __name__ == "__main__":
    main()
