"""What shapes the sound of a preset and is no parameter of the plug-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deepdiva.errors import InvalidValueError
from deepdiva.tuning import Tuning

if TYPE_CHECKING:
    from deepdiva.synths.diva.preset import Preset

VOICES: Final = 8

OSCILLATOR_RESET: Final = 3.0
"""OPT.TransM; the others are analog, and resets of DC and filter, which begin at rest anyway."""

_USUAL: Final = (
    ("VCC", "Drft", 0.0),
    ("OSC", "BpNoise", 1.0),
    ("OSC", "JpSp1", 1.0),
    ("OSC", "JpSp2", 1.0),
    ("VCF1", "InTune", 1.0),
)
"""Keys whose effect is unknown, and the value that all known presets hold."""


@dataclass(frozen=True)
class Trimmers:
    """Keys of a preset beside its parameters and its detune pots.

    Attributes:
        oscillator_reset: whether oscillators start at `reset_phases` and not where they happen to
            be (OPT.TransM).
        reset_phases: (3,), cycles (OSC.RstPh1 to 3).
        stack_semitones: (8,), how far each voice of a stack is tuned away (VCC.Vc1 to Vc8).
        cutoff_anew: whether a voice's cutoff strays anew with each note (OPT.RndC), and not as its
            circuit always does.
        glide_anew: the same of glide times (OPT.RndG).
        width_anew: the same of pulse widths (OPT.RndP).
        times_anew: the same of envelope times (OPT.RndE).
        tuning: the table in the preset, for VCC.MTunS; None where it has none.
        unknown: keys that hold an unusual value and do nothing here, as `SECTION.KEY`; nobody knows
            what they do in Diva.

    Raises:
        InvalidValueError: another number of voices.
    """

    oscillator_reset: bool = False
    reset_phases: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stack_semitones: tuple[float, ...] = (0.0,) * VOICES
    cutoff_anew: bool = False
    glide_anew: bool = False
    width_anew: bool = False
    times_anew: bool = False
    tuning: Tuning | None = None
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.stack_semitones) != VOICES:
            raise InvalidValueError(
                f"stack_semitones has {len(self.stack_semitones)} numbers: it must have {VOICES}."
            )

    @classmethod
    def of(cls, preset: Preset) -> Trimmers:
        """What a preset holds; a key without a line, or without a number, is at rest."""
        stack = [number(preset, "VCC", f"Vc{k + 1}", 0.0) for k in range(VOICES)]
        first, second, third = (
            number(preset, "OSC", f"RstPh{k + 1}", 0.0) / 100.0 for k in range(3)
        )
        return cls(
            oscillator_reset=number(preset, "OPT", "TransM", 0.0) == OSCILLATOR_RESET,
            reset_phases=(first, second, third),
            stack_semitones=tuple(stack),
            cutoff_anew=number(preset, "OPT", "RndC", 0.0) > 0.5,
            glide_anew=number(preset, "OPT", "RndG", 0.0) > 0.5,
            width_anew=number(preset, "OPT", "RndP", 0.0) > 0.5,
            times_anew=number(preset, "OPT", "RndE", 0.0) > 0.5,
            tuning=preset.tuning(),
            unknown=tuple(
                f"{section}.{key}"
                for section, key, usual in _USUAL
                if number(preset, section, key, usual) != usual
            ),
        )


def number(preset: Preset, section: str, key: str, otherwise: float) -> float:
    """The number in a line of a preset, or another where there is none."""
    try:
        return float(preset.get(section, key) or otherwise)
    except ValueError:
        return otherwise


AT_REST: Final = Trimmers()
"""Those of a preset that was never trimmed."""


def with_reset_oscillators(preset: Preset) -> Preset:
    """A preset whose oscillators begin anew with each note, none of them detuned by its pot."""
    from deepdiva.synths.diva.preset.template import OSCILLATORS, detune_key

    pots = {detune_key(voice, k): "0.00" for voice in range(VOICES) for k in range(OSCILLATORS)}
    return preset.with_texts({("OPT", "TransM"): f"{OSCILLATOR_RESET:g}", **pots})
