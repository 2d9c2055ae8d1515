"""How much faster are the features than librosa's, and how near? Milliseconds for each sound.

    python benchmarks/features.py [--seconds S] [--threads N]

Sounds are noise of 2 s at 44.1 kHz: features cost the same for every sound. librosa computes one
after the other, as the 2021 project did.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.metadata import version

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

from deepdiva.features import MelSettings, MelSpectrogram, Mfcc

Sounds = NDArray[np.float32]
BATCHES = (1, 16, 256)


def librosa_melspectrogram(sounds: Sounds) -> Sounds:
    """Mel spectrograms as the 2021 project computed them."""
    settings = MelSettings()
    pictures = []
    for sound in sounds:
        power = librosa.feature.melspectrogram(
            y=sound, sr=44100, n_fft=2048, hop_length=512, fmin=settings.fmin, fmax=settings.fmax
        )
        level = librosa.power_to_db(power, ref=np.max)
        scaled = (level - level.min()) / (level.max() - level.min())
        pictures.append(scaled[::-1, :, np.newaxis])
    return np.stack(pictures)


def librosa_mfcc(sounds: Sounds) -> Sounds:
    """MFCCs as the 2021 project computed them, before its scaler."""
    return np.stack(
        [
            librosa.feature.mfcc(
                y=sound, sr=44100, n_mfcc=13, n_fft=2048, hop_length=1024, fmin=50, fmax=15000
            ).T
            for sound in sounds
        ]
    )


def milliseconds(compute: Callable[[Sounds], object], sounds: Sounds, seconds: float) -> float:
    """Time for each sound: the best of as many rounds as fit into `seconds`, at least three."""
    best = float("inf")
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        compute(sounds)
        best = min(best, time.perf_counter() - began)
        rounds += 1
    return 1000.0 * best / len(sounds)


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    sounds = rng.uniform(-0.5, 0.5, (max(BATCHES), 88200)).astype(np.float32)
    print(f"PyTorch {version('torch')} on {options.threads} threads, librosa {version('librosa')}")
    print(f"{'':24}{'batch':>6}{'ms a sound':>12}{'librosa / this':>16}{'difference':>12}")
    for name, reference, feature in (
        ("mel spectrogram", librosa_melspectrogram, MelSpectrogram()),
        ("MFCC", librosa_mfcc, Mfcc()),
    ):
        truth = reference(sounds[:16])
        slow = milliseconds(reference, sounds[:16], options.seconds)
        print(f"{name + ', librosa':24}{1:>6}{slow:>12.2f}")
        for batch in BATCHES:
            part = sounds[:batch]
            fast = milliseconds(feature, part, options.seconds)
            found = feature(part).numpy()[:16]
            difference = np.abs(found - truth[: len(found)]).max()
            print(f"{name:24}{batch:>6}{fast:>12.2f}{slow / fast:>16.1f}{difference:>12.1e}")


if __name__ == "__main__":
    main()
