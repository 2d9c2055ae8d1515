"""Does a search through a plug-in find back a sound that the plug-in made?

    python benchmarks/plugin_recovery.py [--plugin PATH] [--targets N] [--evaluations N] [--jobs N]

Targets are random patches of 8 free parameters around the plug-in's default, rendered exactly. The
search gets the sound alone. Beside its match stands the best of as many random patches; both are
rendered exactly before their distance is taken. The noise floor is the distance between repeated
renders of the match as the search made them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from deepdiva.distance import SpectralDistance
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.note import Note
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.exact import CONTENDERS, exact_match
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.space import ParameterSpace

# The waveforms stay: two of them are noise, of which no two renders are alike.
FREE = (
    "osc_mix",
    "osc2_range",
    "filter_cutoff",
    "filter_resonance",
    "filter_env_amount",
    "filter_decay",
    "amp_attack",
    "amp_sustain",
)
AUDIBLE = 0.03  # least peak of a target


def main() -> None:
    """Measure and print one line for each target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plugin", type=Path, default=Path("/usr/lib/vst/amsynth_vst.so"))
    parser.add_argument("--targets", type=int, default=6)
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()

    renderer = PluginRenderer(PluginSettings(arguments.plugin, workers=arguments.jobs))
    table = renderer.table
    free = FREE if set(FREE) <= set(table.names) else table.names[: len(FREE)]
    space = ParameterSpace(table, table.defaults(), free)
    note = Note()
    exact = renderer.exact()
    patches = space.patches(space.random(np.random.default_rng(2021), 3 * arguments.targets))
    rendered = exact.render_checked(patches, note)
    audible = np.abs(rendered.audio).max(axis=1) > AUDIBLE
    targets = rendered.audio[rendered.played & audible][: arguments.targets]
    exact.close()

    print(f"{renderer.info.version}, {len(free)} free: {', '.join(free)}")
    print(f"{arguments.evaluations} evaluations, {arguments.jobs} workers")
    print(f"{'target':>7} {'silence':>9} {'random':>9} {'search':>9} {'ratio':>7} ", end="")
    print(f"{'noise':>9} {'seconds':>8} {'failed':>7}")
    rows = []
    for number, target in enumerate(targets):
        distance = SpectralDistance(target, note.sample_rate)
        rng = np.random.default_rng(number)
        points = space.random(rng, arguments.evaluations)
        tried = renderer.render_checked(space.patches(points), note)
        order = np.argsort(np.where(tried.played, distance(tried.audio), np.inf))
        with Evaluator(target, renderer, space, note, 0, 1) as evaluator:
            best = exact_match(evaluator, points[order[:CONTENDERS]])

        settings = RefineSettings(
            evaluations=arguments.evaluations, seed=number, jobs=arguments.jobs
        )
        started = time.perf_counter()
        result = refine(target, renderer, space, note, settings)
        seconds = time.perf_counter() - started
        ratio = result.distance / best.distance
        rows.append((result.silence, best.distance, result.distance, ratio))
        noise = 0.0 if result.noise is None else result.noise.median
        failed = sum(result.failures.values())
        print(
            f"{number + 1:>7} {result.silence:>9.4f} {best.distance:>9.4f} "
            f"{result.distance:>9.4f} {ratio:>7.3f} {noise:>9.4f} {seconds:>8.1f} {failed:>7}",
            flush=True,
        )
    median = np.median(rows, axis=0)
    print(f"{'median':>7} " + " ".join(f"{value:>9.4f}" for value in median[:3]), end="")
    print(f" {median[3]:>7.3f}")
    renderer.close()


if __name__ == "__main__":
    main()
