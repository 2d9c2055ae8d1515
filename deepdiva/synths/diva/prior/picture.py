"""What a prior draws, beside what the tables of human presets say."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.prior.base import Notes, Prior
from deepdiva.synths.diva.prior.human import HumanPrior

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from deepdiva.synths.diva.prior.cells import Cells

SHOWN = (
    "OSC.Model",
    "HPF.Model",
    "VCF1.Model",
    "main.#FX1",
    "FX1.Module",
    "main.#FX2",
    "FX2.Module",
    "VCC.Mode",
    "OSC.Tune1",
    "OSC.Tune2",
    "OSC.Shape1",
    "OSC.Vol1",
    "OSC.Vol2",
    "OSC.Vol3",
    "OSC.OscMix",
    "OSC.PW",
    "OSC.FM",
    "OSC.TM1Src",
    "OSC.TM1Dpt",
    "OSC.PWMSrc",
    "OSC.PWMDpt",
    "OSC.Drift",
    "HPF.Freq",
    "HPF.PFreq",
    "VCF1.Freq",
    "VCF1.Res",
    "VCF1.KeyScl",
    "VCF1.FMSrc",
    "VCF1.FMDpt",
    "VCF1.FM2Src",
    "VCF1.FM2Dpt",
    "VCF1.Fback",
    "ENV1.Model",
    "ENV1.Atk",
    "ENV1.Dec",
    "ENV1.Sus",
    "ENV1.Rel",
    "ENV2.Atk",
    "ENV2.Dec",
    "ENV2.Sus",
    "LFO1.Wave",
    "LFO1.Rate",
    "LFO1.DMD1",
    "LFO2.Rate",
    "VCA1.Vol",
    "VCA1.ModSrc",
    "Chrs1.Rate",
    "Plate2.Wet",
)
"""Parameters of a picture, where none are named."""

COLUMNS = 8
BINS = 30
MOST_LABELS = 6


def prior_picture(
    prior: Prior,
    count: int = 20_000,
    seed: int = 0,
    note: Notes = None,
    names: Sequence[str] = SHOWN,
) -> bytes:
    """Histograms of parameters, as a PNG.

    Bars are the prior's draws; dots are the tables of human presets, in the same bins. Heights are
    roots of shares, so that the many values at rest do not dwarf the others.

    Args:
        prior: any.
        count: patches that are drawn, at least 1.
        seed: of the draws.
        note: that they are drawn for.
        names: of the parameters.

    Raises:
        InvalidValueError: no patch or no parameter.
        UnknownNameError: a parameter that Diva does not have.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if count < 1 or not names:
        raise InvalidValueError("There is nothing to draw: name patches and parameters.")
    tables = HumanPrior(constrained=False)
    patches = prior.sample(count, seed, note)
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(2.1 * COLUMNS, 1.6 * rows + 0.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{count} patches of the prior {prior.name} (bars), human presets (dots)")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.axis("off")
    for axis, name in zip(axes, names, strict=False):
        _panel(axis, name, patches[:, DIVA.index(name)], tables.marginal(name))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _panel(axis: Axes, name: str, values: NDArray[np.float64], table: Cells) -> None:
    """One parameter: shares by choice or by bin, as roots."""
    parameter = DIVA[name]
    if parameter.choices:
        places = np.arange(len(parameter.choices))
        edges = np.append(places - 0.5, len(places) - 0.5)
        drawn = np.searchsorted(parameter.choice_values, values).astype(np.float64)
        expected = table.probability(parameter.choice_values)
    else:
        edges = np.linspace(parameter.minimum - 0.005, parameter.maximum + 0.005, BINS + 1)
        drawn = values
        expected = np.array([table.between(low, high) for low, high in pairwise(edges.tolist())])
    shares = np.histogram(drawn, edges)[0] / len(values)
    middles = (edges[1:] + edges[:-1]) / 2
    axis.bar(middles, np.sqrt(shares), np.diff(edges), color="#0072B2")
    axis.plot(middles, np.sqrt(expected), ".", color="#D55E00", markersize=4)
    axis.set_title(name, fontsize=8, pad=2)
    axis.set_ylim(0.0, 1.0)
    axis.set_yticks([0.0, 0.5, 1.0], ["0", "25 %", "100 %"], fontsize=6)
    axis.tick_params(axis="x", labelsize=6)
    if len(parameter.choices) in range(1, MOST_LABELS + 1):
        axis.set_xticks(middles, [choice.label[:9] for choice in parameter.choices], rotation=20)
