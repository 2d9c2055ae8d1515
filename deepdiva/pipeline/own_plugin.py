"""From a plug-in, or from an archive of what one played, to constants of the engine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deepdiva.errors import InvalidValueError
from deepdiva.files import alone_in, file_sha256
from deepdiva.pipeline.options import Listener, RendererChoice
from deepdiva.user_settings import settings_folder

if TYPE_CHECKING:
    from deepdiva.calibration.own import Calibration
    from deepdiva.calibration.recorded import RecordedProbes
    from deepdiva.hosts.plugin_renderer import PluginRenderer
    from deepdiva.synths.diva.own_constants import OwnConstants
    from deepdiva.synths.diva.probes import Probe, ProbedModule

_LOCK: Final = ".lock"
_WAY_OUT: Final = "calibration: wait for it, or name another folder with --folder."

Progress = Callable[[int, int], None]


def _nowhere(done: int, total: int) -> None:
    """Shows nothing."""


@dataclass(frozen=True)
class OwnPlugin:
    """What the user said about a calibration.

    Attributes:
        renderer: the plug-in; Diva from the usual folders if none is named.
        source: an archive, or a folder, of what a plug-in played; then none is needed.
        modules: to be fitted, with what they rest upon; all of none.
        minutes: that the plug-in may play at most; None for no limit.
        folder: where sounds are kept; None for one in the user's settings.
        workers: processes of the plug-in, and threads of the engine.
    """

    renderer: RendererChoice
    source: Path | None = None
    modules: tuple[str, ...] = ()
    minutes: float | None = None
    folder: Path | None = None
    workers: int = 1

    def recorded(
        self,
        modules: Sequence[ProbedModule],
        listener: Listener,
        progress: Progress = _nowhere,
        plugin: PluginRenderer | None = None,
    ) -> RecordedProbes:
        """What the plug-in plays of probes; what it has played before is kept.

        Args:
            modules: whose probes are played.
            listener: is told of failures.
            progress: hears how many of how many probes are done.
            plugin: that plays, for the caller to close; made of `renderer` if None.

        Raises:
            InvalidValueError: the plug-in is no Diva, or the archive is damaged.
            MissingFileError: no plug-in, or no archive.
        """
        from deepdiva.calibration.recorded import unpack
        from deepdiva.synths.diva.probes import plan_digest

        if self.source is not None:
            digest = plan_digest([probe for module in modules for probe in module.probes])
            name = self.source.name if self.source.is_dir() else _digest_of(self.source)
            folder = self.folder or settings_folder() / "calibration" / (name or digest)[:16]
            if not self.source.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
            return unpack(self.source, folder)
        if plugin is not None:
            return self._played(plugin, modules, listener, progress)
        with closing(_opened(self.renderer, self.workers)) as renderer:
            return self._played(renderer, modules, listener, progress)

    def _played(
        self,
        plugin: PluginRenderer,
        modules: Sequence[ProbedModule],
        listener: Listener,
        progress: Progress,
    ) -> RecordedProbes:
        from deepdiva.calibration.recorded import RecordedProbes, record

        about = describe(plugin)
        key = hashlib.sha256(repr(sorted(about.items())).encode()).hexdigest()[:16]
        folder = self.folder or settings_folder() / "calibration" / key
        folder.mkdir(parents=True, exist_ok=True)
        deadline = None if self.minutes is None else time.monotonic() + 60.0 * self.minutes
        with alone_in(folder, _LOCK, _WAY_OUT):
            recorded = RecordedProbes.go_on(folder, about)
            record(recorded, in_turn(modules), plugin, self.workers, deadline, progress)
        for name, reason in recorded.failures().items():
            listener.warn(f"{name} {reason}: it is left out.")
        return recorded


def in_turn(modules: Sequence[ProbedModule]) -> list[Probe]:
    """Probes of modules in turns, so that wherever time ends each module has had its share.

    Those on which all others rest come first as a whole.
    """
    from deepdiva.synths.diva.probes import BASES

    found = [probe for module in modules if module.name in BASES for probe in module.probes]
    rest = [list(module.probes) for module in modules if module.name not in BASES]
    for place in range(max((len(probes) for probes in rest), default=0)):
        found += [probes[place] for probes in rest if place < len(probes)]
    return found


def describe(plugin: PluginRenderer) -> dict[str, str]:
    """Name, version, format, host, quality and checksum of a plug-in.

    Raises:
        InvalidValueError: it is no Diva.
    """
    from deepdiva.synths import synthesizer_of

    about = plugin.description
    if not synthesizer_of(plugin.table).preset_suffix:
        raise InvalidValueError(
            f"{about.path} is {about.name}: only Diva can be calibrated, as the engine plays no "
            "other synthesizer."
        )
    return {
        "name": about.name,
        "version": about.version,
        "format": about.format,
        "host": about.host,
        "quality": plugin.info.quality,
        "sha256": _digest_of(Path(about.path)),
    }


def _digest_of(path: Path) -> str:
    """SHA-256 of a file, or of all files of a bundle."""
    if path.is_file():
        return file_sha256(path)
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            total.update(file.relative_to(path).as_posix().encode() + b"\0")
            total.update(bytes.fromhex(file_sha256(file)))
    return total.hexdigest()


def _opened(choice: RendererChoice, workers: int) -> PluginRenderer:
    from deepdiva.hosts.settings import HOSTS
    from deepdiva.renderers import make_plugin_renderer, renderer_kind
    from deepdiva.synths.diva.probes import probe_preset

    named = choice.name if choice.name in HOSTS else None
    return make_plugin_renderer(
        renderer_kind(named, choice.plugin or ""),
        choice.plugin,
        workers=workers,
        mode="fresh",
        preset=probe_preset(),
        quality=choice.quality,
    )


def constants_of(
    calibration: Calibration, recorded: RecordedProbes, probes: Sequence[Probe]
) -> OwnConstants:
    """What a calibration found, ready to be written."""
    from deepdiva.synths.diva.own_constants import OwnConstants
    from deepdiva.synths.diva.panel_renderer import ENGINE_VERSION
    from deepdiva.synths.diva.probes import CHECKS, plan_digest

    modules = {
        result.module.name: {
            "verdict": result.verdict,
            "probes": len(result.probes),
            "before_db": result.before,
            "left_out_db": result.left_out,
            "after_db": result.after,
            "spread": dict(result.spread),
        }
        for result in calibration.modules
    }
    whole = next((r for r in calibration.modules if r.module.name == CHECKS), None)
    checks = {} if whole is None else {"before_db": whole.before, "after_db": whole.after}
    return OwnConstants(
        values=calibration.values,
        plugin=recorded.plugin,
        engine=ENGINE_VERSION,
        plan=plan_digest(probes),
        sounds=recorded.digest(),
        modules=modules,
        checks=checks,
    )


def fitted(
    recorded: RecordedProbes,
    modules: Sequence[ProbedModule],
    threads: int,
    say: Callable[[str], None],
) -> tuple[Calibration, OwnConstants]:
    """Fit the engine to what a plug-in played.

    Raises:
        InvalidValueError: it played none of the modules' probes.
    """
    from deepdiva.calibration.own import calibrate

    probes = [probe for module in modules for probe in module.probes]
    sounds = recorded.sounds(probes)
    if not sounds:
        raise InvalidValueError(
            f"{recorded.folder} holds none of the {len(probes)} probes as this version plays them: "
            "play them again with --plugin."
        )
    found = calibrate(modules, sounds, recorded.floor_db or 0.0, threads, say)
    return found, constants_of(found, recorded, probes)
