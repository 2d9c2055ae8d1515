"""Who does the work: threads, processes, or a Dask or Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deepdiva.errors import InvalidValueError

Backend = Literal["threading", "loky", "dask", "ray"]
LOCAL: tuple[Backend, ...] = ("threading", "loky")
BACKENDS: tuple[Backend, ...] = (*LOCAL, "dask", "ray")


@dataclass(frozen=True)
class Workers:
    """Where the work is done.

    Attributes:
        backend: `threading` or `loky` on this machine, `dask` or `ray` on a cluster; None takes
            what suits the work on this machine.
        jobs: tasks side by side; None for one on each core of this machine, or for as many as keep
            a cluster busy.
        scheduler: address of the cluster; None lets Dask or Ray look for one, or start its own.
        shared: all machines of the cluster see the folders by the same paths, so that names travel
            and no contents.

    Raises:
        InvalidValueError: an unknown backend, fewer than one job, or a scheduler or shared folders
            without a cluster.
    """

    backend: Backend | None = None
    jobs: int | None = None
    scheduler: str | None = None
    shared: bool = False

    def __post_init__(self) -> None:
        if self.backend is not None and self.backend not in BACKENDS:
            raise InvalidValueError(
                f"backend is {self.backend!r}: it must be one of {', '.join(BACKENDS)}."
            )
        if self.jobs is not None and self.jobs < 1:
            raise InvalidValueError(f"jobs is {self.jobs!r}: it must be at least 1.")
        for what, given in (("scheduler", self.scheduler), ("--shared", self.shared)):
            if given and not self.is_cluster:
                raise InvalidValueError(
                    f"The {what}{'' if given is True else f' {given}'} is given, and the backend "
                    f"is {self.backend or 'on this machine'}: add --backend dask or --backend ray."
                )

    @property
    def is_cluster(self) -> bool:
        """Whether the work leaves this machine."""
        return self.backend is not None and self.backend not in LOCAL

    @property
    def is_remote(self) -> bool:
        """Whether the work is done where this machine's folders are not seen."""
        return self.is_cluster and not self.shared
