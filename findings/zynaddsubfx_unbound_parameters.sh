#!/usr/bin/env bash
# ZynAddSubFX 3.0.6 (VST 2, Debian 3.0.6-5) announces 16 automatable parameters, "Slot 1" to "Slot 16".
# None is bound to a knob until its user binds one by hand, so a host that turns them all hears the very
# same sound: a search over a plug-in's parameters has nothing to search, and nothing says so.
# Way out: render with two settings and compare before a search; search presets with bound slots.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(
  cd "$folder"
  apt-get download -qq zynaddsubfx-vst=3.0.6-5 libfftw3-single3 liblo7 libmxml1
  for package in *.deb; do dpkg -x "$package" root; done
)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dawdreamer==0.9.0 numpy==2.4.6
export LD_LIBRARY_PATH="$folder/root/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
"$folder/venv/bin/python" - "$folder/root/usr/lib/vst/ZynAddSubFX.so" <<'PYTHON'
import sys

import dawdreamer
import numpy as np


def played(value):
    engine = dawdreamer.RenderEngine(44100, 512)
    synth = engine.make_plugin_processor("zyn", sys.argv[1])
    names = [one["name"] for one in synth.get_parameters_description()]
    for index in range(len(names)):
        if value is not None:
            synth.set_parameter(index, value)
    synth.add_midi_note(60, 100, 0.1, 0.8)
    engine.load_graph([(synth, [])])
    engine.render(1.2)
    return names, engine.get_audio()


names, default = played(None)
changes = [float(np.abs(played(value)[1] - default).max()) for value in (0.1, 0.9)]
print(f"{len(names)} parameters, {names[0]} to {names[-1]}; peak {np.abs(default).max():.3f}")
print(f"largest change of a sample, all at 0.1 and at 0.9: {changes[0]:.1e}, {changes[1]:.1e}")
assert np.abs(default).max() > 1e-3, "the default patch no longer sounds"
assert len(names) == 16 and names[0] == "Slot 1", "other parameters: the finding is out of date"
assert max(changes) < 1e-9, "parameters act now: the finding is out of date"
PYTHON
