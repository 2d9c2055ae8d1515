"""Diva behind a stand-in of a host that plays the engine with hidden constants.

The file of the plug-in is JSON: `constants` by name, `bent` (a law that no constant expresses),
`crash` (a name in the preset at which it dies), `seed`. Chance is drawn anew for each patch.
"""

import json
import os
import zlib

import numpy as np
from diva_host import CLASS_ID, DivaHost

from deepdiva.errors import RenderError
from deepdiva.hosts.vst3_files import parse_vstpreset
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset


def bent(patches):
    """Patches, (batch, 281), whose Ladder's cutoff knob goes another way."""
    changed = patches.copy()
    place = DIVA.index("VCF1.Freq")
    ladder = patches[:, DIVA.index("VCF1.Model")] < 0.5
    wave = 8.0 * np.sin((patches[:, place] - 30.0) / 120.0 * 4.0 * np.pi)
    changed[:, place] = np.clip(patches[:, place] + np.where(ladder, wave, 0.0), 30.0, 150.0)
    return changed


class EngineHost(DivaHost):
    def __init__(self, plugin, sample_rate, block_size, scratch):
        super().__init__(plugin, sample_rate, block_size, scratch)
        self._hidden = json.loads(plugin.read_text())
        self._preset = Preset.template()

    def load_state(self, container):
        preset = parse_vstpreset(container)
        if preset.class_id != CLASS_ID:
            raise RenderError("another class id")
        self._preset = Preset.from_bytes(preset.state.component)
        patch = self._preset.values()
        self._values = np.array([DIVA[k].to_normalised(patch[k]) for k in self.ORDER])

    def play(self, note):
        patch = self._preset.values()[None]
        name, value = self._hidden.get("crash", ("", 0.0))
        if name and patch[0, DIVA.index(name)] == value:
            os._exit(1)
        if self._hidden.get("bent"):
            patch = bent(patch)
        engine = PanelRenderer.of_preset(self._preset, constants=self._hidden["constants"])
        seed = zlib.crc32(patch.tobytes()) + self._hidden.get("seed", 0)
        return engine.render(patch, note, seed)[0]
