"""Is everything here that rendering needs, and does it work? What `deepdiva doctor` reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import SpectralDistance
from deepdiva.errors import DeepDivaError
from deepdiva.hosts.check import Check, some
from deepdiva.hosts.discovery import PluginFile, plugin_folders
from deepdiva.hosts.host import Host
from deepdiva.hosts.loading import normalised
from deepdiva.hosts.noise_floor import noise_floor
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.process import WorkerProcess
from deepdiva.hosts.settings import HOSTS
from deepdiva.hosts.worker import Bench, Task
from deepdiva.note import Note
from deepdiva.renderer import Renderer

_REQUIRED = (
    *("click", "joblib", "librosa", "matplotlib", "numba", "numpy"),
    *("rich", "scipy", "soundfile", "soxr", "torch"),
)
_PATCHES = 16  # for the speed
_TOLERANCE = 0.006  # of a position in [0, 1]: presets keep two decimals of ranges of 1 and more
_ANY = 4  # random patches that are played to hear whether parameters act
_NOISY = 0.1  # of the distance of silence: a noise floor above it drowns what a search looks for
_IMPORT_SECONDS = 120.0


@dataclass(frozen=True)
class ImportLibrary(Task):
    """Import a host library, where it can do no harm."""

    host: type[Host]

    def run(self, bench: Bench) -> str:
        del bench
        return str(self.host.library().__name__)


def check_packages() -> Iterator[Check]:
    """The Python packages that the project needs, by their metadata alone."""
    found, missing = [], []
    for name in _REQUIRED:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Check(
            "Python",
            "packages",
            "problem",
            f"missing: {', '.join(missing)}",
            f"pip install {' '.join(missing)}, or install deepdiva again",
        )
    yield Check("Python", "versions", "fine", ", ".join(found))


def check_hosts() -> Iterator[Check]:
    """The host libraries, each imported in a process of its own."""
    for name, host in HOSTS.items():
        process = WorkerProcess()
        try:
            library = process.ask(ImportLibrary(host), _IMPORT_SECONDS)
        except DeepDivaError as error:
            reason, _, remedy = str(error).partition(": ")
            yield Check("hosts", name, "note", f"not usable: {reason}", remedy)
        else:
            yield Check("hosts", name, "fine", f"{library} {_version(library)}".strip())
        finally:
            process.close()


def check_folders(plugins: Sequence[PluginFile]) -> Iterator[Check]:
    """The plug-ins in the usual folders."""
    looked_in = ", ".join(str(folder) for _, folder in plugin_folders())
    if not plugins:
        yield Check(
            "plug-ins",
            "usual folders",
            "note",
            f"no plug-in in {looked_in}",
            "install one, or name its path by --plugin",
        )
        return
    folders = sorted({str(plugin.path.parent) for plugin in plugins})
    yield Check("plug-ins", "usual folders", "fine", f"{len(plugins)} in {', '.join(folders)}")
    divas = [plugin for plugin in plugins if plugin.looks_like_diva]
    if divas:
        names = ", ".join(f"{plugin.path} ({plugin.format})" for plugin in divas)
        yield Check("plug-ins", "Diva", "fine", names)
    else:
        yield Check(
            "plug-ins",
            "Diva",
            "note",
            f"not among {some([plugin.path.name for plugin in plugins])}",
            "the embedded engine does without; to render with Diva itself, install it, or name "
            "its path by --plugin",
        )


def check_renderer(topic: str, renderer: Renderer, note: Note) -> Iterator[Check]:
    """How fast a renderer is, and how much it repeats itself."""
    yield from _guarded(topic, "speed", lambda: _speed(topic, renderer, note))
    yield from _guarded(topic, "repeats itself", lambda: _repeats(topic, renderer, note))


def check_plugin(renderer: PluginRenderer, note: Note) -> Iterator[Check]:
    """Whether a plug-in loads, takes patches, sounds, and how well it does.

    Args:
        renderer: of the plug-in, in mode `reuse`.
        note: that is played.
    """
    topic = renderer.settings.plugin.name
    loaded = list(_guarded(topic, "loads", lambda: _loads(topic, renderer)))
    yield from loaded
    if any(check.status == "problem" for check in loaded):
        return
    yield from _guarded(topic, "takes patches", lambda: _round_trip(topic, renderer))
    if not renderer.binding.is_known:
        yield from _guarded(topic, "presets", lambda: _presets(topic, renderer))
    yield from _all_guarded(topic, "presets", renderer.binding.checks(topic, renderer))
    if not renderer.render_checked(renderer.table.defaults()[np.newaxis], note).played[0]:
        yield Check(
            topic,
            "sounds",
            "problem",
            "its default patch is silent",
            "an effect is no instrument; a synthesizer may need samples, a licence, or a preset "
            "to begin with",
        )
        return
    yield from check_renderer(topic, renderer, note)
    exact = renderer.exact()
    try:
        yield from _guarded(topic, "fresh renders", lambda: _fresh(topic, exact))
        yield from _guarded(topic, "parameters act", lambda: _acts(topic, exact, note))
    finally:
        exact.close()


def _guarded(topic: str, subject: str, look: Callable[[], Check]) -> Iterator[Check]:
    """A check, or the error that it ended in as one."""
    try:
        yield look()
    except DeepDivaError as error:
        yield Check(topic, subject, "problem", *_split(str(error)))


def _all_guarded(topic: str, subject: str, checks: Iterator[Check]) -> Iterator[Check]:
    """Checks, up to the error that one of them ends in."""
    try:
        yield from checks
    except DeepDivaError as error:
        yield Check(topic, subject, "problem", *_split(str(error)))


def _split(message: str) -> tuple[str, str]:
    """Finding and remedy of an error message: offending value, rule and way out."""
    finding, colon, remedy = message.partition(": ")
    return (finding, remedy) if colon else (message, "update the plug-in, or use another")


def _loads(topic: str, renderer: PluginRenderer) -> Check:
    plugin = renderer.description
    parameters = len(renderer.table)
    if renderer.binding.is_known:
        _ = renderer.host_indices  # refuses a known synthesizer whose names differ
        kind = f"{renderer.table.name.title()}, all {parameters} parameters found by name"
    else:
        kind = f"{parameters} parameters"
    plugin_version = plugin.version or "of a version that it does not tell"
    finding = f"{plugin.name} {plugin_version}, {plugin.format} in {plugin.host}: {kind}"
    if plugin.knows_defaults:
        return Check(topic, "loads", "fine", finding)
    return Check(
        topic,
        "loads",
        "note",
        f"{finding}; its defaults cannot be read and stand at 0.5",
        "use DawDreamer, which reads them",
    )


def _round_trip(topic: str, renderer: PluginRenderer) -> Check:
    """Load a random patch, read it back, and compare."""
    patch = _random_patches(renderer, 1)[0]
    wanted = normalised(renderer.table, patch[np.newaxis])[0]
    taken = renderer.read_back(patch)
    off = np.flatnonzero(np.abs(taken - wanted) > _TOLERANCE)
    if renderer.binding.is_known:
        # Settings of the instance: what the renderer was told overrides the patch.
        off = np.array([k for k in off if renderer.table[int(k)].spelling is not None], dtype=int)
    way = (
        "preset file"
        if renderer.binding.is_known and renderer.description.takes_state
        else "parameters"
    )
    if not off.size:
        return Check(topic, "takes patches", "fine", f"{way} -> plug-in -> parameters: unchanged")
    names = [
        f"{renderer.table.names[k]} {wanted[k]:.3f} became {taken[k]:.3f}" for k in off.tolist()
    ]
    return Check(
        topic,
        "takes patches",
        "problem",
        f"{way} -> plug-in -> parameters: {len(names)} differ: {some(names)}",
        "leave these parameters out of --free, or update the plug-in",
    )


def _acts(topic: str, renderer: PluginRenderer, note: Note) -> Check:
    patches = np.vstack([renderer.table.defaults(), _random_patches(renderer, _ANY)])
    found = renderer.render_checked(patches, note)
    usual, *others = found.audio[found.played]
    if len(others) < _ANY or any(not np.array_equal(usual, other) for other in others):
        return Check(topic, "parameters act", "fine", "random patches sound otherwise")
    return Check(
        topic,
        "parameters act",
        "problem",
        f"{_ANY} random patches sound as the default patch, sample for sample",
        "no search can find anything through parameters that do nothing: some plug-ins give their "
        "hosts empty slots, which must be bound to knobs first",
    )


def _presets(topic: str, renderer: PluginRenderer) -> Check:
    saved = renderer.save(_random_patches(renderer, 1)[0], "doctor")
    finding = f"{saved.suffix} of {len(saved.data)} bytes, taken back by the plug-in"
    return Check(topic, "presets", "fine", finding)


def _speed(topic: str, renderer: Renderer, note: Note) -> Check:
    patches = np.tile(renderer.table.defaults(), (_PATCHES, 1))
    renderer.render(patches[:2], note)
    started = time.perf_counter()
    renderer.render(patches, note)
    rate = _PATCHES / (time.perf_counter() - started)
    realtime = rate * note.render_seconds
    finding = f"{rate:.1f} patches/s, {realtime:.0f} times real time, one worker"
    if realtime >= 2.0:
        return Check(topic, "speed", "fine", finding)
    return Check(
        topic,
        "speed",
        "note",
        finding,
        "a search takes thousands of renders: use more workers, or a lower accuracy",
    )


def _repeats(topic: str, renderer: Renderer, note: Note) -> Check:
    if renderer.info.repeatable:
        return Check(topic, "repeats itself", "fine", "exactly, whatever was rendered before")
    patch = renderer.table.defaults()
    floor = noise_floor(renderer, patch, note)
    sound = renderer.render(patch[np.newaxis], note)
    silence = float(SpectralDistance(sound[0], note.sample_rate)(np.zeros_like(sound))[0])
    finding = (
        f"noise floor {floor.median:.4f} (largest {floor.largest:.4f}): spectral distance between "
        f"{floor.repeats} renders of the default patch, others in between; silence is as far as "
        f"{silence:.4f}"
    )
    if floor.median <= _NOISY * silence:
        return Check(topic, "repeats itself", "fine", finding)
    return Check(
        topic,
        "repeats itself",
        "note",
        finding,
        "a search takes much chance for progress: --plugin-mode fresh helps where fresh renders "
        "are the same",
    )


def _fresh(topic: str, exact: PluginRenderer) -> Check:
    if exact.repeatable:
        return Check(topic, "fresh renders", "fine", "the same samples in unrelated processes")
    return Check(
        topic,
        "fresh renders",
        "note",
        "differ between processes: the plug-in draws chance from clock or memory",
        "the same seed will not give the same preset with this plug-in",
    )


def _random_patches(renderer: PluginRenderer, count: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    columns = [
        # Presets keep two decimals.
        np.round(parameter.to_unit(rng.random(count)), 2 if renderer.binding.is_known else 6)
        for parameter in renderer.table
    ]
    return np.stack(columns, axis=1)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
