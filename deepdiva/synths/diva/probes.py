"""Probe patches: each isolates one module, so that its sound tells that module's constants.

All of them rest alike: oscillators are reset, nothing strays or drifts, no effect is on, the key
gates the amplifier, a saw goes through an open filter. What a probe changes stands in its row.
Chance itself (drift, slop) and glides between two keys are not probed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import UnknownNameError
from deepdiva.note import Note
from deepdiva.synths.diva import panel
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.prior.human import HumanPrior
from deepdiva.synths.diva.table import DIVA
from deepdiva.synths.diva.trimmers import OSCILLATOR_RESET

Array = NDArray[np.float64]
Values = Mapping[str, float]

REST: Final[Values] = MappingProxyType(
    {
        "OPT.TSlop": 0.0, "OPT.CSlop": 0.0, "OPT.GSlop": 0.0, "OPT.PSlop": 0.0, "OPT.ESlop": 0.0,
        "OSC.Drift": 0.0, "OSC.Model": 3.0, "OSC.Wave1": 2.0, "OSC.Vol1": 60.0, "OSC.Vol2": 0.0,
        "OSC.Vol3": 0.0, "HPF.Model": 0.0, "VCF1.Model": 3.0, "VCF1.Freq": 150.0, "VCF1.Res": 0.0,
        "VCA1.VCA": 0.0, "ENV1.Atk": 0.0, "ENV1.Dec": 100.0, "ENV1.Sus": 100.0, "ENV1.Rel": 0.0,
        "ENV2.Atk": 0.0, "LFO1.DMS1": 0.0, "LFO2.DMS1": 0.0,
    }
)  # fmt: skip
"""What all probes but the checks share, beside the defaults of the table."""

BASES: Final = ("tuning", "amplifier")
"""What the sound of every probe rests upon."""

CHECKS: Final = "whole presets"
"""The module whose probes no constant is fitted to: they judge the others together."""

_SHORT = Note(pitch=48, velocity=127, length_seconds=0.5, render_seconds=0.6)
_HIGH = Note(pitch=72, velocity=127, length_seconds=0.5, render_seconds=0.6)
_LOW = Note(pitch=24, velocity=127, length_seconds=0.5, render_seconds=0.6)
_LONG = Note(pitch=48, velocity=127, length_seconds=1.2, render_seconds=1.5)
_STROKE = Note(pitch=48, velocity=127, length_seconds=0.3, render_seconds=1.5)
_SWEEP = Note(pitch=48, velocity=127, length_seconds=2.8, render_seconds=3.0)
_GATE, _ENV2, _LFO1, _LAGGED = 5.0, 15.0, 16.0, 21.0
_TELLTALE_SEED = 20260


@dataclass(frozen=True)
class Probe:
    """One patch and the note that it is played with.

    Attributes:
        name: unique: the module's, and a number.
        module: whose sound it isolates.
        values: what differs from the defaults of the table.
        note: that is played.
        noisy: only its spectrum over the whole note counts, not when what happens.
        wanders: an effect's slow wave starts anywhere.
        pitched: its pitch counts, and not its levels.
    """

    name: str
    module: str
    values: Values
    note: Note
    noisy: bool = False
    wanders: bool = False
    pitched: bool = False

    @property
    def patch(self) -> Array:
        """(281,) in the units of `DIVA`."""
        patch = DIVA.defaults()
        for name, value in self.values.items():
            patch[DIVA.index(name)] = value
        return patch


@dataclass(frozen=True)
class ProbedModule:
    """A module as calibration knows it.

    Attributes:
        name: as `--modules` takes it.
        title: in words.
        constants: that its probes tell, by their names in `panel.constants`.
        probes: the most telling first.
    """

    name: str
    title: str
    constants: tuple[str, ...]
    probes: tuple[Probe, ...]


def probe_preset() -> Preset:
    """What probes hold beside parameters: the built-in preset with oscillators that are reset."""
    text = Preset.template(name="Probe").to_bytes()
    return Preset.from_bytes(
        text.replace(b"\nTransM=0\n", f"\nTransM={OSCILLATOR_RESET:g}\n".encode()), "probe"
    )


def _grid(**axes: Sequence[float]) -> Iterator[dict[str, float]]:
    """All combinations; `VCF1_Freq` stands for `VCF1.Freq`."""
    names = [name.replace("_", ".") for name in axes]
    for values in product(*axes.values()):
        yield dict(zip(names, values, strict=True))


def _one(**values: float) -> dict[str, float]:
    return {name.replace("_", "."): value for name, value in values.items()}


Row = tuple[Note, Values]


def _played(note: Note, rows: Iterator[dict[str, float]] | list[dict[str, float]]) -> list[Row]:
    return [(note, row) for row in rows]


def _oscillator(model: int, **values: float) -> dict[str, float]:
    return {"OSC.Model": float(model), "OSC.Vol1": 60.0, **_one(**values)}


def _probes(module: str, rows: Sequence[Row], **kind: bool) -> list[Probe]:
    return [
        Probe(f"{module}-{k + 1:02d}", module, MappingProxyType({**REST, **values}), note, **kind)
        for k, (note, values) in enumerate(rows)
    ]


def _numbered(module: str, *groups: list[Probe]) -> tuple[Probe, ...]:
    found = [probe for group in groups for probe in group]
    return tuple(
        Probe(f"{module}-{k + 1:02d}", module, p.values, p.note, p.noisy, p.wanders, p.pitched)
        for k, p in enumerate(found)
    )


def _of_module(prefix: str) -> tuple[str, ...]:
    return tuple(name for name in panel.constants() if name.startswith(f"{prefix}."))


def _amplifier() -> ProbedModule:
    rows = _played(_SHORT, _grid(OSC_Vol1=(60, 20, 100, 40, 80, 10)))
    rows += _played(_SHORT, _grid(VCA1_Vol=(25, 100), main_CcOp=(75,)))
    # Two octaves below a low key the capacitor bends the wave.
    rows += [
        (_LOW, _one(OSC_Tune1=-24)),
        (_LOW, _one(OSC_Tune1=-12, OSC_Vol1=30)),
        (_LOW, _one(OSC_Tune1=-24, OSC_Vol1=100)),
        (_HIGH, _one(OSC_Vol1=100)),
    ]
    constants = (
        "output_gain",
        *_of_module("amplifier.vca"),
        "oscillator.dual_vco_eco.level_gain",
        "oscillator.dual_vco_eco.level_power",
    )
    name = "amplifier"
    return ProbedModule(name, "amplifier and levels", constants, tuple(_probes(name, rows)))


def _eco() -> ProbedModule:
    name = "eco"
    first = [_oscillator(3, OSC_Wave1=wave) for wave in (1, 3, 2)]
    first += [_oscillator(3, OSC_Wave1=3, OSC_PW=pw) for pw in (50, 80, 20, 95)]
    second = [
        _oscillator(3, OSC_Vol1=0, OSC_Vol2=60, OSC_Wave2=wave, OSC_Tune2=tune)
        for wave, tune in ((1, 0), (2, 0), (3, 0), (4, 7))
    ]
    both = [_oscillator(3, OSC_Wave1=w1, OSC_Vol2=60, OSC_Wave2=w2, OSC_Tune2=7)
            for w1, w2 in ((2, 1), (3, 2), (1, 3), (2, 4))]  # fmt: skip
    noise = [_oscillator(3, OSC_Wave1=4, OSC_Vol1=level) for level in (60, 100)]
    constants = tuple(c for c in _of_module("oscillator.dual_vco_eco") if ".level_" not in c)
    probes = _numbered(
        name,
        _probes(name, _played(_SHORT, [*first, *second, *both])),
        _probes(name, _played(_LONG, noise), noisy=True),
    )
    return ProbedModule(name, "oscillator Dual VCO Eco", constants, probes)


def _triple() -> ProbedModule:
    name = "triple"
    rows = [_oscillator(0, OSC_Shape1=shape) for shape in (3, 9, 5, 1, 7, 8, 2)]
    rows += [_oscillator(0, OSC_Shape1=3, OSC_Vol1=level) for level in (20, 100, 40)]
    rows += [
        _oscillator(0, OSC_Shape1=3, OSC_Vol1=0, OSC_Vol2=50, OSC_FM=fm, OSC_Tune2=tune)
        for fm, tune in ((30, 7), (60, 0), (90, 12))
    ]
    rows += [_oscillator(0, OSC_Vol2=60, OSC_Vol3=60, OSC_Tune2=7, OSC_Tune3=-12)]
    noise = [
        _oscillator(0, OSC_Vol1=0, OSC_Noise=n, OSC_NoiseC=c) for n in (60, 100) for c in (0, 1)
    ]
    probes = _numbered(
        name,
        _probes(name, _played(_SHORT, rows)),
        _probes(name, _played(_LONG, noise), noisy=True),
    )
    return ProbedModule(name, "oscillator Triple VCO", _of_module("oscillator.triple_vco"), probes)


def _dual() -> ProbedModule:
    name = "dual"
    off = {"OSC_Saw1": 0.0, "OSC_Saw2": 0.0, "OSC_OscMix": 0.0}
    rows = [
        _oscillator(1, **{**off, **wave})
        for wave in (
            {"OSC_Saw1": 1.0},
            {"OSC_Tri1": 1.0, "OSC_triSp": 1.0},
            {"OSC_Tri1": 1.0, "OSC_triSp": 2.0},
            {"OSC_PWM1": 1.0, "OSC_PW": 0.0},
            {"OSC_PWM1": 1.0, "OSC_PW": 100.0},
            {"OSC_PWM1": 1.0, "OSC_PW": 60.0},
            {"OSC_PWM1": 1.0, "OSC_PW": 90.0},
            {"OSC_Saw1": 1.0, "OSC_Tri1": 1.0, "OSC_PWM1": 1.0, "OSC_PW": 20.0},
            {"OSC_Sin2": 1.0, "OSC_OscMix": 100.0},
            {"OSC_Saw2": 1.0, "OSC_OscMix": 100.0},
            {"OSC_Tri2": 1.0, "OSC_triSp": 2.0, "OSC_OscMix": 100.0},
            {"OSC_Tri2": 1.0, "OSC_triSp": 1.0, "OSC_OscMix": 50.0, "OSC_Saw1": 1.0},
            {"OSC_Saw1": 1.0, "OSC_Sin2": 1.0, "OSC_FM": 30.0, "OSC_Tune2": 7.0},
            {"OSC_Tri1": 1.0, "OSC_Sin2": 1.0, "OSC_FM": 60.0},
            {"OSC_Saw1": 1.0, "OSC_Sin2": 1.0, "OSC_FM": 90.0, "OSC_Tune2": 12.0},
        )
    ]
    noise = [_oscillator(1, **{**off, "OSC_Noise1": 1.0, "OSC_Saw1": saw}) for saw in (0.0, 1.0)]
    probes = _numbered(
        name,
        _probes(name, _played(_SHORT, rows)),
        _probes(name, _played(_LONG, noise), noisy=True),
    )
    return ProbedModule(name, "oscillator Dual VCO", _of_module("oscillator.dual_vco"), probes)


def _dco() -> ProbedModule:
    name = "dco"
    shapes = [(1, 0), (2, 0), (3, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (3, 1)]
    rows = [_oscillator(2, OSC_PWShp=p, OSC_SawShp=s, OSC_PW=30) for p, s in shapes]
    rows += [
        _oscillator(2, OSC_PWShp=0, OSC_SubShp=sub, OSC_Vol3=level)
        for sub, level in ((0, 60), (3, 100), (4, 40), (2, 80))
    ]
    noise = [_oscillator(2, OSC_PWShp=0, OSC_Noise=n) for n in (50, 100)]
    probes = _numbered(
        name,
        _probes(name, _played(_SHORT, rows)),
        _probes(name, _played(_LONG, noise), noisy=True),
    )
    return ProbedModule(name, "oscillator DCO", _of_module("oscillator.dco"), probes)


def _digital() -> ProbedModule:
    name = "digital"
    rows = [
        _oscillator(4, OSC_OscMix=0, OSC_DgtlTp1=kind, OSC_PW=one, OSC_DgtlSp2=two)
        for kind, one, two in (
            (5, 50, 0), (1, 50, 0), (1, 100, 50), (1, 25, 100), (3, 50, 50), (4, 30, 0), (6, 50, 0),
            (0, 20, 50), (0, 50, 100), (0, 80, 50), (0, 100, 80),
        )
    ]  # fmt: skip
    rows += [
        _oscillator(4, OSC_OscMix=0, OSC_DgtlTp1=5, OSC_DgtlTp2=6, OSC_FM=fm, OSC_Tune2=tune)
        for fm, tune in ((30, 7), (60, 0), (90, 12))
    ]
    noise = [_oscillator(4, OSC_OscMix=0, OSC_DgtlTp1=2, OSC_PW=one) for one in (50, 100)]
    probes = _numbered(
        name,
        _probes(name, _played(_SHORT, rows)),
        _probes(name, _played(_LONG, noise), noisy=True),
    )
    return ProbedModule(name, "oscillator Digital", _of_module("oscillator.digital"), probes)


def _highpass_post() -> ProbedModule:
    name = "highpass-post"
    rows = _played(_SHORT, _grid(HPF_Model=(1,), HPF_PFreq=(-1, 0, 1, 2, 3)))
    rows += _played(_LOW, _grid(HPF_Model=(1,), HPF_PFreq=(-1, 1, 2, 3)))
    return ProbedModule(
        name, "high-pass Post", _of_module("highpass.post"), tuple(_probes(name, rows))
    )


def _highpass_pre() -> ProbedModule:
    name = "highpass-pre"
    rows = _played(_SHORT, _grid(HPF_Model=(2,), HPF_Freq=(70, 50, 100, 30, 40, 120, 31)))
    return ProbedModule(
        name, "high-pass Pre", _of_module("highpass.pre"), tuple(_probes(name, rows))
    )


def _highpass_bite() -> ProbedModule:
    name = "highpass-bite"
    rows = _played(
        _SHORT,
        _grid(HPF_Model=(3,), HPF_Rev=(1, 2), HPF_Freq=(80, 50, 110), HPF_Res=(60, 30, 80, 0)),
    )
    rows += _played(_SHORT, _grid(HPF_Model=(3,), HPF_Rev=(1, 2), HPF_Freq=(65,), HPF_Res=(60,),
                                  OSC_Vol1=(15, 100)))  # fmt: skip
    return ProbedModule(
        name, "high-pass Bite", _of_module("highpass.bite"), tuple(_probes(name, rows))
    )


_SINGING: Final = 65.0
"""Resonance from which a filter may oscillate by itself: then nobody knows when it does what."""


def _filter(name: str, title: str, module: str, number: int, modes: list[dict[str, float]],
            extra: Sequence[Row] = ()) -> ProbedModule:  # fmt: skip
    """Cutoffs and resonances of a filter in each of its modes, at three levels."""
    rows: list[Row] = []
    for k, mode in enumerate(modes):
        cutoffs, resonances = (
            ((80, 110, 55, 95), (0, 60, 30, 85)) if k == 0 else ((90, 65), (60, 0))
        )
        for cutoff, resonance in product(cutoffs, resonances):
            row = _one(VCF1_Model=number, VCF1_Freq=cutoff, VCF1_Res=resonance)
            rows.append((_SHORT, {**row, **mode}))
        for level in (15, 100):
            row = _one(VCF1_Model=number, VCF1_Freq=75, VCF1_Res=50, OSC_Vol1=level)
            rows.append((_SHORT, {**row, **mode}))
    closed = _one(VCF1_Model=number, VCF1_Freq=40, VCF1_Res=60)
    rows += [(_LOW, {**closed, **modes[0]}), *extra]
    plain = [row for row in rows if row[1].get("VCF1.Res", 0.0) < _SINGING]
    singing = [row for row in rows if row[1].get("VCF1.Res", 0.0) >= _SINGING]
    probes = _numbered(name, _probes(name, plain), _probes(name, singing, noisy=True))
    return ProbedModule(name, f"filter {title}", _of_module(f"filter.{module}"), probes)


def _filters() -> list[ProbedModule]:
    clamps: list[Row] = [
        (note, _one(VCF1_Model=0, VCF1_Freq=f, VCF1_FMSrc=_GATE, VCF1_FMDpt=d, VCF1_Res=res))
        for note, f, d, res in ((_LOW, 60, -60, 0), (_HIGH, 120, 60, 0), (_LOW, 50, -50, 60))
    ]
    rough, clean = _one(VCF1_LColor=0), _one(VCF1_LColor=1)
    return [
        _filter("ladder", "Ladder", "ladder", 0, [{}, _one(VCF1_LMode=1)], clamps),
        _filter("cascade", "Cascade", "cascade", 1, [clean, rough, {**rough, "VCF1.LMode": 1.0}]),
        _filter("multimode", "Multimode", "multimode", 2,
                [_one(VCF1_SvfMode=mode) for mode in range(4)]),
        _filter("bite", "Bite", "bite", 3, [_one(VCF1_SkRev=1), _one(VCF1_SkRev=2)]),
        _filter("uhbie", "Uhbie", "uhbie", 4,
                [_one(VCF1_ShpMix=0), _one(VCF1_ShpMix=100), _one(VCF1_ShpMix=50),
                 _one(VCF1_BpUbie=1, VCF1_ShpMix=50)]),
    ]  # fmt: skip


def _envelope() -> ProbedModule:
    name = "envelope"
    shaped = {"VCA1.VCA": 1.0, "ENV1.Model": 1.0}
    rows: list[Row] = [
        (_LONG, {**shaped, **_one(ENV1_Atk=attack)}) for attack in (30, 0, 50, 20, 40, 10, 70)
    ]
    rows += [
        (_LONG, {**shaped, **_one(ENV1_Dec=decay, ENV1_Sus=sustain)})
        for decay, sustain in ((40, 0), (20, 30), (50, 0), (10, 20), (30, 50), (0, 20), (75, 0))
    ]
    rows += [
        (_STROKE, {**shaped, **_one(ENV1_Rel=release)})
        for release in (40, 20, 50, 0, 30, 10, 60, 80)
    ]
    rows += [
        (_STROKE, {**shaped, **_one(ENV1_Model=model, ENV1_Atk=25, ENV1_Dec=35, ENV1_Sus=40,
                                    ENV1_Rel=35, ENV1_RelOn=1)})
        for model in (0, 2)
    ]  # fmt: skip
    constants = tuple(
        c for c in panel.constants() if c.startswith(("attack_", "decay_", "release_"))
    )
    return ProbedModule(name, "envelopes", constants, tuple(_probes(name, rows)))


def _modulation() -> ProbedModule:
    name = "modulation"
    closed = _one(VCF1_Model=0, VCF1_Res=40)
    swept = {**closed, **_one(VCF1_Freq=60, VCF1_FMSrc=_ENV2, ENV2_Dec=35, ENV2_Sus=0)}
    rows: list[Row] = [
        (_LONG, {**swept, "VCF1.FMDpt": 60.0}),
        (_LONG, {**swept, "VCF1.FMDpt": 30.0}),
        *(
            (note, {**closed, **_one(VCF1_Freq=75, VCF1_KeyScl=100)})
            for note in (_SHORT, _HIGH, _LOW)
        ),
        *(
            (note, {**closed, **_one(VCF1_Freq=75, VCF1_FM2Src=8, VCF1_FM2Dpt=80)})
            for note in (_HIGH, _LOW)
        ),
        (_LONG, {**closed, **_one(VCF1_Freq=70, VCF1_FM2Src=_LAGGED, VCF1_FM2Dpt=50, MOD_LSrc=_GATE,
                                  MOD_Slew=40)}),
        (_LONG, {**closed, **_one(VCF1_Freq=70, VCF1_FM2Src=_LAGGED, VCF1_FM2Dpt=50, MOD_LSrc=_GATE,
                                  MOD_Slew=70)}),
        (_LONG, {**closed, **_one(VCF1_Freq=80, VCF1_FM2Src=_LFO1, VCF1_FM2Dpt=30, LFO1_Rate=2,
                                  LFO1_Dly=40)}),
        (_LONG, {**closed, **_one(VCF1_Freq=80, VCF1_FM2Src=_LFO1, VCF1_FM2Dpt=30, LFO1_Rate=2.5,
                                  LFO1_Dly=30)}),
        *((_SHORT, _one(VCF1_Model=0, VCF1_Freq=80, VCF1_FFM=fm, OSC_Tune2=7, OSC_Vol2=40))
          for fm in (12, 24)),
        *((_SHORT, _one(VCF1_Model=2, VCF1_Freq=80, VCF1_FFM=fm, OSC_Tune2=7, OSC_Vol2=40))
          for fm in (12, 24)),
        *((_SHORT, _one(OSC_Model=0, OSC_Shape1=3, VCF1_Fback=fb, VCF1_Freq=90, VCF1_Model=0))
          for fb in (50, 100, 25)),
    ]  # fmt: skip
    vibrato: list[Row] = [
        (_LONG, _one(OSC_VtoD=depth, LFO1_Rate=2.0, LFO1_Trig=1.0)) for depth in (100, 50)
    ]
    constants = (
        "cutoff_depth", "key_follow_octaves", "key_pivot", "lag_seconds", "lfo_fade_seconds",
        "vibrato_semitones", "feedback_gain", "filter_fm_ladder_semitones", "filter_fm_semitones",
    )  # fmt: skip
    probes = _numbered(name, _probes(name, rows), _probes(name, vibrato, pitched=True))
    return ProbedModule(name, "modulation, key follow, feedback", constants, probes)


def _lfos() -> ProbedModule:
    """No constant stands behind these: they say whether the engine's waves are the plug-in's."""
    name = "lfo"
    rows = [
        (_LONG, _one(VCF1_Model=0, VCF1_Freq=80, VCF1_FM2Src=_LFO1, VCF1_FM2Dpt=24, LFO1_Wave=wave,
                     LFO1_Rate=rate, LFO1_Sync=sync))
        for wave, rate, sync in ((0, 2, -2), (1, 1, -2), (2, 2, -2), (3, 3, -2), (4, 2, -2),
                                 (5, 2, -2), (1, 0, -3), (1, 4, -1), (1, 0, 4), (1, 0, 2))
    ]  # fmt: skip
    return ProbedModule(name, "waves and rates of the LFOs", (), tuple(_probes(name, rows)))


def _tuning() -> ProbedModule:
    name = "tuning"
    high = Note(pitch=84, velocity=127, length_seconds=1.2, render_seconds=1.3)
    rows: list[Row] = [
        (high, {}),
        (high, _one(OSC_Vol1=0, OSC_Vol2=60, OPT_TSlop=100)),
        (high, _one(OSC_Vol1=0, OSC_Vol2=60)),
        (_LONG, {}),
        (_LONG, _one(OSC_Vol1=0, OSC_Vol2=60)),
        (_LONG, _one(OSC_Vol1=0, OSC_Vol2=60, OPT_TSlop=50)),
    ]
    constants = ("tune_1_cents", "tune_2_cents", "pot_2_cents")
    return ProbedModule(
        name, "tuning of the oscillators", constants, tuple(_probes(name, rows, pitched=True))
    )


def _effect(name: str, number: int, rows: Sequence[Values], still: Sequence[Values] = (),
            more: tuple[str, ...] = ()) -> ProbedModule:  # fmt: skip
    on = {"main.#FX1": 1.0, "FX1.Module": float(number)}
    probes = _numbered(
        name,
        _probes(name, [(_SWEEP, {**on, **row}) for row in rows], wanders=True),
        _probes(name, [(_LONG, {**on, **row}) for row in still]),
    )
    return ProbedModule(
        name, f"effect {name.title()}", (*_of_module(f"effect.{name}"), *more), probes
    )


def _effects() -> list[ProbedModule]:
    chorus = [
        _one(Chrs1_Type=kind, Chrs1_Rate=rate, Chrs1_Depth=depth, Chrs1_Wet=wet)
        for kind in (0, 1, 2)
        for rate, depth, wet in ((100, 100, 100), (60, 50, 100), (80, 100, 60), (30, 20, 100),
                                 (90, 0, 100))
    ]  # fmt: skip
    phaser = [
        _one(Phase1_Type=kind, Phase1_Rate=rate, Phase1_FB=fb, Phase1_Depth=depth,
             Phase1_Center=centre, Phase1_Wet=100)
        for kind in (0, 1)
        for rate, fb, depth, centre in ((50, 0, 100, 50), (70, 60, 60, 50), (60, 90, 40, 80),
                                        (60, 30, 0, 20), (50, 0, 0, 90), (40, 100, 0, 50))
    ]  # fmt: skip
    stroke = {"VCA1.VCA": 1.0, "ENV1.Dec": 20.0, "ENV1.Sus": 0.0, "ENV1.Model": 1.0}
    plate = [
        {**stroke, **_one(Plate1_Size=size, Plate1_Decay=decay, Plate1_Damp=damp, Plate1_Pre=0,
                          Plate1_Dry=0, Plate1_Wet=100)}
        for size, decay, damp in ((150, 50, 80), (75, 50, 0), (10, 50, 50), (200, 100, 0),
                                  (150, 100, 50), (100, 80, 100), (150, 0, 20), (40, 90, 0))
    ]  # fmt: skip
    delay = [
        {**stroke, **_one(Delay1_SVol=side, Delay1_CVol=centre, Delay1_FeedB=fb, Delay1_HP=hp,
                          Delay1_LP=lp, Delay1_Wow=wow, Delay1_Dry=0)}
        for side, centre, fb, hp, lp, wow in ((100, 0, 50, 0, 100, 0), (0, 100, 50, 60, 100, 0),
                                              (0, 100, 50, 0, 30, 0), (0, 100, 70, 0, 0, 0),
                                              (0, 100, 50, 100, 100, 0), (0, 100, 60, 0, 100, 100),
                                              (0, 100, 80, 0, 80, 60), (0, 100, 100, 0, 100, 0),
                                              (100, 100, 95, 20, 60, 100))
    ]  # fmt: skip
    rotary = [
        _one(Rtary1_Slow=slow, Rtary1_Drive=drive, Rtary1_Stereo=stereo, Rtary1_Bal=balance,
             Rtary1_Mode=mode, Rtary1_Mix=100)
        for slow, drive, stereo, balance, mode in (
            (100, 0, 100, 50, 0), (80, 0, 0, 100, 0), (90, 0, 50, 0, 0), (60, 50, 100, 50, 0),
            (100, 100, 100, 50, 0), (30, 0, 100, 50, 0), (0, 20, 0, 70, 0), (85, 0, 100, 0, 0),
            (95, 70, 0, 50, 2), (75, 30, 100, 30, 1),
        )
    ]  # fmt: skip
    return [
        _effect("chorus", 0, chorus),
        _effect("phaser", 1, phaser),
        _effect("plate", 2, plate),
        _effect("delay", 3, delay),
        _effect("rotary", 4, rotary),
    ]


def _arpeggiator() -> ProbedModule:
    name = "arpeggiator"
    rows = [
        (_SWEEP, _one(ARP_OnOff=1, ARP_Oct=octaves, CLK_Base=base, CLK_Swing=swing, ENV1_Rel=20))
        for octaves, base, swing in ((2, 2, 0), (1, 1, 0), (3, 2, 100), (2, 1, 50))
    ]
    return ProbedModule(name, "arpeggiator", ("arp_gate", "arp_swing"), tuple(_probes(name, rows)))


def _whole() -> ProbedModule:
    """Presets like those of people, without chance: what they sound like no fit is told."""
    note = Note(pitch=48, velocity=127, length_seconds=1.0, render_seconds=1.5)
    still = {name: 0.0 for name in REST if name.startswith("OPT.") or name == "OSC.Drift"}
    patches = HumanPrior().sample(24, _TELLTALE_SEED, note)
    probes = []
    for k, patch in enumerate(patches):
        values = {
            parameter.name: float(patch[parameter.index])
            for parameter in DIVA
            if patch[parameter.index] != parameter.default
        }
        name = f"{CHECKS.replace(' ', '-')}-{k + 1:02d}"
        probes.append(
            Probe(name, CHECKS, MappingProxyType({**values, **still}), note, wanders=True)
        )
    return ProbedModule(CHECKS, "presets like those of people, never fitted", (), tuple(probes))


@lru_cache(maxsize=1)
def plan() -> Mapping[str, ProbedModule]:
    """Every module that is probed, by name, in the order in which they are fitted."""
    found = [
        _tuning(), _amplifier(), _eco(), *_filters(), _highpass_post(), _highpass_pre(),
        _highpass_bite(),
        _triple(), _dual(), _dco(), _digital(), _envelope(), _modulation(), _lfos(),
        *_effects(), _arpeggiator(), _whole(),
    ]  # fmt: skip
    return MappingProxyType({module.name: module for module in found})


def chosen(names: Sequence[str] = ()) -> tuple[ProbedModule, ...]:
    """The modules of some names, with those that their sound rests upon; all of none.

    Raises:
        UnknownNameError: no such module.
    """
    known = plan()
    for name in names:
        if name not in known:
            raise UnknownNameError(f"No module {name!r} is probed: {', '.join(known)} are.")
    wanted = {*names, *BASES} if names else set(known)
    return tuple(module for module in known.values() if module.name in wanted)


def unprobed() -> tuple[str, ...]:
    """Constants that no probe tells."""
    told = {name for module in plan().values() for name in module.constants}
    return tuple(name for name in panel.constants() if name not in told)


def plan_digest(probes: Sequence[Probe]) -> str:
    """SHA-256 of what probes play."""
    rows = [[p.name, sorted(p.values.items()), asdict(p.note)] for p in probes]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def _seeds_by_phase() -> tuple[NDArray[np.int64], Array]:
    seeds = np.arange(1 << 14)
    phases = panel.effect_phases(seeds.astype(np.uint64), 1)
    order = np.argsort(phases)
    return seeds[order], phases[order]


def seeds_of(phases: Array) -> NDArray[np.int64]:
    """Seeds with which the first effect's slow wave starts nearest to phases, cycles."""
    seeds, known = _seeds_by_phase()
    places = np.searchsorted(known, np.mod(phases, 1.0))
    return np.asarray(seeds[np.clip(places, 0, len(seeds) - 1)])
