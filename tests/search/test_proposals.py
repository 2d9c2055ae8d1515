"""What the search proposes to switch on is heard."""

from collections import Counter

import numpy as np

from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.synths import find_synthesizer

NOTE = Note(length_seconds=0.8, render_seconds=0.8)


def test_what_is_switched_on_is_heard() -> None:
    renderer, structure = make_renderer(), find_synthesizer("diva").structure
    assert structure is not None
    heard: Counter[str] = Counter()
    proposed: Counter[str] = Counter()
    for patch in structure.draws(5, 3, NOTE):
        proposals = structure.proposals(patch, (3.0,))
        patches = np.repeat(patch[None], len(proposals) + 1, axis=0)
        for row, proposal in enumerate(proposals, 1):
            for name, value in proposal.values.items():
                patches[row, renderer.table.index(name)] = value
        audio = renderer.render(patches, NOTE, 1)
        changes = np.square(audio[1:] - audio[0]).sum(axis=1) / np.square(audio[0]).sum()
        for proposal, change in zip(proposals, changes, strict=True):
            proposed[proposal.label] += 1
            heard[proposal.label] += bool(change > 1e-5)
    assert {"LFO on cutoff", "LFO on pitch", "LFO on level", "vibrato"} <= set(proposed)
    assert not {label for label, count in proposed.items() if heard[label] < 0.7 * count}
