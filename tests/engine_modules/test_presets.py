"""Presets that people and other tools have written, played as `deepdiva render` plays them."""

import numpy as np
import pytest

from deepdiva.note import Note
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(pitch=60, velocity=100, length_seconds=1.0, render_seconds=1.5, sample_rate=22050)


@pytest.fixture(scope="module")
def played(diva_presets):
    """Of each preset: its name, the sound in stereo, and what was not supported."""
    found = []
    for path in diva_presets:
        preset = Preset.read(path)
        engine = PanelRenderer.of_preset(preset)
        patch = preset.values()
        sound = engine.render_stereo(patch[None], NOTE)[:, 0]
        found.append((path.stem, sound, [entry.parameter for entry in engine.unsupported(patch)]))
    return found


def test_levels_are_those_of_music(played):
    for name, sound, _ in played:
        assert np.isfinite(sound).all(), name
        peak = 20.0 * np.log10(np.abs(sound).max())
        assert -60.0 < peak < 12.0, f"{name}: {peak:.1f} dBFS"


def test_nearly_all_of_them_are_fully_supported(played):
    partly = {name: parameters for name, _, parameters in played if parameters}
    assert len(partly) <= 2, partly
