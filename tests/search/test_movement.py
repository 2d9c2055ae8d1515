"""Rates of movements: a filter LFO, a vibrato, tremolo, and notes that stand."""

import numpy as np
import pytest

from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.search.movement import rates_hz

RATE = 44100


def sine(hz: np.ndarray | float, seconds: float = 2.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    phase = 2.0 * np.pi * np.cumsum(np.broadcast_to(hz, times.shape)) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, 12)).astype(np.float32)


@pytest.mark.parametrize("rate", [1.3, 3.0, 5.7, 11.0])
def test_tremolo_is_heard(rate: float) -> None:
    times = np.arange(2 * RATE) / RATE
    sound = sine(220.0) * (1.0 + 0.3 * np.sin(2.0 * np.pi * rate * times)).astype(np.float32)
    assert rates_hz(sound, RATE, 2.0)[0] == pytest.approx(rate, rel=0.03)


@pytest.mark.parametrize("cents", [4.0, 30.0])
def test_vibrato_is_heard(cents: float) -> None:
    times = np.arange(2 * RATE) / RATE
    sound = sine(220.0 * 2.0 ** (cents / 1200.0 * np.sin(2.0 * np.pi * 5.5 * times)))
    assert any(rate == pytest.approx(5.5, rel=0.03) for rate in rates_hz(sound, RATE, 2.0))


def test_a_moving_filter_of_the_engine_is_heard() -> None:
    renderer = make_renderer()
    table = renderer.table
    patch = table.defaults().copy()
    for name, value in {
        "LFO2.Sync": -2.0,
        "LFO2.Rate": float(np.log2(3.0)),
        "LFO2.DMD1": 0.0,
        "VCF1.FM2Src": 17.0,
        "VCF1.FM2Dpt": 30.0,
        "VCF1.Freq": 80.0,
    }.items():
        patch[table.index(name)] = value
    note = Note(length_seconds=2.0)
    sound = renderer.render(patch[None], note, 1)[0]
    assert rates_hz(sound, note.sample_rate, 2.0)[0] == pytest.approx(3.0, rel=0.05)


def test_a_still_note_moves_at_no_rate() -> None:
    decay = np.exp(-np.arange(2 * RATE) / RATE).astype(np.float32)
    assert rates_hz(sine(220.0) * decay, RATE, 2.0) == ()
    noise = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    assert len(rates_hz(noise, RATE, 2.0)) <= 1


def test_short_notes_and_silence_tell_nothing() -> None:
    assert rates_hz(sine(220.0, 0.2), RATE, 0.2) == ()
    assert rates_hz(np.zeros(RATE, np.float32), RATE, 1.0) == ()
