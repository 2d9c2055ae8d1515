"""DawDreamer with a plug-in that misbehaves on purpose: Nekobi, by the value of its `Tuning`.

The crash is Nekobi's own: asked for its editor where there is no display, it dies of SIGSEGV.
The others cannot be had of a plug-in at will, so they are done beside it, in the same process.
"""

import os
import time

import numpy as np

from deepdiva.hosts.dawdreamer import DawDreamerHost

TUNING = 1
CRASH, HANG, LEAVE, SILENCE, NOT_A_NUMBER, STUCK, BREAK = 0.93, 0.83, 0.73, 0.63, 0.53, 0.43, 0.33


class FaultyHost(DawDreamerHost):
    def __init__(self, plugin, sample_rate, block_size, scratch):
        super().__init__(plugin, sample_rate, block_size, scratch)
        self._fault = 0.0
        self._broken = False
        self._last = None

    def set_values(self, indices, values):
        super().set_values(indices, values)
        self._fault = round(float(values[TUNING]), 2)
        self._broken |= self._fault == BREAK
        if self._fault == CRASH:
            path = self._scratch / "state"
            self._processor.save_state(str(path))
            self._processor.load_state(str(path))
        if self._fault == HANG:
            time.sleep(1000)
        if self._fault == LEAVE:
            os._exit(1)

    def play(self, note):
        audio = super().play(note)
        if self._fault == SILENCE or self._broken:
            return np.zeros_like(audio)
        if self._fault == NOT_A_NUMBER:
            audio[100] = np.nan
        if self._fault == STUCK and self._last is not None:
            return self._last
        self._last = audio
        return audio


class SilentHost(DawDreamerHost):
    """Plays nothing at all, as an effect without input does."""

    def play(self, note):
        return np.zeros(note.samples, dtype=np.float32)


class DeafHost(DawDreamerHost):
    """Takes values and plays one sound, as a plug-in does whose parameters are empty slots."""

    def play(self, note):
        return np.sin(np.arange(note.samples) / 10.0).astype(np.float32)


class StubbornHost(DawDreamerHost):
    """Holds one parameter in the middle, whatever it is told."""

    CUTOFF = 2

    def values(self, indices):
        values = super().values(indices)
        values[indices == self.CUTOFF] = 0.5
        return values


class WildHost(FaultyHost):
    """High tunings are dangerous: some silent, some hang, some crash, as Nekobi itself can."""

    def set_values(self, indices, values):
        values = values.copy()
        tuning = values[TUNING]
        for least, fault in ((0.97, CRASH), (0.95, HANG), (0.85, SILENCE)):
            if tuning > least:
                values[TUNING] = fault
                break
        else:
            values[TUNING] *= 0.3  # out of reach of the other faults
        super().set_values(indices, values)
