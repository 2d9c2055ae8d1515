"""A host in which something like Diva is loaded: its parameters and its state, and a simple sound.

The names are those that the VST 3 plug-in reports (other order, other spelling); the state is the
text of an .h2p file in a `.vstpreset`. The sound depends on a few parameters.
"""

import numpy as np

from deepdiva.errors import RenderError
from deepdiva.hosts.host import Host, HostParameter, PluginDescription
from deepdiva.hosts.vst3_files import parse_vstpreset
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset

CLASS_ID = "0123456789ABCDEF0123456789ABCDEF"


def vst3_name(parameter):
    if parameter.name == "PCore.LED":
        return "-:led_colour"
    return parameter.host_name.lower().replace(": ", ":").replace(" ", "_")


class DivaHost(Host):
    ORDER = np.random.default_rng(0).permutation(len(DIVA)).tolist()
    NAMES = tuple(vst3_name(DIVA[k]) for k in ORDER)

    def __init__(self, plugin, sample_rate, block_size, scratch):
        del block_size, scratch
        self._plugin, self._rate = plugin, sample_rate
        self._values = np.array([DIVA[k].to_normalised(DIVA[k].default) for k in self.ORDER])

    @staticmethod
    def library():
        return np

    def describe(self):
        controllers = [HostParameter(len(self.NAMES) + k, f"CC {k}", 0.0) for k in range(3)]
        return PluginDescription(
            name="Diva",
            path=str(self._plugin),
            format="vst3",
            version="1.4.8",
            host="stand-in",
            unique_id=CLASS_ID,
            parameters=(
                *(HostParameter(k, name, self._values[k]) for k, name in enumerate(self.NAMES)),
                *controllers,
            ),
            takes_state=True,
            knows_defaults=True,
        )

    def set_values(self, indices, values):
        self._values[indices] = values

    def values(self, indices):
        return self._values[indices]

    def load_state(self, container):
        preset = parse_vstpreset(container)
        if preset.class_id != CLASS_ID:
            raise RenderError("another class id")
        patch = Preset.from_bytes(preset.state.component).values()
        self._values = np.array([DIVA[k].to_normalised(patch[k]) for k in self.ORDER])

    def state(self):
        raise RenderError("not needed")

    def play(self, note):
        time = np.arange(note.samples) / self._rate
        place = self.ORDER.index(DIVA.index("VCF1.Freq"))
        frequency = note.frequency_hz * (1 + self._values[place])
        level = self._values[self.ORDER.index(DIVA.index("VCA1.Vol"))]
        return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)

    def settle(self, note, limit_seconds):
        del note, limit_seconds
        return 0.0


class RenamedDivaHost(DivaHost):
    """A version of which two parameters have other names."""

    NAMES = tuple(
        {"vcf1:frequency": "vcf1:cutoff", "env1:attack": "env1:onset"}.get(name, name)
        for name in DivaHost.NAMES
    )


class DeafDivaHost(DivaHost):
    """Takes every preset, and plays on as before."""

    def load_state(self, container):
        pass

    def set_values(self, indices, values):
        pass


class ExchangedDivaHost(DivaHost):
    """A version in which two parameters have exchanged their places, and keep their names."""

    def load_state(self, container):
        super().load_state(container)
        places = [self.ORDER.index(DIVA.index(name)) for name in ("ENV1.Atk", "ENV1.Dec")]
        self._values[places] = self._values[places[::-1]]


class DemoDivaHost(DivaHost):
    """Hisses, as a demo does."""

    def play(self, note):
        noise = np.random.default_rng(0).standard_normal(note.samples)
        return super().play(note) + (0.01 * noise).astype(np.float32)
