"""From the oversampled rate back: against a plain convolution, and its passband and stopband."""

from __future__ import annotations

import numpy as np
import pytest

from deepdiva.engine.decimation import decimate, low_pass


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("samples", [1, 5, 2047, 2049, 5000])
def test_it_is_a_convolution_of_which_every_nth_sample_is_kept(factor, samples):
    fine = np.random.default_rng(0).standard_normal((3, samples * factor)).astype(np.float32)
    coarse = np.empty((3, samples), np.float32)
    taps = low_pass(factor)
    decimate(fine, taps, factor, coarse)
    reach = len(taps) // 2
    for row, got in zip(fine.astype(np.float64), coarse, strict=True):
        expected = np.convolve(row, taps.astype(np.float64))[reach:][: len(row) : factor]
        np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 4])
def test_passband_and_stopband(factor):
    """At 44.1 kHz: flat to 18.5 kHz, and nothing folds back below 20 kHz."""
    response = 20 * np.log10(np.abs(np.fft.rfft(low_pass(factor), 1 << 15)) + 1e-12)
    kilohertz = np.arange(len(response)) / (1 << 15) * factor * 44.1
    assert np.abs(response[kilohertz < 18.5]).max() < 0.1
    assert response[kilohertz < 20.0].min() > -1.75
    assert response[kilohertz > 44.1 - 20.0].max() < -65
