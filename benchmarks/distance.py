"""What does a distance cost beside a render? Milliseconds for each candidate of 2 s.

    python benchmarks/distance.py [--seconds S] [--prototype FILE]

All rows are measured in one run on one thread, in CPU time, in turns: each round times every row
once, and the best of all rounds counts, so that other load on the machine meets all alike. Sounds
are patches of the embedded engine with a stack of 2. The prototype is a module with the class MSS,
where it is present. torch.stft and auraloss compute the spectra of the full form, or the loss of
the same sizes; plain numpy follows the definition word by word.

Targets: a search form takes at most 0.6 of a render, the full form less than the prototype's.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import auraloss
import numpy as np
import torch
from numpy.typing import NDArray

from deepdiva.distance import FULL, SEARCH, AveragedDistance, SpectralDistance
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

PROTOTYPE = Path(__file__).resolve().parents[2] / "shared" / "prototype" / "distance.py"
BATCH = 64
SLOW_BATCH = 4

Sounds = NDArray[np.float32]


def load_prototype(path: Path) -> ModuleType | None:
    """The prototype's module, or None where there is none."""
    spec = importlib.util.spec_from_file_location("prototype_distance", path)
    if not path.exists() or spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prototype_rows(path: Path, target: Sounds, sounds: Sounds) -> dict[str, Callable[[], object]]:
    """The prototype's full and its search form."""
    module = load_prototype(path)
    if module is None:
        return {}
    rows: dict[str, Callable[[], object]] = {}
    for name, options in (
        ("prototype, 7 sizes, 75 %", {}),
        ("prototype, 256 and 2048, 50 %", {"sizes": (256, 2048), "ov": 2}),
    ):
        form = module.MSS(target.size, **options)
        rows[name] = partial(prototype_scores, form, form.target(target), sounds)
    return rows


def prototype_scores(form: Any, known: Any, sounds: Sounds) -> list[float]:
    """Distances by a form of the prototype to a target that it knows."""
    return [form.dist(sound, known) for sound in sounds]


def plain_numpy(target: Sounds, sounds: Sounds) -> NDArray[np.float64]:
    """The full form with numpy alone."""
    scores = np.zeros(len(sounds))
    for size in FULL.sizes:
        window = np.hanning(size + 1)[:-1].astype(np.float32)
        window *= 2 / window.sum()

        def spectrum(
            sound: Sounds, size: int = size, window: Sounds = window
        ) -> NDArray[np.float64]:
            frames = np.lib.stride_tricks.sliding_window_view(sound, size)[:: FULL.hop(size)]
            amplitudes = np.abs(np.fft.rfft(frames * window, axis=1))
            return np.sqrt(amplitudes**2 + FULL.floor**2)

        wanted = spectrum(target)
        for index, sound in enumerate(sounds):
            got = spectrum(sound)
            scores[index] += np.abs(np.log10(got / wanted)).mean()
            scores[index] += np.abs(got - wanted).sum() / wanted.sum()
    return scores / len(FULL.sizes)


def torch_spectra(sounds: torch.Tensor) -> None:
    """Spectra of the full form by torch.stft, without the comparison."""
    for size in FULL.sizes:
        window = torch.hann_window(size)
        torch.stft(sounds, size, FULL.hop(size), window=window, return_complex=True).abs()


def library_rows(target: Sounds, sounds: Sounds) -> dict[str, Callable[[], object]]:
    """Other implementations of the full form's spectra or loss."""
    tensor = torch.from_numpy(sounds)
    loss = auraloss.freq.MultiResolutionSTFTLoss(
        fft_sizes=list(FULL.sizes),
        hop_sizes=[FULL.hop(size) for size in FULL.sizes],
        win_lengths=list(FULL.sizes),
        w_sc=1.0,
        w_log_mag=1.0,
        w_lin_mag=0.0,
    )
    repeated = torch.from_numpy(np.repeat(target[None], len(sounds), axis=0))
    return {
        "torch.stft, 7 sizes, spectra alone": lambda: torch_spectra(tensor),
        "auraloss, 7 sizes (target each time)": lambda: loss(tensor[:, None], repeated[:, None]),
        "plain numpy, 7 sizes": lambda: plain_numpy(target, sounds),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="time for all rounds")
    parser.add_argument("--prototype", type=Path, default=PROTOTYPE)
    options = parser.parse_args()
    torch.set_num_threads(1)

    base = DIVA.defaults()
    base[DIVA.index("VCC.Voicing")] = 2.0
    note, space, renderer = Note(), default_space(base), PanelRenderer()
    patches = space.patches(space.random(np.random.default_rng(1), BATCH + 1))
    audio = renderer.render(patches, note, seeds=np.arange(BATCH + 1))
    target, sounds = audio[0], audio[1:]
    few = sounds[:SLOW_BATCH]

    full = SpectralDistance(target, note.sample_rate, FULL)
    search = SpectralDistance(target, note.sample_rate, SEARCH)
    averaged = AveragedDistance(target, note.sample_rate)
    rows: dict[str, tuple[Callable[[], object], int]] = {
        "render, batch of 64": (lambda: renderer.render(patches[1:], note, seeds=1), BATCH),
        "averaged spectra (default judge)": (lambda: averaged(sounds), BATCH),
        "averaged spectra, one candidate": (lambda: averaged(sounds[:1]), 1),
        "spectral, SEARCH: 256 and 2048, 50 %": (lambda: search(sounds), BATCH),
        "spectral, SEARCH, one candidate": (lambda: search(sounds[:1]), 1),
        "spectral, FULL: 7 sizes, 75 %": (lambda: full(sounds), BATCH),
        "spectral, FULL, one candidate": (lambda: full(sounds[:1]), 1),
    }
    others = prototype_rows(options.prototype, target, few) | library_rows(target, few)
    rows |= {name: (compute, SLOW_BATCH) for name, compute in others.items()}

    best = dict.fromkeys(rows, float("inf"))
    for compute, _ in rows.values():
        compute()  # compile and fill caches
    end = time.perf_counter() + options.seconds
    rounds = 0
    while rounds < 3 or time.perf_counter() < end:
        for name, (compute, count) in rows.items():
            began = time.thread_time()
            compute()
            best[name] = min(best[name], 1000 * (time.thread_time() - began) / count)
        rounds += 1

    render = best["render, batch of 64"]
    print(f"2 s at 44.1 kHz, 1 core, best of {rounds} rounds")
    print(f"{'':40s} {'ms':>8s} {'/ render':>9s}")
    for name, milliseconds in best.items():
        print(f"{name:40s} {milliseconds:8.3f} {milliseconds / render:9.2f}")


if __name__ == "__main__":
    main()
