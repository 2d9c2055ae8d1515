"""What a second and a third key of a patch are worth: one preset for all, or for one key.

    python benchmarks/together.py [--count 20] [--evaluations 600]

Patches of the 11 usual parameters, with random key follow of cutoff and envelope, are played at
three keys. One search is told the middle key alone, one all three (`refine --together`). Both
presets are then played at keys that neither was told, half an octave below and above the others,
and compared with the patch there, at one level, over several seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import SpectralDistance
from deepdiva.level import at_reference
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.sequence import sequence_note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.keys import KEY_FOLLOWING

TOLD = (36, 48, 60)
ASKED = (30, 66)
SEEDS = 4


def main() -> None:
    """Print the mean distance at keys that were not told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=600)
    arguments = parser.parse_args()
    usual, renderer = default_space(), make_renderer()
    both = ParameterSpace(DIVA, usual.base, (*usual.free, *KEY_FOLLOWING))
    note = Note(length_seconds=0.8, render_seconds=0.8)
    notes = tuple(replace(note, pitch=key) for key in TOLD)
    rng = np.random.default_rng(6)
    settings = RefineSettings(evaluations=arguments.evaluations, jobs=1)
    results: list[tuple[float, float]] = []

    def play(patch: NDArray[np.float64], key: int, seed: int) -> NDArray[np.float32]:
        return np.asarray(renderer.render(patch[None], replace(note, pitch=key), seed)[0])

    while len(results) < arguments.count:
        patch = both.patches(both.random(rng, 1))[0]
        told = [play(patch, key, 100 + key) for key in TOLD]
        if min(float(np.sqrt(np.mean(np.square(audio)))) for audio in told) < 0.005:
            continue
        one = refine(told[1], renderer, usual, notes[1], settings)
        all_three = refine(
            np.concatenate(told), renderer, both, sequence_note(notes), settings, pieces=notes
        )
        away = []
        for found in (one, all_three):
            distances = []
            for key in ASKED:
                target = at_reference(play(patch, key, 7)[None])[0][0]
                judge = SpectralDistance(target, note.sample_rate)
                again = np.stack([play(found.patch, key, 200 + seed) for seed in range(SEEDS)])
                distances.append(float(judge(at_reference(again)[0]).mean()))
            away.append(float(np.mean(distances)))
        results.append((away[0], away[1]))
        print(f"patch {len(results)}: one key {away[0]:.3f}, three keys {away[1]:.3f}", flush=True)
    means = np.mean(results, axis=0)
    better = np.mean([two < one for one, two in results])
    print(
        f"mean of {len(results)}: one key {means[0]:.3f}, three keys {means[1]:.3f}, ratio "
        f"{means[1] / means[0]:.2f}; three are better in {100 * better:.0f} %"
    )


if __name__ == "__main__":
    main()
