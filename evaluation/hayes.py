"""The four audio metrics of Hayes et al. (ISMIR 2025), as their evaluation script computes them.

Source: B. Hayes, C. Saitis, G. Fazekas, "Audio synthesizer inversion in symmetric parameter spaces
with approximately equivariant flow matching", ISMIR 2025, and the script
`scripts/compute_audio_metrics.py` of their repository. Many papers have a metric called MSS or
MFCC distance; these functions are named for their authors because the figures of different
definitions must not be compared.

Conventions: a sound is float32 of shape (samples,) or (channels, samples), at `sample_rate` Hz; the
published figures are at 44,100 Hz, and windows are kept in milliseconds at other rates. Target and
match have the same shape. No loudness is normalised. What each function makes of silence is said
there; the panel in `deepdiva.evaluation.metrics` replaces the values that silence would flatter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.evaluation.optional import require

Audio = NDArray[np.float32]

MSS_SCALES = ((10, 5, 32), (25, 10, 64), (100, 50, 128))
"""Window in ms, hop in ms and number of mel bands of each scale of `hayes_mss`."""

MSS_BOUND_DB = 80.0
"""Nothing scores above it: each mel spectrogram is cut 80 dB below its own maximum."""

_ROWS = 64


def hayes_mss(target: Audio, match: Audio, sample_rate: int) -> float:
    """Multi-scale spectral distance in dB, 0 to 80; lower is better.

    Mean absolute difference of mel spectrograms in dB, over the three `MSS_SCALES`. Each sound is
    referred to its own maximum, so the value is blind to gain, and digital silence, which becomes
    0 dB everywhere, scores oddly instead of worst. Noise far below a tone costs much.
    """
    import librosa

    scales = []
    for window_ms, hop_ms, bands in MSS_SCALES:
        target_db, match_db = (
            librosa.power_to_db(
                librosa.feature.melspectrogram(
                    y=sound,
                    sr=sample_rate,
                    n_mels=bands,
                    n_fft=int(window_ms * sample_rate / 1000),
                    hop_length=int(hop_ms * sample_rate / 1000),
                    window="hann",
                ),
                ref=np.max,
            )
            for sound in (target, match)
        )
        scales.append(np.mean(np.abs(target_db - match_db)))
    return float(np.mean(scales))


def hayes_wmfcc(target: Audio, match: Audio, sample_rate: int) -> float:
    """Mean absolute difference of 20 MFCCs along the best time warping; lower is better.

    Dynamic time warping with the symmetric step pattern, total cost divided by the sum of both
    lengths. The first coefficient holds the level, so gain counts. Silence is finite: its level
    stands at the floor of -100 dB.
    """
    import librosa

    dtw = require("dtw", "dtw-python").dtw

    features = []
    for sound in (target, match):
        mfcc = librosa.feature.mfcc(
            y=sound,
            sr=sample_rate,
            n_mfcc=20,
            n_fft=int(0.05 * sample_rate),
            hop_length=int(0.01 * sample_rate),
            n_mels=128,
        )
        features.append(mfcc.reshape(-1, mfcc.shape[-1]).T.astype(np.float64))
    frames_target, frames_match = features
    cost = np.empty((len(frames_target), len(frames_match)))
    for start in range(0, len(cost), _ROWS):  # all rows at once would take gigabytes
        rows = frames_target[start : start + _ROWS, np.newaxis]
        cost[start : start + _ROWS] = np.abs(rows - frames_match[np.newaxis]).mean(axis=-1)
    return float(dtw(cost, distance_only=True).normalizedDistance)


def hayes_sot(target: Audio, match: Audio, sample_rate: int) -> float:
    """Spectral optimal transport, 0 to 1; lower is better.

    Wasserstein-1 distance of the magnitude spectra of each frame, both scaled to sum 1, with
    frequency scaled to [0, 1], averaged over frames. Blind to gain, frame by frame. A silent frame
    has no mass and is charged with the whole cumulated spectrum of the other.
    """
    import librosa

    window = int(0.05 * sample_rate)
    cumulated = []
    for sound in (target, match):
        mono = sound if sound.ndim == 1 else sound.mean(axis=0)
        spectrum = np.abs(
            librosa.stft(
                mono,
                n_fft=window,
                hop_length=int(0.02 * sample_rate),
                win_length=window,
                window="hann",
            )
        ).T
        mass = np.clip(spectrum.sum(axis=1, keepdims=True), 1e-6, np.inf)
        cumulated.append(np.cumsum(spectrum / mass, axis=1))
    bins = cumulated[0].shape[1]
    return float(np.mean(np.sum(np.abs(cumulated[0] - cumulated[1]), axis=1) / bins))


def hayes_rms(target: Audio, match: Audio, sample_rate: int) -> float:
    """Cosine similarity of the RMS envelopes, 0 to 1; higher is better.

    Frames of 50 ms every 25 ms, no mean removed: two steady sounds score 1 whatever they are.
    Blind to overall gain. The original gives NaN where one sound is silent; this gives 0.
    """
    import librosa

    envelopes = []
    for sound in (target, match):
        mono = sound if sound.ndim == 1 else sound.mean(axis=0)
        envelopes.append(
            librosa.feature.rms(
                y=mono,
                frame_length=int(0.05 * sample_rate),
                hop_length=int(0.025 * sample_rate),
            )[0]
        )
    norms = np.linalg.norm(envelopes[0]) * np.linalg.norm(envelopes[1])
    if norms == 0:
        return 0.0
    return float(np.dot(envelopes[0], envelopes[1]) / norms)
