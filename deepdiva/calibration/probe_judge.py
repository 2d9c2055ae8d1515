"""Renders probes with the engine and says how far each is from what the plug-in played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.calibration.pictures import Array, Kind, Sounds, Wanted, see
from deepdiva.note import Note
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.probes import Probe, probe_preset, seeds_of
from deepdiva.synths.diva.trimmers import Trimmers


@dataclass(frozen=True, eq=False)
class Judged:
    """What became of some probes.

    Attributes:
        differences: of each probe, its weighted differences.
        distances: (probes,) dB.
    """

    differences: list[Array]
    distances: Array

    @property
    def mean(self) -> float:
        """Mean distance of the probes, dB."""
        return float(self.distances.mean())


class ProbeJudge:
    """Compares the engine with what a plug-in played of probes.

    Args:
        probes: that were played.
        sounds: (samples,) float32 of each, of its note's length.
        moving: look at how slow waves move and not where they are, of probes that wander.
        threads: of a render.
    """

    def __init__(
        self,
        probes: Sequence[Probe],
        sounds: Sequence[Sounds],
        moving: bool = False,
        threads: int = 1,
    ) -> None:
        self.probes = tuple(probes)
        self._sounds = tuple(sounds)
        self._moving = moving
        self._threads = threads
        self._patches = np.array([probe.patch for probe in probes])
        self._preset = probe_preset()
        self._wanted = [
            Wanted(sound, _kind(probe, moving)) for probe, sound in zip(probes, sounds, strict=True)
        ]
        self._groups: dict[tuple[Note, Kind], list[int]] = {}
        for k, probe in enumerate(probes):
            self._groups.setdefault((probe.note, self._wanted[k].kind), []).append(k)

    def __len__(self) -> int:
        return len(self.probes)

    def some(self, rows: Sequence[int]) -> ProbeJudge:
        """The judge of some of the probes."""
        return ProbeJudge(
            [self.probes[k] for k in rows],
            [self._sounds[k] for k in rows],
            self._moving,
            self._threads,
        )

    def moving(self) -> ProbeJudge:
        """The same probes, of whose slow waves only the movement counts."""
        return ProbeJudge(self.probes, self._sounds, True, self._threads)

    @property
    def wandering(self) -> NDArray[np.intp]:
        """Rows of the probes whose slow waves start anywhere."""
        if self._moving:
            return np.zeros(0, np.intp)
        return np.flatnonzero([probe.wanders for probe in self.probes])

    def judge(
        self,
        constants: Mapping[str, float],
        phases: Array | None = None,
        rows: Sequence[int] | None = None,
    ) -> Judged:
        """Render and compare.

        Args:
            constants: that differ from the engine's.
            phases: (probes,), where slow waves start, cycles; 0 if None.
            rows: of the probes; all if None.
        """
        engine = PanelRenderer(
            self._preset.detune_pots(), constants, self._threads, trimmers=Trimmers.of(self._preset)
        )
        seeds = seeds_of(np.zeros(len(self)) if phases is None else phases)
        wanted = set(range(len(self)) if rows is None else rows)
        found: dict[int, tuple[Array, float]] = {}
        for (note, kind), members in self._groups.items():
            some = [k for k in members if k in wanted]
            if not some:
                continue
            views = see(engine.render(self._patches[some], note, seeds[some]), kind)
            for place, k in enumerate(some):
                one = type(views)(
                    views.bands[place : place + 1],
                    views.short[place : place + 1],
                    views.cents[place : place + 1],
                )
                differences = self._wanted[k].differences(one)
                found[k] = differences[0], float(self._wanted[k].distances(differences)[0])
        order = sorted(found)
        return Judged([found[k][0] for k in order], np.array([found[k][1] for k in order]))

    def phases(self, constants: Mapping[str, float], around: Array | None = None) -> Array:
        """Where the slow wave of each probe starts, by trying.

        Args:
            constants: of the engine.
            around: (probes,), phases to look near to; all round if None.
        """
        best = np.zeros(len(self)) if around is None else around.copy()
        rows = self.wandering
        if not len(rows):
            return best
        steps = np.arange(24) / 24.0 if around is None else np.linspace(-0.06, 0.06, 7)
        nearest = np.full(len(rows), np.inf)
        found = best[rows].copy()
        for step in steps:
            tried = best.copy()
            tried[rows] = np.mod(best[rows] + step, 1.0)
            distances = self.judge(constants, tried, rows.tolist()).distances
            better = distances < nearest
            nearest[better] = distances[better]
            found[better] = tried[rows][better]
        best[rows] = found
        return best


def _kind(probe: Probe, moving: bool) -> Kind:
    return Kind(
        rate=probe.note.sample_rate,
        key_hz=probe.note.frequency_hz,
        noisy=probe.noisy,
        pitched=probe.pitched,
        moving=moving and probe.wanders,
    )
