"""Whether a saved preset sounds as the search heard it: set, rendered, saved, loaded afresh.

    python benchmarks/saved_presets.py                                  # amsynth's factory presets
    python benchmarks/saved_presets.py --plugin /usr/lib/vst/Nekobi-vst.so    # random patches

Each step has a plug-in of its own that has played nothing before, in a forked copy of a process
that has imported the host and no plug-in. The noise floor is the largest distance between renders
of one patch in such plug-ins. Switches are named whose value, read back, is not one of their steps.
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import SpectralDistance
from deepdiva.hosts.dawdreamer import DawDreamerHost
from deepdiva.hosts.host import PluginDescription
from deepdiva.hosts.loading import ParameterLoader
from deepdiva.hosts.plugin_table import host_indices, plugin_table
from deepdiva.hosts.saving import save_patch
from deepdiva.hosts.vst2_files import ChunkBank, ChunkProgram, parse_vst2
from deepdiva.note import Note

Indices = NDArray[np.intp]
Values = NDArray[np.float64]

NOTE = Note(pitch=48, length_seconds=0.8, render_seconds=1.2)
RATE, BLOCK, TAIL = 44100, 512, 10.0
BANK = Path("/usr/share/amsynth/banks/amsynth_factory.bank")


def apart(action: Callable[..., Any], *arguments: Any) -> Any:
    """What an action returns in a forked copy of this process; None where it dies."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"

        def work() -> None:
            answer.write_bytes(pickle.dumps(action(Path(folder), *arguments)))

        process = get_context("fork").Process(target=work)
        process.start()
        process.join(120)
        return pickle.loads(answer.read_bytes()) if answer.exists() else None


def described(scratch: Path, plugin: Path) -> tuple[PluginDescription, bytes]:
    """What a plug-in says of itself, and its state."""
    host = DawDreamerHost(plugin, RATE, BLOCK, scratch)
    return host.describe(), host.state()


def loaded(scratch: Path, plugin: Path, indices: Indices, state: bytes) -> Values:
    """Values that a plug-in names after it was given a preset."""
    host = DawDreamerHost(plugin, RATE, BLOCK, scratch)
    host.load_state(state)
    host.settle(NOTE, 0.0)
    return host.values(indices)


def played(
    scratch: Path, plugin: Path, loader: ParameterLoader, row: Values, state: bytes | None
) -> NDArray[np.float32]:
    """A render: of values that were set, or of a preset that was loaded."""
    host = DawDreamerHost(plugin, RATE, BLOCK, scratch)
    if state is None:
        loader.load(host, row)
    else:
        host.load_state(state)
    host.settle(NOTE, TAIL)
    return host.play(NOTE)


def saved(
    scratch: Path, plugin: Path, about: PluginDescription, loader: ParameterLoader, row: Values,
    other: Values,
) -> bytes:  # fmt: skip
    """The preset file of values, which the plug-in has taken back."""
    host = DawDreamerHost(plugin, RATE, BLOCK, scratch)
    return save_patch(host, about, loader, row, other, "patch").data


def factory(about: PluginDescription, state: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and preset files of amsynth's factory bank."""
    texts = re.split(r"(?=<preset> <name> )", BANK.read_text())[1:]
    given = parse_vst2(state, about.path)
    assert isinstance(given, ChunkBank | ChunkProgram)
    for text in texts:
        name = text.splitlines()[0].removeprefix("<preset> <name> ")
        program = ChunkProgram(
            given.identity, f"amSynth\n{text}".encode(), len(about.parameters), name
        )
        yield name, program.to_bytes()


def main() -> None:
    """Measure each preset and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plugin", type=Path, default=Path("/usr/lib/vst/amsynth_vst.so"))
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    os.environ.setdefault("XDG_DATA_HOME", tempfile.gettempdir())
    DawDreamerHost.library()
    plugin = options.plugin.absolute()
    about, state = apart(described, plugin)
    table, indices = plugin_table(about), host_indices(about)
    loader = ParameterLoader(table, indices)
    rng = np.random.default_rng(0)
    if "amsynth" in plugin.name:
        presets = [
            (name, apart(loaded, plugin, indices, data))
            for name, data in islice(factory(about, state), options.count)
        ]
    else:
        presets = [(f"random {k + 1}", rng.random(len(table))) for k in range(options.count)]
    print("| preset | set -> saved | noise floor | between steps |\n|---|---|---|---|", flush=True)
    worst = 0
    for name, values in presets:
        patch = np.array([p.to_unit(v) for p, v in zip(table, values, strict=True)])
        row = loader.rows(patch[None])[0]
        other = loader.rows(table.defaults()[None])[0]
        renders = [apart(played, plugin, loader, row, None) for _ in range(3)]
        data = apart(saved, plugin, about, loader, row, other)
        again = None if data is None else apart(played, plugin, loader, row, data)
        between = [
            p.name
            for p, v in zip(table, values, strict=True)
            if p.choices and abs(float(p.to_normalised(p.to_unit(v))) - v) > 1e-3
        ]
        if again is None or any(one is None for one in renders):
            print(f"| {name} | failed | | |", flush=True)
            continue
        distance = SpectralDistance(renders[0], RATE)
        floor = float(np.max(distance(np.stack(renders[1:]))))
        away = float(distance(again[None])[0])
        worst += away > floor + 1e-6
        print(f"| {name} | {away:.5f} | {floor:.5f} | {', '.join(between)} |", flush=True)
    print(f"\n{len(presets) - worst} of {len(presets)} at most the noise floor")


if __name__ == "__main__":
    main()
