"""Fits the engine, module by module, to what the user's own plug-in played of probes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from deepdiva.calibration.module_fit import ModuleFit, fit_module
from deepdiva.calibration.pictures import Array, Sounds
from deepdiva.calibration.probe_judge import ProbeJudge
from deepdiva.synths.diva import panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.probes import Probe, ProbedModule, probe_preset

Verdict = Literal["fitted", "nearer", "kept", "right", "watched"]

_RIGHT_DB: Final = 0.3
"""What may stay of a module that is called right."""
_GAIN: Final = 0.95
"""Share of the distance before that probes which a fit did not know must fall below."""
_CARRIES: Final = 0.5
"""The same share for a module that is called fitted."""
_LEAST_PROBES: Final = 4
_LONGEST_DELAY: Final = 4096

Say = Callable[[str], None]


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True, eq=False)
class ModuleResult:
    """What became of a module.

    Attributes:
        module: that was probed.
        verdict: `fitted`: it is right, and probes that a fit did not know came nearer by half at
            least. `nearer`: what stays no constant explains. `kept`: no constants bring it nearer,
            and the engine's own stay. `right`: it was before. `watched`: it has no constants.
        before: mean distance with the engine's own constants, dB.
        left_out: of probes that a fit did not know; None where none was fitted.
        after: mean distance at the end, dB.
        values: constants that were found; empty where the engine's own stay.
        spread: largest minus smallest value of each over the fits.
        probes: names, in the order of the distances.
        distances_before: (probes,) dB.
        distances: (probes,) dB at the end.
    """

    module: ProbedModule
    verdict: Verdict
    before: float
    left_out: float | None
    after: float
    values: Mapping[str, float]
    spread: Mapping[str, float]
    probes: tuple[str, ...]
    distances_before: Array
    distances: Array

    @property
    def sentence(self) -> str:
        """What the user should know of the module."""
        right = self.after <= _RIGHT_DB
        stays = (
            f"nearer, and cannot be fitted: {self.after:.1f} dB stay, which no constant explains; "
            "its law differs"
        )
        return {
            "fitted": "fitted",
            "nearer": "nearer, by too few probes to be sure" if right else stays,
            "kept": "cannot be fitted: no constants bring it nearer; the engine's own stay",
            "right": "was right before",
            "watched": "has no constants" + ("" if right else "; its law differs"),
        }[self.verdict]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a calibration found.

    Attributes:
        values: constants that differ from the engine's, by name.
        modules: what became of each module, in the order of the fits.
        delay: samples by which the plug-in answers later than the engine.
    """

    values: dict[str, float] = field(default_factory=dict)
    modules: tuple[ModuleResult, ...] = ()
    delay: int = 0


def calibrate(
    modules: Sequence[ProbedModule],
    sounds: Mapping[str, Sounds],
    floor_db: float = 0.0,
    threads: int = 1,
    say: Say = _silent,
) -> Calibration:
    """Fit what modules' probes tell; a module is never made worse.

    Args:
        modules: in the order of the fits: what a module's sound rests upon comes before it.
        sounds: of the probes, by name; modules of which too few are there are left out.
        floor_db: what the plug-in's own chance leaves.
        threads: of a render.
        say: hears of each module.
    """
    delay = measured_delay([p for m in modules for p in m.probes], sounds)
    values: dict[str, float] = {}
    results, judges = [], []
    for module in modules:
        probes = [probe for probe in module.probes if probe.name in sounds]
        if len(probes) < (_LEAST_PROBES if module.constants else 1):
            if module.constants:
                say(f"{module.name}: only {len(probes)} probes were played, so it is left out")
            continue
        played = [advanced(sounds[probe.name], delay) for probe in probes]
        judge = ProbeJudge(probes, played, threads=threads)
        result = _module(module, judge, values, floor_db)
        values.update(result.values)
        results.append(result)
        judges.append(judge)
        say(f"{module.name}: {result.before:.2f} dB -> {result.after:.2f} dB, {result.sentence}")
    return Calibration(*_settled(results, judges, values), delay)


def _settled(
    results: Sequence[ModuleResult], judges: Sequence[ProbeJudge], values: dict[str, float]
) -> tuple[dict[str, float], tuple[ModuleResult, ...]]:
    """Distances with all that was found, and against the engine's own constants throughout.

    What was found later may undo an earlier module; then that module's constants go back, until no
    module is farther away than it was.
    """
    before = [_watched(judge, {}) for judge in judges]
    kept = list(results)
    for _ in range(len(kept) + 1):
        after = [_watched(judge, values) for judge in judges]
        worse = [
            k
            for k, result in enumerate(kept)
            if result.values and after[k].mean() > before[k].mean() + 1e-9
        ]
        if not worse:
            break
        for k in worse:
            values = {n: v for n, v in values.items() if n not in kept[k].values}
            kept[k] = replace(kept[k], values={}, verdict="kept")
    return values, tuple(
        replace(
            result,
            before=float(was.mean()),
            after=float(found.mean()),
            distances_before=was,
            distances=found,
        )
        for result, was, found in zip(kept, before, after, strict=True)
    )


def _module(
    module: ProbedModule, judge: ProbeJudge, values: Mapping[str, float], floor_db: float
) -> ModuleResult:
    right = max(_RIGHT_DB, 2.0 * floor_db)
    names = tuple(probe.name for probe in judge.probes)
    if not module.constants:
        before, after = _watched(judge, {}), _watched(judge, values)
        return ModuleResult(
            module, "watched", float(before.mean()), None, float(after.mean()), {}, {}, names,
            before, after,
        )  # fmt: skip
    table = panel.constants()
    start = {name: values.get(name, table[name].value) for name in module.constants}
    held = {name: value for name, value in values.items() if name not in module.constants}
    fit = fit_module(judge, module.constants, held, start)
    better = fit.left_out < _GAIN * fit.before and fit.after < fit.before
    if better:
        carries = fit.left_out <= max(right, _CARRIES * fit.before)
        near = fit.after <= max(right, 0.1 * fit.before)
        verdict: Verdict = "fitted" if near and carries else "nearer"
        return _result(module, verdict, fit, names, fit.values, fit.distances)
    verdict = "right" if fit.before <= right else "kept"
    return _result(module, verdict, fit, names, {}, fit.distances_before)


def _result(
    module: ProbedModule, verdict: Verdict, fit: ModuleFit, names: tuple[str, ...],
    values: Mapping[str, float], distances: Array,
) -> ModuleResult:  # fmt: skip
    return ModuleResult(
        module, verdict, fit.before, fit.left_out, float(distances.mean()), values, fit.spread,
        names, fit.distances_before, distances,
    )  # fmt: skip


def _watched(judge: ProbeJudge, values: Mapping[str, float]) -> Array:
    """(probes,): distances, slow waves where they come nearest."""
    phases = judge.phases(values)
    if len(judge.wandering):
        phases = judge.phases(values, phases)
    return judge.judge(values, phases).distances


def measured_delay(probes: Sequence[Probe], sounds: Mapping[str, Sounds]) -> int:
    """Samples by which the plug-in answers later than the engine, from the first probe's onset."""
    probe = next((probe for probe in probes if probe.name in sounds), None)
    if probe is None:
        return 0
    engine = PanelRenderer.of_preset(probe_preset())
    own = engine.render(probe.patch[None], probe.note)[0]
    late = _onset(sounds[probe.name]) - _onset(own)
    return int(np.clip(late, -_LONGEST_DELAY, _LONGEST_DELAY))


def _onset(sound: Sounds) -> int:
    """The first sample above a tenth of the peak."""
    level = np.abs(sound)
    return int(np.argmax(level > 0.1 * level.max()))


def advanced(sound: Sounds, samples: int) -> Sounds:
    """A sound, (samples,), so many samples earlier, of the same length."""
    moved = np.zeros_like(sound)
    if samples >= 0:
        moved[: len(sound) - samples] = sound[samples:]
    else:
        moved[-samples:] = sound[:samples]
    return moved
