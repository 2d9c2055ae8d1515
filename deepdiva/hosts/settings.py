"""How a plug-in is run: by which host, in which mode, and with how much patience."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from deepdiva.errors import InvalidValueError
from deepdiva.hosts.host import Host
from deepdiva.hosts.quality import DivaQuality
from deepdiva.hosts.render_checks import RenderChecks
from deepdiva.hosts.worker import PluginSpec
from deepdiva.note import Note
from deepdiva.renderers import KINDS

Mode = Literal["reuse", "fresh"]

HOSTS: dict[str, type[Host]] = {
    kind.name: kind.load() for kind in KINDS.values() if kind.plays_plugins
}


@dataclass(frozen=True)
class Limits:
    """How long to wait, and when to give up.

    Attributes:
        start_seconds: for a process to start and load the plug-in.
        render_seconds: for one patch, beside what its length adds.
        per_second: for each second of audio; a slow synthesizer takes more than one.
        recycle_after: patches after which a process is replaced; plug-ins leak.
        failures_in_a_row: crashes without a success between them after which the plug-in, not the
            patch, is held to be broken.
    """

    start_seconds: float = 120.0
    render_seconds: float = 20.0
    per_second: float = 10.0
    recycle_after: int = 5000
    failures_in_a_row: int = 20

    def per_patch(self, note: Note) -> float:
        """Seconds that one patch may take."""
        return self.render_seconds + self.per_second * note.render_seconds


@dataclass(frozen=True)
class PluginSettings:
    """Everything that decides how a plug-in is run.

    Attributes:
        plugin: its path.
        host: `dawdreamer` or `renderman`, or a class of another host.
        mode: `reuse` or `fresh`; see `PluginRenderer`.
        workers: processes, at least 1.
        block_size: samples that the plug-in is asked for at a time. It changes the sound a little.
        quality: of Diva; other plug-ins ignore it.
        state: content of a preset file of the plug-in, which holds whatever is no parameter.
        checks: what counts as audio.
        limits: of time and patience.
        fork: in `fresh`, fork a process that has loaded the host library but no plug-in, which is
            several times faster than a new interpreter for each patch. Linux only.

    Raises:
        InvalidValueError: a value that is none of these.
    """

    plugin: Path
    host: str | type[Host] = "dawdreamer"
    mode: Mode = "reuse"
    workers: int = 1
    block_size: int = 512
    quality: DivaQuality = field(default_factory=DivaQuality)
    state: bytes = b""
    checks: RenderChecks = field(default_factory=RenderChecks)
    limits: Limits = field(default_factory=Limits)
    fork: bool = sys.platform == "linux"

    def __post_init__(self) -> None:
        if isinstance(self.host, str) and self.host not in HOSTS:
            raise InvalidValueError(f"host is {self.host!r}: it must be one of {', '.join(HOSTS)}.")
        if self.mode not in ("reuse", "fresh"):
            raise InvalidValueError(f"mode is {self.mode!r}: it must be reuse or fresh.")
        for name, value in (("workers", self.workers), ("block_size", self.block_size)):
            if value < 1:
                raise InvalidValueError(f"{name} is {value}: it must be at least 1.")

    @property
    def spec(self) -> PluginSpec:
        """What a worker process needs to load the plug-in."""
        host = HOSTS[self.host] if isinstance(self.host, str) else self.host
        return PluginSpec(host, self.plugin.expanduser().absolute(), self.block_size, self.state)

    @property
    def host_name(self) -> str:
        """Name of the host, as `RendererInfo` gives it."""
        return self.host if isinstance(self.host, str) else self.host.__name__
