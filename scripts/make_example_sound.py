"""Make `examples/amsynth_brass.flac`, the sound that `make demo` matches.

It comes from another synthesizer than the one that imitates it: two sawtooth oscillators of
amsynth, a few cents apart, through a resonant low-pass whose envelope opens it a little at the
start. Needs the extra `plugin` and amsynth as a VST2 plug-in (Debian: `apt-get install amsynth`).

    python scripts/make_example_sound.py [--plugin PATH] [--output PATH]

A fresh process with the same amsynth and DawDreamer writes the same samples. The committed file
was made with amsynth 1.13.2 and DawDreamer 0.9.0.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import MissingFileError, RenderError
from deepdiva.note import Note

PEAK = 0.5

# Positions of amsynth's own parameters in [0, 1]; what it shows for them stands beside.
BRASS = {
    "amp_attack": 0.16,  # 0.06 s
    "amp_decay": 0.42,  # 1.2 s
    "amp_sustain": 0.35,
    "amp_release": 0.1,  # 0.016 s
    "osc1_waveform": 0.5,  # sawtooth
    "osc2_waveform": 0.5,  # sawtooth
    "osc1_pulsewidth": 1.0,  # a full sawtooth, no triangle
    "osc2_pulsewidth": 1.0,
    "osc2_detune": 0.508,  # ratio 1.0036, 6 cents
    "osc_mix": 0.4,  # the first one in front
    "filter_type": 0.0,  # low-pass
    "filter_slope": 1.0,  # 24 dB per octave
    "filter_cutoff": 0.55,  # 5 times the note's frequency
    "filter_resonance": 0.5,
    "filter_env_amount": 0.58,
    "filter_attack": 0.15,  # 0.05 s
    "filter_decay": 0.4,  # 1 s
    "filter_sustain": 0.4,
    "filter_kbd_track": 1.0,
    "master_vol": 0.4,  # below amsynth's own limiter
}


def play(plugin: Path, note: Note) -> NDArray[np.float32]:
    """Play the brass in a fresh instance of the plug-in.

    Returns:
        Shape (note.samples,), float32, mono, peak at `PEAK`.

    Raises:
        MissingFileError: no plug-in at this path.
        RenderError: the plug-in has other parameters, or stays silent.
    """
    import dawdreamer

    if not plugin.exists():
        raise MissingFileError(f"{plugin} does not exist: install amsynth or say --plugin.")
    engine = dawdreamer.RenderEngine(note.sample_rate, 512)
    synth = engine.make_plugin_processor("amsynth", str(plugin.resolve()))
    engine.load_graph([(synth, [])])
    places = {row["name"]: row["index"] for row in synth.get_parameters_description()}
    missing = sorted(BRASS.keys() - places.keys())
    if missing:
        raise RenderError(f"{plugin} has no parameter {', '.join(missing)}: is it amsynth?")
    for name, position in BRASS.items():
        synth.set_parameter(places[name], position)
    synth.add_midi_note(note.pitch, note.velocity, 0.0, note.length_seconds)
    engine.render(note.render_seconds)
    audio: NDArray[np.float32] = engine.get_audio().mean(axis=0)
    peak = float(np.abs(audio).max())
    if not np.isfinite(peak) or peak < 1e-3:
        raise RenderError(f"{plugin} played no sound (peak {peak}).")
    return (audio * (PEAK / peak)).astype(np.float32)


@click.command()
@click.option(
    "--plugin",
    type=click.Path(path_type=Path),
    default=Path("/usr/lib/vst/amsynth_vst.so"),
    show_default=True,
    help="amsynth as a VST2 plug-in.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path(__file__).parents[1] / "examples" / "amsynth_brass.flac",
    help="Where the sound goes; an existing file is replaced.",
)
def main(plugin: Path, output: Path) -> None:
    """Make the example sound."""
    import soundfile

    note = Note()
    soundfile.write(output, play(plugin, note), note.sample_rate, subtype="PCM_16")
    print(f"{output}: {note.render_seconds} s at {note.sample_rate} Hz, peak {PEAK}")


if __name__ == "__main__":
    main()
