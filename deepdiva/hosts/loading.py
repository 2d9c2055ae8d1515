"""How a patch gets into a plug-in.

A loader travels to the worker processes. What can be computed for many patches at once is done by
the caller, in `rows`; the rest is done beside the plug-in, in `load`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.hosts.host import Host
from deepdiva.parameters import ParameterTable


class Loader(ABC):
    """Brings patches of one table into one plug-in."""

    @abstractmethod
    def rows(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `load` needs of each patch.

        Args:
            patches: shape (batch, len(table)), in units.

        Returns:
            Shape (batch, anything).
        """

    @abstractmethod
    def load(self, host: Host, row: NDArray[np.float64]) -> None:
        """Make one patch sound at the next note; `row` is one of `rows`."""


@dataclass(frozen=True, eq=False)
class ParameterLoader(Loader):
    """Sets every parameter of a table, each by the host's index that its name was found under.

    Attributes:
        table: what the columns of a patch mean.
        indices: the host's index of each, shape (len(table),).
    """

    table: ParameterTable
    indices: NDArray[np.intp]

    def rows(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        return normalised(self.table, patches)

    def load(self, host: Host, row: NDArray[np.float64]) -> None:
        host.set_values(self.indices, row)


def normalised(table: ParameterTable, patches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a host puts patches: shape (batch, len(table)), from units to [0, 1].

    As `Parameter.to_normalised`, for all continuous parameters at once.
    """
    minima, maxima = np.array([(each.minimum, each.maximum) for each in table]).T
    positions: NDArray[np.float64] = np.clip((patches - minima) / (maxima - minima), 0.0, 1.0)
    for parameter in table:
        if parameter.choices:
            column = parameter.to_normalised(patches[:, parameter.index])
            positions[:, parameter.index] = column
    return positions
