"""How close a match is to its target: the panel of audio metrics.

Goal: figures that can be compared with other people's. Each metric has one definition with its
source, and a name that nobody else uses for another definition. No single one is safe: noise 17 dB
below a tone costs more in `hayes_mss` than a wrong synthesizer does, while `hayes_rms` does not
notice it. Read several.

Conventions:

- Target and match are mono float32 of shape (samples,), full scale 1.0, of the same length, at the
  same `sample_rate` in Hz; at least 0.1 s. No level is normalised and nothing is aligned.
- A metric that divides by something divides by the target's: the order of arguments matters
  unless `Metric.symmetric` says otherwise.
- A silent target (peak below -80 dB) is refused: nothing can be said of a match to it.
- A silent match gets what the function gives, or `Metric.silence` where that would flatter it. A
  match that failed is scored as silence. So every sound has a score for every method.
- A metric may be undefined for a *target* (the pitch of noise): then it is None for every
  method, and reports count the sounds for which it is defined.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance.band_levels import RANGE_DB
from deepdiva.errors import InvalidValueError
from deepdiva.evaluation.bands import REGIONS_HZ, known, known_level, region_error
from deepdiva.evaluation.hayes import MSS_BOUND_DB, hayes_mss, hayes_rms, hayes_sot, hayes_wmfcc
from deepdiva.evaluation.loudness import loudness_error_lu
from deepdiva.evaluation.measure import Measure
from deepdiva.evaluation.optional import require
from deepdiva.evaluation.pitch import pitch_error_cents
from deepdiva.evaluation.scattering import scattering_distance

Audio = NDArray[np.float32]
Scores = dict[str, float | None]

VERSION = 3
"""Grows when a definition changes: figures of different versions are not mixed."""

SILENT_PEAK = 1e-4
"""A sound whose peak is below it (-80 dB of full scale) counts as silence."""

SHORTEST_SECONDS = 0.1
"""The longest analysis window of the panel."""

PRIMARY = "scattering"
"""The metric by which reports rank: it orders known changes best (`benchmarks/measure_ranking.py`),
and no search of this project minimises it."""


def is_silent(audio: Audio) -> bool:
    """Whether nothing in the sound reaches -80 dB of full scale."""
    return bool(np.abs(audio).max(initial=0.0) < SILENT_PEAK)


def validate(target: Audio, match: Audio, sample_rate: int) -> None:
    """Refuse what the metrics are not defined for.

    Raises:
        InvalidValueError: sounds of different or wrong shape, not finite, shorter than 0.1 s, or a
            silent target.
    """
    if target.ndim != 1 or target.shape != match.shape:
        raise InvalidValueError(
            f"Target and match have the shapes {target.shape} and {match.shape}: both must be "
            "(samples,), mono and equally long. Render the match with the target's note."
        )
    if not (np.isfinite(target).all() and np.isfinite(match).all()):
        raise InvalidValueError(
            "A sound holds samples that are not finite (NaN or infinity): render it again."
        )
    if target.size < SHORTEST_SECONDS * sample_rate:
        raise InvalidValueError(
            f"The sounds are {target.size / sample_rate:.3f} s long: the metrics need at least "
            f"{SHORTEST_SECONDS} s."
        )
    if is_silent(target):
        raise InvalidValueError(
            "The target is silent (no sample reaches -80 dB): leave it out of the test set."
        )


def spectral_distance(target: Audio, match: Audio, sample_rate: int) -> float:
    """The project's multi-scale spectral distance, `deepdiva.distance.FULL`; lower is better.

    Mean over seven STFT sizes of the mean log10 magnitude difference and the relative linear
    difference. Level counts. Zero only for identical sounds.
    """
    from deepdiva.distance import SpectralDistance

    return float(SpectralDistance(target, sample_rate)(match[np.newaxis])[0])


def averaged_distance(target: Audio, match: Audio, sample_rate: int) -> float:
    """The project's averaged-spectra distance, `deepdiva.distance.AVERAGED`; lower is better.

    Log spectra averaged over windows of some tenths of a second, in bins and in bands, and the
    level: how the start phases of two oscillators fall, and draws of noise, hardly count. A shift
    of the level by 20 dB is 1.
    """
    from deepdiva.distance import AveragedDistance

    return float(AveragedDistance(target, sample_rate)(match[np.newaxis])[0])


def auraloss_mrstft(target: Audio, match: Audio, sample_rate: int) -> float:  # noqa: ARG001
    """Multi-resolution STFT loss of auraloss 0.4 with its defaults; lower is better.

    Spectral convergence plus mean natural-log magnitude difference, FFT sizes 1024, 2048 and 512
    (Yamamoto et al., "Parallel WaveGAN", ICASSP 2020). Level counts. Magnitudes are floored at
    1e-4, so silence is finite.
    """
    import torch

    loss = require("auraloss.freq", "auraloss").MultiResolutionSTFTLoss()
    match_batch, target_batch = (
        torch.from_numpy(np.ascontiguousarray(sound))[None, None] for sound in (match, target)
    )
    with torch.inference_mode():
        return float(loss(match_batch, target_batch))


def log_spectral_distance(target: Audio, match: Audio, sample_rate: int) -> float:  # noqa: ARG001
    """Mean |difference| of log10 magnitude, floored at 1e-4; one unit is 20 dB; lower is better.

    The `lsd` of Gawecki's Sound-Matching-Evaluation-Framework and of preset-gen-vae (Le Vaillant
    et al., DAFx 2021): STFT of 1,024 samples, hop 256, Hann, not normalised. It is not the
    root-mean-square form in dB that carries the same name elsewhere.
    """
    logarithms = [
        np.log10(np.maximum(_magnitudes(sound), np.float32(1e-4))) for sound in (target, match)
    ]
    return float(np.mean(np.abs(logarithms[0] - logarithms[1])))


def spectral_convergence(target: Audio, match: Audio, sample_rate: int) -> float:  # noqa: ARG001
    """Frobenius norm of the magnitude difference over that of the target; lower is better.

    S. Arik et al., IEEE SPL 2019, on the STFT of `log_spectral_distance`. Loud bins decide. Silence
    scores 1, and a match that is too loud and wrong scores more.
    """
    target_magnitudes, match_magnitudes = _magnitudes(target), _magnitudes(match)
    return float(
        np.linalg.norm(target_magnitudes - match_magnitudes) / np.linalg.norm(target_magnitudes)
    )


def mfcc_distance(target: Audio, match: Audio, sample_rate: int) -> float:
    """Mean |difference| of 20 MFCCs, frame by frame; lower is better.

    The MFCC error of SpiegeLib (Shier et al., 2020): librosa, FFT 2,048, hop 512, all coefficients.
    The first holds the level, so gain counts.
    """
    import librosa

    features = [
        librosa.feature.mfcc(y=sound, sr=sample_rate, n_mfcc=20, n_fft=2048, hop_length=512)
        for sound in (target, match)
    ]
    return float(np.mean(np.abs(features[0] - features[1])))


def _magnitudes(sound: Audio) -> Audio:
    """Magnitude STFT, 1,024 samples, hop 256, centred Hann, not normalised."""
    import librosa

    magnitudes: Audio = np.abs(librosa.stft(sound, n_fft=1024, hop_length=256))
    return magnitudes


@dataclass(frozen=True)
class Metric:
    """One metric of the panel: what it is called, how it is computed, and its laws.

    Attributes:
        measure: name, unit and direction.
        function: (target, match, sample_rate) -> value, or None if undefined for the target.
        silence: what a silent or failed match gets; None takes the function's own value.
        symmetric: target and match can be exchanged.
        gain_blind: a louder or quieter match scores the same.
    """

    measure: Measure
    function: Callable[[Audio, Audio, int], float | None]
    silence: float | None = None
    symmetric: bool = True
    gain_blind: bool = False

    @property
    def key(self) -> str:
        """Key of the measure."""
        return self.measure.key


PANEL: tuple[Metric, ...] = (
    Metric(
        Measure(
            PRIMARY, "Scattering", "", "lower", 0.0,
            "Wavelet scattering in windows of 93 ms, logarithmic; silence is 1.",
        ),
        scattering_distance,
        symmetric=False,
    ),
    Metric(
        Measure(
            "averaged_distance", "Averaged distance", "", "lower", 0.0,
            "Log spectra of this project averaged over time: start phases hardly count.",
        ),
        averaged_distance,
    ),
    Metric(
        Measure(
            "spectral_distance", "Spectral distance", "", "lower", 0.0,
            "Multi-scale STFT distance of this project, linear and logarithmic.",
        ),
        spectral_distance,
        symmetric=False,
    ),
    Metric(
        Measure(
            "hayes_mss", "MSS (Hayes)", "dB", "lower", 0.0,
            "Mel spectrograms at three scales, each referred to its own maximum.",
        ),
        hayes_mss,
        silence=MSS_BOUND_DB,
        gain_blind=True,
    ),
    Metric(
        Measure(
            "hayes_wmfcc", "wMFCC (Hayes)", "", "lower", 0.0,
            "20 MFCCs after dynamic time warping.",
        ),
        hayes_wmfcc,
    ),
    Metric(
        Measure(
            "hayes_sot", "SOT (Hayes)", "", "lower", 0.0,
            "Optimal transport between the spectra of each frame, 0 to 1.",
        ),
        hayes_sot,
        silence=1.0,
        gain_blind=True,
    ),
    Metric(
        Measure(
            "hayes_rms", "RMS (Hayes)", "", "higher", 1.0,
            "Cosine similarity of the loudness envelopes, 0 to 1.",
        ),
        hayes_rms,
        silence=0.0,
        gain_blind=True,
    ),
    Metric(
        Measure(
            "auraloss_mrstft", "MR-STFT (auraloss)", "", "lower", 0.0,
            "Spectral convergence and log magnitude at three resolutions.",
        ),
        auraloss_mrstft,
        symmetric=False,
    ),
    Metric(
        Measure(
            "log_spectral_distance", "LSD (Gawecki)", "", "lower", 0.0,
            "Mean log10 magnitude difference; one unit is 20 dB.",
        ),
        log_spectral_distance,
    ),
    Metric(
        Measure(
            "spectral_convergence", "Spectral convergence", "", "lower", 0.0,
            "Magnitude error relative to the target's magnitude; silence is 1.",
        ),
        spectral_convergence,
        silence=1.0,
        symmetric=False,
    ),
    Metric(
        Measure(
            "mfcc_distance", "MFCC (SpiegeLib)", "", "lower", 0.0,
            "20 MFCCs frame by frame.",
        ),
        mfcc_distance,
    ),
    Metric(
        Measure(
            "pitch_error_cents", "Pitch error", "cents", "lower", 0.0,
            "Median distance of the fundamentals where the target has a pitch, at most 2400.",
        ),
        pitch_error_cents,
        symmetric=False,
        gain_blind=True,
    ),
    Metric(
        Measure(
            "loudness_error_lu", "Loudness error", "LU", "lower", 0.0,
            "Difference of the integrated loudness (ITU-R BS.1770-4).",
        ),
        loudness_error_lu,
    ),
    Metric(
        Measure(
            "known", "Known-patch distance", "dB", "lower", 0.0,
            "Levels in 40 bands over time, one gain taken out; the engine is calibrated by it.",
        ),
        known,
        silence=RANGE_DB,
        symmetric=False,
        gain_blind=True,
    ),
    Metric(
        Measure(
            "known_level", "Level over time", "dB", "lower", 0.0,
            "Level of all bands together over time, with the gain of the known-patch distance.",
        ),
        known_level,
        silence=RANGE_DB,
        symmetric=False,
        gain_blind=True,
    ),
    *(
        Metric(
            Measure(
                f"known_{region}", f"Bands, {region}", "dB", "lower", 0.0,
                f"Known-patch distance from {max(60.0, low):g} to {high // 10 * 10:g} Hz alone.",
            ),
            partial(region_error, region=region),
            silence=RANGE_DB,
            symmetric=False,
            gain_blind=True,
        )
        for region, (low, high) in REGIONS_HZ.items()
    ),
)  # fmt: skip
"""Every metric of a report, the primary one first. A new one is a function and a record.

Of the others those come first that rank known changes best (`benchmarks/measure_ranking.py`).
"""

PRIMARY_MEASURE = PANEL[0].measure


def primary(target: Audio, match: Audio, sample_rate: int) -> float:
    """The metric by which reports rank.

    Raises:
        InvalidValueError: see `validate`.
    """
    value = evaluate(target, match, sample_rate, keys=(PRIMARY,))[PRIMARY]
    assert value is not None
    return value


def evaluate(
    target: Audio, match: Audio, sample_rate: int, keys: Collection[str] | None = None
) -> Scores:
    """Score a match by every metric of the panel, or by some.

    Args:
        target: see the module.
        match: likewise.
        sample_rate: samples per second.
        keys: of the metrics; None for all.

    Returns:
        Metric key to value, in the order of the panel; None where a metric is undefined for the
        target.

    Raises:
        InvalidValueError: see `validate`.
        MissingFeatureError: the extra `evaluation` is not installed.
    """
    validate(target, match, sample_rate)
    silent = is_silent(match)
    scores: Scores = {}
    for record in PANEL:
        if keys is not None and record.key not in keys:
            continue
        if silent and record.silence is not None:
            scores[record.key] = record.silence
        else:
            scores[record.key] = record.function(target, match, sample_rate)
    return scores
