"""Previews: they end as their target does, and never clip."""

import numpy as np
import pytest

from deepdiva.preview import FADE_SECONDS, PAUSE_SECONDS, preview_of

RATE = 8000


def tone(seconds, level=0.5):
    return (level * np.sin(np.arange(round(seconds * RATE)) * 0.3)).astype(np.float32)


def test_a_preview_ends_at_zero_where_its_target_does():
    target = np.concatenate([tone(0.5), np.zeros(RATE // 2, np.float32)])
    found = preview_of(tone(1.0), target, RATE)
    ends = round((0.5 + FADE_SECONDS) * RATE)
    assert np.array_equal(found.sound[: RATE // 2], tone(1.0)[: RATE // 2])
    assert not found.sound[ends:].any()
    assert np.abs(np.diff(found.sound)).max() <= 1.01 * np.abs(np.diff(tone(1.0))).max()


def test_a_sound_that_is_cut_ends_at_zero_all_the_same():
    found = preview_of(tone(1.0), tone(1.0), RATE)
    assert found.sound[-1] == 0.0
    assert np.array_equal(found.sound[: -RATE // 50], tone(1.0)[: -RATE // 50])


def test_nothing_clips_and_it_is_said_by_how_much():
    found = preview_of(tone(1.0, 2.0), tone(1.0), RATE)
    assert found.quieter_db == pytest.approx(6.02, abs=0.05)
    assert np.abs(found.sound).max() == pytest.approx(1.0)
    assert preview_of(tone(1.0), tone(1.0), RATE).quieter_db == 0.0


def test_target_and_match_follow_each_other_at_their_levels():
    found = preview_of(tone(1.0, 0.25), tone(1.0), RATE)
    pause = round(PAUSE_SECONDS * RATE)
    assert len(found.both) == 2 * (RATE + pause)
    target, match = found.both[:RATE], found.both[RATE + pause : 2 * RATE + pause]
    assert not found.both[RATE : RATE + pause].any()
    assert np.abs(target).max() / np.abs(match).max() == pytest.approx(2.0, rel=1e-3)


def test_short_sounds_are_no_obstacle():
    assert preview_of(tone(0.005), tone(0.005), RATE).sound[-1] == 0.0
