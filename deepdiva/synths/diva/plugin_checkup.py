"""Does Diva take our presets? What `deepdiva doctor` asks of it beyond what it asks of any plug-in.

Every written preset is loaded into a plug-in that has played nothing, its parameters are read back,
and each is compared by value with the table. Extremes are among them: a parameter that stands at
another index, or that goes another way, cannot hide there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.hosts.check import Check, some
from deepdiva.hosts.loading import normalised
from deepdiva.note import Note
from deepdiva.synths.diva.plugin import with_quality
from deepdiva.synths.diva.table import DIVA
from deepdiva.synths.diva.user_folder import find_user_folder, user_folders

if TYPE_CHECKING:
    from deepdiva.hosts.plugin_renderer import PluginRenderer

_TOLERANCE: Final = 0.006
"""Of a position in [0, 1]: presets keep two decimals."""
_SILENCE: Final = Note(length_seconds=2.0, render_seconds=6.0)
_RANDOM: Final = 2


def check_diva(topic: str, renderer: PluginRenderer) -> Iterator[Check]:
    """Whether written presets arrive, value by value, and whether silence is silent.

    Args:
        topic: of the checks.
        renderer: of Diva, in mode `reuse`.
    """
    wanted = with_quality(_patches(), renderer.settings.quality)
    taken = np.array([renderer.read_back(patch) for patch in wanted])
    yield _written(topic, wanted, taken)
    yield _quiet(topic, renderer)
    yield _folder(topic)


def _patches() -> NDArray[np.float64]:
    """(4, 281): both ends of all ranges, and random ones, on the grid of the file."""
    rng = np.random.default_rng(1)
    shares = [np.zeros(len(DIVA)), np.ones(len(DIVA)), *rng.random((_RANDOM, len(DIVA)))]
    rows = [
        [
            round(float(parameter.to_unit(share)), 2)
            for parameter, share in zip(DIVA, row, strict=True)
        ]
        for row in shares
    ]
    return np.array(rows)


def _written(topic: str, wanted: NDArray[np.float64], taken: NDArray[np.float64]) -> Check:
    subject = "presets, value by value"
    off = np.abs(taken - normalised(DIVA, wanted)) > _TOLERANCE
    if len(taken) > 1 and np.ptp(taken, axis=0).max() <= _TOLERANCE:
        return Check(
            topic,
            subject,
            "problem",
            f"{len(taken)} presets that differ in every value change nothing in the plug-in",
            "its host loads no state: use DawDreamer with the VST 3 plug-in, or save presets for "
            "it by hand (docs/own_diva.md)",
        )
    if not off.any():
        return Check(
            topic,
            subject,
            "fine",
            f"{len(taken)} presets, both ends of all ranges among them: all {len(DIVA)} values "
            "arrive",
        )
    columns = np.flatnonzero(off.any(axis=0))
    exchanged = [
        DIVA.names[k]
        for k in columns
        if any(
            j != k and np.allclose(taken[:, k], normalised(DIVA, wanted)[:, j], atol=_TOLERANCE)
            for j in columns
        )
    ]
    how = f"; {some(exchanged)} show the values of others" if exchanged else ""
    names = [DIVA.names[k] for k in columns]
    return Check(
        topic,
        subject,
        "problem",
        f"{len(names)} of {len(DIVA)} values do not arrive: {some(names)}{how}",
        "leave these parameters out of --free, update Diva, or report its version",
    )


def _quiet(topic: str, renderer: PluginRenderer) -> Check:
    """A patch whose levels are 0, for some seconds: a demo is heard there."""
    patch = DIVA.defaults()
    patch[[DIVA.index(name) for name in ("VCA1.Vol", "main.CcOp")]] = 0.0
    batch = renderer.render_checked(patch[np.newaxis], _SILENCE)
    if not batch.played[0] and "silent" in batch.failures[0].reason:
        return Check(topic, "silence", "fine", "a patch without level is silent")
    if not batch.played[0]:
        return Check(topic, "silence", "problem", batch.failures[0].reason, "render again")
    peak = 20.0 * np.log10(float(np.abs(batch.audio[0]).max()))
    return Check(
        topic,
        "silence",
        "problem",
        f"a patch without level plays at {peak:.0f} dB of full scale: a demo makes such noise",
        "enter Diva's licence: with noise of a demo nothing can be matched or calibrated",
    )


def _folder(topic: str) -> Check:
    folder = find_user_folder()
    if folder is not None:
        return Check(topic, "user presets", "fine", f"--install puts presets into {folder}")
    return Check(
        topic,
        "user presets",
        "note",
        f"no folder {some([str(folder) for folder in user_folders()])}",
        "open Diva once, or name the folder by the variable DEEPDIVA_DIVA_PRESETS",
    )
