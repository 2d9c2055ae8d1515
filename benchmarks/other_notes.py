"""What the network's answer is worth where the note is not the network's own.

    python benchmarks/other_notes.py [--sounds N] [--evaluations N] [--seeds N]
        [--model-file WEIGHTS]

The default network knows key 48, held for 2 s; other notes it hears transposed
(`deepdiva.models.transposition`). Sounds are those of random audible patches of the embedded
engine, played with each note. Columns, distances by averaged spectra, means over sounds and seeds:

- as its own: the nearest of 64 candidates, if the network is told that the note is its own;
- transposed: the same, if it hears the note transposed (`deepdiva predict --note-pitch` chooses by
  the spectral distance, and comes at best as near);
- from nothing, from its answer: `deepdiva refine` without and with the network, with
  other realizations;
- true patch: with other realizations, the least that can be had.

Notes that are refused have no transposed answer.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from search_runs import Record, Sound, known_sounds, over_seeds, side_by_side, table

from deepdiva.distance import AVERAGED, AveragedDistance
from deepdiva.errors import InvalidValueError
from deepdiva.models.predictor import Predictor
from deepdiva.models.registry import load_predictor
from deepdiva.models.transposition import TransposedPredictor, for_note
from deepdiva.note import Note
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.start import Start
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.workers import single_thread

NOTES = (
    *(Note(pitch=pitch) for pitch in (24, 30, 36, 42, 45, 48, 51, 54, 57, 60, 66, 72)),
    Note(length_seconds=3.0, render_seconds=3.0),
    Note(length_seconds=1.5, render_seconds=1.5),
    Note(length_seconds=1.0, render_seconds=2.0),
)
FIELDS = {
    "own": "as its own",
    "transposed": "transposed",
    "nothing": "from nothing",
    "answer": "from its answer",
    "true": "true patch",
}
SEED = 7
"""Of the sounds."""


@dataclass(frozen=True, eq=False)
class Task:
    """A sound, played with a note."""

    sound: Sound
    note: Note


def answered(predictor: Predictor, sound: Sound, audio: NDArray[np.float32]) -> Start:
    """What a predictor says of a sound of its note."""
    with single_thread():
        [answer] = predictor.predict(audio[None], predictor.note)
    return Start.predicted(sound.space, predictor.space.names, answer.x, answer.class_probabilities)


def measured(options: argparse.Namespace, task: Task) -> list[Record]:
    """All columns of one sound and note, alone in a process; nothing if it cannot be heard."""
    sound, note = task.sound, task.note
    engine = PanelRenderer()
    audio = engine.render(sound.patch[None], note, SEED)[0]
    if np.abs(audio).max() < 0.02:
        return []
    judge = AveragedDistance(audio, note.sample_rate, AVERAGED)
    network, _ = load_predictor(options.model_file)

    def nearest(start: Start) -> float:
        patches = sound.space.patches(start.candidates)
        return float(judge(engine.render(patches, note, SEED + 1)).min())

    def searched(start: Start | None) -> float:
        found = []
        for seed in range(options.seeds):
            settings = RefineSettings(evaluations=options.evaluations, seed=seed, jobs=1)
            patch = refine(audio, engine, sound.space, note, settings, start=start).patch
            found.append(over_seeds(patch, judge, note=note).mean())
        return float(np.mean(found))

    # Without transposition the network hears what fits of the sound.
    padded = np.zeros(network.note.samples, np.float32)
    heard = audio[: padded.size]
    padded[: heard.size] = heard
    record: Record = {
        "note": note.to_dict(),
        "own": nearest(answered(network, sound, padded)),
        "nothing": searched(None),
        "true": float(over_seeds(sound.patch, judge, note=note).mean()),
    }
    try:
        start = answered(for_note(network, note), sound, audio)
    except InvalidValueError:
        return [record]
    return [{**record, "transposed": nearest(start), "answer": searched(start)}]


def main() -> None:
    """Measure all notes, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sounds", type=int, default=10)
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--model-file", type=Path, help="weights of the network")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    network, _ = load_predictor(options.model_file)
    sounds = known_sounds(options.sounds, SEED, voices=1)
    tasks = [Task(sound, note) for note in NOTES for sound in sounds]
    records = list(side_by_side(partial(measured, options), tasks, options.processes))
    rows = []
    for note in NOTES:
        own = [record for record in records if record["note"] == note.to_dict()]
        fitting = for_note(network, note)
        heard = ""
        if isinstance(fitting, TransposedPredictor):
            heard = f"{fitting.shift:+d} semitones, {fitting.octaves:+d} octaves"
        means = [
            f"{np.mean([r[field] for r in own]):.4f}" if all(field in r for r in own) else ""
            for field in FIELDS
        ]
        name = f"key {note.pitch}, {note.length_seconds:g} of {note.render_seconds:g} s"
        rows.append([name, heard, *means])
    print(table(["note", "heard", *FIELDS.values()], rows))


if __name__ == "__main__":
    main()
