"""How the tables of human presets spread one parameter over all patches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.parameters import Parameter
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.prior.cells import Cells
from deepdiva.synths.diva.prior.tables import (
    CHAIN,
    CONTEXT_PARAMETERS,
    SLOTS,
    SOURCES,
    Joint,
    Model,
    share_using,
)


def marginal(model: Model, place: int) -> Cells:
    """The distribution of one parameter over all states of what it depends on."""
    parameter = DIVA[place]
    for column, name in enumerate(CHAIN):
        if parameter.name == name:
            return _stepped(parameter, _shares_of(model.chain, column))
    for column, (switch, module) in enumerate(SLOTS):
        on = _shares_of(model.effects, column)
        if parameter.name == switch:
            return _stepped(parameter, np.array([on[0], 1.0 - on[0]]))
        if parameter.name == module:
            idle = model.modules[column].probability(parameter.choice_values)
            return _stepped(parameter, on[1:] + on[0] * idle)
    for given in (*model.given, *model.processors):
        if given.place == place:
            return _mixed(_state_shares(model, given.context), given.by_state)
    for route in model.routes:
        shares = _state_shares(model, route.context)
        tables = [joint.share.reshape(SOURCES, 2) for joint in route.sources]
        if route.source == place:
            by_source = sum(
                share * table.sum(1) for share, table in zip(shares, tables, strict=True)
            )
            return _stepped(parameter, np.asarray(by_source))
        if route.depth == place:
            moved = np.array([table[:, 0].sum() for table in tables])
            zero = Cells(parameter, np.zeros(1), np.zeros(1), np.ones(1))
            weights = np.append(shares * moved, 1.0 - shares @ moved)
            return _mixed(weights, (*route.depths, zero))
    raise AssertionError(parameter.name)


def _stepped(parameter: Parameter, shares: NDArray[np.float64]) -> Cells:
    values = parameter.choice_values
    return Cells(parameter, values, values, shares)


def _shares_of(joint: Joint, column: int) -> NDArray[np.float64]:
    return np.bincount(joint.states[:, column], weights=joint.share).astype(np.float64)


def _state_shares(model: Model, context: str) -> NDArray[np.float64]:
    """How often each state of a context occurs."""
    if not context:
        return np.ones(1)
    if context in ("osc", "hpf", "vcf"):
        return _shares_of(model.chain, ("osc", "hpf", "vcf").index(context))
    if context in ("fx1", "fx2"):
        return _shares_of(model.effects, int(context[2]) - 1)
    if context.startswith("uses "):
        used = share_using(int(context.split()[1]), model.chain, model.routes)
        return np.array([1.0 - used, used])
    parameter = DIVA[CONTEXT_PARAMETERS[context]]
    return marginal(model, parameter.index).probability(parameter.choice_values)


def _mixed(weights: NDArray[np.float64], parts: tuple[Cells, ...]) -> Cells:
    return Cells(
        parts[0].parameter,
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([w * part.share for w, part in zip(weights, parts, strict=True)]),
    )
