"""A stand-in for librenderman that behaves as measured, traps and all.

The real module is built from C++ by its users and is on no package index. What this one does was
observed of the real one (fedden's RenderMan, master of July 2021, and its forks) while it hosted
amsynth; the names of the traps are in the tests. `VARIANT` chooses the fork:

* `master`: `load_plugin(path, index)`, `render_patch` of four arguments, a list as description;
* `older`: `load_plugin(path)`, which returns nothing, and a text as description;
* `extended`: reads single parameters and presets; `render_patch` takes a fifth argument.

A "plug-in" is a JSON file `{"parameters": {NAME: DEFAULT}}`. Its sound is a decaying chord: the
k-th parameter is the level of the k-th harmonic, and `Release` rings on after the note.
"""

import json
import math
import os
import signal
import sys
from pathlib import Path

import numpy as np

VARIANT = os.environ.get("LIBRENDERMAN_STANDIN", "master")


class ArgumentError(TypeError):
    """Boost.Python's refusal, which derives from TypeError."""


def _require(*conditions):
    if not all(conditions):
        raise ArgumentError("Python argument types did not match C++ signature")


class RenderEngine:
    def __init__(self, sample_rate, buffer_size, fft_size):
        _require(*(type(value) is int for value in (sample_rate, buffer_size, fft_size)))
        self._rate, self._block = sample_rate, buffer_size
        self._names = None
        self._audio = []

    def _load(self, path):
        file = Path(path)
        if not file.is_file():  # a VST 3 bundle is a folder, and not scanned
            sys.stdout.write("RenderEngine::loadPlugin error: No plugin found\n")
            return False
        parameters = json.loads(file.read_text())["parameters"]
        self._names = list(parameters)
        self._plugin = np.array(list(parameters.values()), dtype=np.float32)
        self._patch = [(index, 0.0) for index in range(len(self._names))]
        self._renders = 0
        self._tail = 0.0
        return True

    if VARIANT == "older":

        def load_plugin(self, *arguments):
            _require(len(arguments) == 1)
            self._load(*arguments)

    else:

        def load_plugin(self, *arguments):
            _require(len(arguments) == 2, type(arguments[-1]) is int)
            return self._load(arguments[0])

    def get_plugin_parameter_size(self):
        return sum(name != "Param" for name in self._names or ())

    def get_plugin_parameters_description(self):
        named = [(index, name) for index, name in enumerate(self._names or ()) if name != "Param"]
        if VARIANT == "older":
            return "".join(f"{index:3}: {name}\n" for index, name in named)
        return named

    def get_patch(self):
        return list(self._patch)

    def set_patch(self, patch):
        if len(patch) != len(self._patch):
            sys.stdout.write("RenderEngine::setPatch error: Incorrect patch length!\n")
            return
        self._patch = [(int(index), float(np.float32(value))) for index, value in patch]

    def render_patch(self, *arguments):
        _require(len(arguments) == (5 if VARIANT == "extended" else 4))
        note, velocity, length, render_length = arguments[:4]
        _require(type(note) is int, type(velocity) is int)
        if self._names is None:
            os.kill(os.getpid(), signal.SIGSEGV)
        for index, value in self._patch:
            self._plugin[index] = value
        count = math.ceil(render_length * self._rate / self._block) * self._block
        time = np.arange(count) / self._rate
        # The oscillators of the very first render start elsewhere than those of all later ones.
        phase = 0.0 if self._renders else 0.7
        frequency = 440.0 * 2.0 ** ((note - 69) / 12)
        off = math.ceil(length * self._rate / self._block) * self._block
        envelope = np.where(np.arange(count) < off, 1.0, 0.0)
        if velocity == 0:
            envelope[:] = 0.0
        sound = np.zeros(count)
        for k, level in enumerate(self._plugin):
            if self._names[k] not in ("Param", "Release"):
                sound += level * np.sin(2 * np.pi * frequency * (k + 1) * time + phase)
        sound *= envelope / len(self._plugin) * (velocity / 127 if velocity else 0.0)
        # Nothing is reset: what the last note left goes on ringing.
        sound += self._tail * np.exp(-time / 0.3)
        release = self._plugin[self._names.index("Release")] if "Release" in self._names else 0.0
        self._tail = (
            0.47 * float(release > 0.5)
            if velocity and off >= count
            else (self._tail * math.exp(-time[-1] / 0.3))
        )
        self._audio = sound.astype(np.float32).tolist()
        self._renders += 1

    def get_audio_frames(self):
        return list(self._audio)

    if VARIANT == "extended":

        def get_parameter(self, index):
            return float(self._plugin[index])

        def load_preset(self, path):
            """Takes the text of the chunk of an .fxb as `NAME=VALUE` lines."""
            data = Path(path).read_bytes()
            if data[:4] != b"CcnK":
                return False
            for line in data[160:].decode("latin-1").splitlines():
                name, _, value = line.partition("=")
                if name in self._names:
                    self._plugin[self._names.index(name)] = float(value)
            return True
