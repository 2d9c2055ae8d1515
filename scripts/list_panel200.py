"""Write the list of the test set `panel200` again: `data/testsets/panel200.csv`.

The list is fixed; this shows where it came from. Patches whose loudest tenth of a second is more
than 40 dB below full scale are passed over: they hardly sound.
"""

from pathlib import Path

import numpy as np

from deepdiva.data.sampling import stream
from deepdiva.data.testsets.make_testset import PlannedSound
from deepdiva.data.testsets.panel200 import COUNT, NAME, SEED, note_of, to_csv
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.prior.human import HumanPrior

DRAWN = 600
QUIETEST = 0.01
"""Root mean square of the loudest tenth of a second."""


def main() -> None:
    """Draw, play, choose and write."""
    renderer = PanelRenderer()
    patches = np.round(HumanPrior().sample(DRAWN, SEED, [note_of(k) for k in range(DRAWN)]), 2)
    sounds: list[PlannedSound] = []
    for number, patch in enumerate(patches):
        note = note_of(number)
        # Notes stand in turn: the place of a patch passed over is for the next of its note.
        if len(sounds) == COUNT or note != note_of(len(sounds)):
            continue
        seed = int(stream(SEED, 1, number, 0).integers(2**31))
        [audio] = renderer.render(patch[np.newaxis], note, seed)
        size = note.sample_rate // 10
        frames = audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64)
        if np.sqrt((frames**2).mean(axis=1)).max() < QUIETEST:
            continue
        name = f"{NAME}_{len(sounds):03}"
        sounds.append(PlannedSound(name, patch, seed, note=note))
        print(name, note.pitch, flush=True)
    if len(sounds) < COUNT:
        raise SystemExit(f"Only {len(sounds)} of {COUNT} patches sound: draw more.")
    path = Path(__file__).parents[1] / "data" / "testsets" / f"{NAME}.csv"
    path.write_text(to_csv(sounds), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
