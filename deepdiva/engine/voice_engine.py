"""The engine behind the renderer's interface."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine.chain import LaneInputs
from deepdiva.engine.player import LANES, play_group
from deepdiva.files import page_aligned
from deepdiva.note import Note
from deepdiva.synths.diva import panel

PANEL_CONSTANTS: Final = {
    "tune_1_cents": 0.0,
    "tune_2_cents": 0.0,
    "pot_1_cents": 2.002,
    "pot_2_cents": 0.0207,
    "drift_1_cents": 0.05,
    "drift_2_cents": 0.3,
    "drift_seconds": 1.0,
    "attack_shortest": 0.002,
    "attack_longest": 20.0,
    "attack_power": 3.0,
    "attack_curve": 1.9,
    "decay_shortest": 0.004,
    "decay_longest": 21.0,
    "decay_power": 5.0,
    "release_shortest": 0.004,
    "release_longest": 21.0,
    "release_power": 5.0,
    "release_undershoot": 0.018,
    "output_gain": 1.0,
    "cutoff_slop_semitones": 0.12,
    "time_slop": 0.02,
    "vibrato_semitones": 1.0,
    "key_follow_octaves": 5.0,
    "lfo_fade_seconds": 20.0,
    "lag_seconds": 2.0,
    "cutoff_depth": 1.036,
    "key_pivot": 51.5,
    "filter_fm_semitones": 1.0,
    "filter_fm_ladder_semitones": 0.6,
    "feedback_gain": 4.3 * 0.44,
}


class VoiceEngine:
    """All chains of Diva's panel that have a module for each of their choices."""

    def __init__(
        self,
        detune_pots: NDArray[np.float64] | None = None,
        constants: Mapping[str, float] | None = None,
        threads: int = 1,
        start: panel.Start | None = None,
        tempo: float = panel.DEFAULT_TEMPO,
    ) -> None:
        self._pots = np.zeros((8, 3)) if detune_pots is None else np.asarray(detune_pots, float)
        changes = dict(constants or {})
        self._panel = {name: changes.pop(name, value) for name, value in PANEL_CONSTANTS.items()}
        self._modules = {}
        for module in panel.modules():
            self._modules[module.full_name] = np.array(
                [changes.pop(f"{module.full_name}.{c.name}", c.value) for c in module.constants],
                np.float64,
            )
        if changes:
            raise KeyError(f"unknown constants: {sorted(changes)}")
        self._threads = threads
        self._start = start or panel.Start()
        self._tempo = tempo

    def render(
        self, patches: NDArray[np.float64], note: Note, seeds: object = 0, stereo: bool = False
    ) -> NDArray[np.float32]:
        """(batch, samples) float32, or (2, batch, samples) with stereo."""
        patches = np.asarray(patches, np.float64)
        all_seeds = np.broadcast_to(np.asarray(seeds), (len(patches),)).astype(np.int64)
        channels = 2 if stereo else 1
        out = page_aligned((channels * len(patches), note.samples), np.float32)
        out = out.reshape(channels, len(patches), note.samples)
        rate = float(note.sample_rate)
        note_off = min(note.samples, max(1, round(note.length_seconds * rate)))
        work: list[tuple[LaneInputs, bool]] = []
        for lanes in panel.lane_inputs(
            patches, note, all_seeds.astype(np.uint64), self._panel, self._pots, self._start, rate,
            self._tempo,
        ):  # fmt: skip
            work += _groups(lanes)

        def play(group: tuple[LaneInputs, bool]) -> None:
            lanes, moving = group
            play_group(
                lanes, moving, self._modules, note.samples, note_off, rate, lanes.patch, out
            )

        if self._threads == 1 or len(work) == 1:
            for group in work:
                play(group)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(play, work))
        return out if stereo else out[0]


def _groups(lanes: LaneInputs) -> list[tuple[LaneInputs, bool]]:
    """Whole patches, at most `LANES` lanes, none or all of them moving."""
    patches, first = np.unique(lanes.patch, return_index=True)
    last = np.append(first[1:], len(lanes.patch))
    moves = np.logical_or.reduceat(lanes.moving, first)
    groups = []
    for moving in (False, True):
        rows: list[int] = []
        for k in np.flatnonzero(moves == moving):
            if rows and len(rows) + last[k] - first[k] > LANES:
                groups.append((lanes.rows(np.array(rows)), moving))
                rows = []
            rows += range(first[k], last[k])
        if rows:
            groups.append((lanes.rows(np.array(rows)), moving))
    return groups
