"""How near a calibration brings the engine to others with hidden constants, and how long it takes.

    python benchmarks/own_diva.py --sets 20 --presets 200
    python benchmarks/own_diva.py --sets 0 --bent              # a law that no constant expresses
    python benchmarks/own_diva.py --sets 1 --modules 'ladder chorus' --presets 20

Each set is the engine with every constant drawn from what the evidence leaves open; it plays the
probes, with chance of its own. What is reported is the spectral distance of presets like those of
people to what the hidden engine plays of them, both with the same chance: with the engine's own
constants, with the fitted ones, and their ratio. Presets whose distance was 0 count in neither.
Rows are appended to --output, and sets that stand there are not played again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.calibration.own import calibrate
from deepdiva.distance import SpectralDistance
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, panel, probes
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.prior.human import HumanPrior

Array = NDArray[np.float64]
Law = Callable[[Array], Array]

NOTE = Note(pitch=48, length_seconds=1.0, render_seconds=1.5)
HEAD = (
    "| set | before | after | ratio | probes before, dB | after, dB | not fitted | minutes |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def bent(patches: Array) -> Array:
    """Patches, (batch, 281), whose Ladder's cutoff knob goes another way."""
    changed = patches.copy()
    place = DIVA.index("VCF1.Freq")
    ladder = patches[:, DIVA.index("VCF1.Model")] < 0.5
    wave = 8.0 * np.sin((patches[:, place] - 30.0) / 120.0 * 4.0 * np.pi)
    changed[:, place] = np.clip(patches[:, place] + np.where(ladder, wave, 0.0), 30.0, 150.0)
    return changed


def played(
    modules: Sequence[probes.ProbedModule], hidden: Mapping[str, float], law: Law, stream: int
) -> dict[str, NDArray[np.float32]]:
    """What the hidden engine plays of the probes, each with chance of its own."""
    engine = PanelRenderer.of_preset(probes.probe_preset(), constants=hidden)
    found = {}
    for module in modules:
        for k, probe in enumerate(module.probes):
            patch = law(probe.patch[None])
            found[probe.name] = engine.render(patch, probe.note, 1000 * stream + k)[0]
    return found


def judged(
    patches: Array, hidden: Mapping[str, float], law: Law, values: Mapping[str, float]
) -> Array:
    """Distances of presets to the hidden engine's, (presets,)."""
    seeds = np.arange(len(patches))
    wanted = PanelRenderer(constants=hidden).render(law(patches), NOTE, seeds)
    got = PanelRenderer(constants=values).render(patches, NOTE, seeds)
    return np.array(
        [
            float(SpectralDistance(one, NOTE.sample_rate)(other[None])[0])
            for one, other in zip(wanted, got, strict=True)
            if np.abs(one).max() > 1e-4
        ]
    )


def straight(patches: Array) -> Array:
    """Patches as they are."""
    return patches


def main() -> None:
    """Calibrate to each set, and append its row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--presets", type=int, default=200)
    parser.add_argument("--modules", default="")
    parser.add_argument("--bent", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("own_diva.md"))
    options = parser.parse_args()
    modules = [
        module
        for module in probes.chosen(tuple(options.modules.split()))
        if module.name != probes.CHECKS
    ]
    told = {name for module in modules for name in module.constants}
    patches = HumanPrior().sample(options.presets, 7, NOTE)
    lines = options.output.read_text() if options.output.exists() else HEAD
    names = [*(str(k + 1) for k in range(options.sets)), *(["bent"] if options.bent else [])]
    for stream, name in enumerate(names):
        if f"\n| {name} |" in lines:
            continue
        drawn = panel.draw_constants(np.random.default_rng(stream + 1))
        hidden = {n: v for n, v in drawn.items() if not options.modules or n in told}
        law = bent if name == "bent" else straight
        started = time.perf_counter()
        found = calibrate(
            modules,
            played(modules, hidden, law, stream),
            threads=options.threads,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        minutes = (time.perf_counter() - started) / 60.0
        before = judged(patches, hidden, law, {})
        after = judged(patches, hidden, law, found.values)
        fitted = [r for r in found.modules if r.module.constants]
        stays = [r.module.name for r in fitted if r.verdict in ("kept", "nearer")]
        here, there = (np.mean([getattr(r, k) for r in fitted]) for k in ("before", "after"))
        lines += (
            f"| {name} | {before.mean():.4f} | {after.mean():.4f} "
            f"| {after.mean() / before.mean():.2f} "
            f"| {here:.2f} | {there:.2f} "
            f"| {', '.join(stays)} | {minutes:.1f} |\n"
        )
        options.output.write_text(lines)
        print(lines.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
