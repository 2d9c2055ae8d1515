"""What may be known of a synthesizer beyond its list of parameters.

Search, networks, evaluation and plug-in hosts ask a `Synthesizer`. Whatever one does not know it
answers with "nothing": the base class stands for a plug-in of which only the parameters are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepdiva.parameters import ParameterTable
from deepdiva.patch_writer import PatchWriter, PresetFile, PresetWriter
from deepdiva.space import ParameterSpace
from deepdiva.synths.structure import Structure
from deepdiva.units import Reading

_LEAST_VOLUME = 5.0
_EQUAL = 0.002

Patch = NDArray[np.float64]
"""Shape (len(table),), in units."""


@dataclass(frozen=True)
class KeyRules:
    """What follows the key, and how: needed to bring a patch to another key.

    Attributes:
        pitches: parameters that tune an oscillator, in semitones.
        octave_switch: the one of them that is a class, in steps of an octave.
        octave_shifters: parameters that must be free for octaves to be left to the oscillators.
        cutoffs: cutoff, in semitones, to the parameter that says how far it follows the key, in %.
        times: time of an envelope to the parameter that says how far it follows the key, in %.
        rates: rates of oscillators below the audible range, in octaves.
        slower: `slower(name, values, factor)` gives the settings of a time that takes `factor`
            times as long; values and factor of one shape, or the factor a number.
    """

    pitches: tuple[str, ...]
    octave_switch: str
    octave_shifters: frozenset[str]
    cutoffs: Mapping[str, str]
    times: Mapping[str, str]
    rates: tuple[str, ...]
    slower: Callable[[str, NDArray[np.float64], float], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Synthesizer:
    """A synthesizer; as it stands one of which nothing but its parameters is known.

    Attributes:
        table: its parameters; their defaults are its base patch.
        usual_variety: values of parameters in which recordings of one patch differ, by name.
    """

    table: ParameterTable
    usual_variety: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def default_free(self) -> tuple[str, ...]:
        """Names of the parameters that are free unless somebody says otherwise: all."""
        return self.table.names

    def default_space(self, base: Patch | None = None) -> ParameterSpace:
        """The default free parameters.

        Args:
            base: patch that holds the others, shape (len(table),), in units; the defaults if None.
        """
        base = self.table.defaults() if base is None else base
        return ParameterSpace(self.table, base, self.default_free)

    @property
    def structure(self) -> Structure | None:
        """Its panel as a tree of models; None where that is not known."""
        return None

    @property
    def free_sets(self) -> Mapping[str, tuple[str, ...]]:
        """Sets of free parameters by a name that a user may type."""
        return {"all": self.table.names}

    @property
    def preset_suffix(self) -> str:
        """Of the files that hold its presets; empty where their format is not known."""
        return ""

    def writer(self, base: PresetFile) -> PatchWriter | None:
        """What writes patches into copies of a base preset; None where no format is known."""
        return PresetWriter(base, self.preset_suffix) if self.preset_suffix else None

    @property
    def volumes(self) -> tuple[str, ...]:
        """Parameters that are factors of the level, behind everything that depends on it.

        The first one is set first. Empty where that is not known.
        """
        return ()

    def with_gain(self, patch: Patch, gain: float, volumes: Sequence[str]) -> Patch:
        """A patch that sounds louder by a factor, as far as its volumes go.

        A volume that files hold with two decimals is not set below 5, so that these suffice; what
        is left over is for the next one.

        Args:
            patch: shape (len(table),), in units; its volumes are above 0.
            gain: the factor, above 0.
            volumes: some of `volumes`, in their order.
        """
        changed = patch.copy()
        for place, name in enumerate(volumes):
            if abs(gain - 1.0) < _EQUAL:
                break
            parameter, index = self.table[name], self.table.index(name)
            in_hundredths = parameter.spelling == "%.2f"
            last = place == len(volumes) - 1
            least = _LEAST_VOLUME if in_hundredths and not last else 0.01 * in_hundredths
            value = float(np.clip(patch[index] * gain, least, parameter.maximum))
            value = round(value, 2) if in_hundredths else value
            gain *= float(patch[index]) / max(value, 1e-9)
            changed[index] = value
        return changed

    @property
    def transposing(self) -> Mapping[str, float]:
        """Parameters that transpose all oscillators: semitones of a unit by name."""
        return {}

    @property
    def fine_tuning(self) -> str | None:
        """The parameter that tunes all oscillators by cents; None where that is not known."""
        return None

    @property
    def releases(self) -> tuple[str, ...]:
        """Parameters that say how long a sound goes on when the key is released."""
        return ()

    @property
    def key_following(self) -> tuple[str, ...]:
        """Parameters that say what follows the key: several keys of one sound tell them."""
        return ()

    @property
    def velocity_following(self) -> tuple[str, ...]:
        """Parameters that say what the velocity does: several velocities tell them."""
        return ()

    def transposition(self, patch: Patch) -> float:
        """Semitones by which a patch transposes the key; 0 where that is not known.

        Args:
            patch: shape (len(table),), in units.
        """
        table = self.table
        return float(
            sum(unit * patch[table.index(name)] for name, unit in self.transposing.items())
        )

    @property
    def oscillators(self) -> tuple[str, ...]:
        """Parameters that tune an oscillator, in semitones from the key as it is transposed."""
        rules = self.key_rules
        return () if rules is None else rules.pitches

    @property
    def key_rules(self) -> KeyRules | None:
        """What follows the key; None where that is not known."""
        return None

    def exchange(self, patch: Patch, within_semitones: float = 0.0) -> Mapping[str, float] | None:
        """What to set for the same sound with two oscillators in each other's place.

        Args:
            patch: shape (len(table),), in units.
            within_semitones: how far a tuning may stand from one that the other oscillator has; it
                takes the rest along.

        Returns:
            Values in units by name; None where the oscillators cannot be exchanged.
        """
        del patch, within_semitones
        return None

    def reading(self, patch: Patch, name: str, value: float, key: int) -> Reading | None:
        """What a value of a parameter stands for in Hz or seconds; None where that is not known.

        Args:
            patch: shape (len(table),), in units: what the parameter means may depend on others.
            name: of the parameter.
            value: in its unit.
            key: MIDI note that is played.
        """
        del patch, name, value, key
        return None

    def unused(self, patch: Patch) -> frozenset[str]:
        """Parameters that do not act on the sound of a patch, whatever their values.

        Only what is certain is named: nothing where nothing is known.

        Args:
            patch: shape (len(table),), in units.
        """
        del patch
        return frozenset()

    def modules_in_use(self, patch: Patch) -> tuple[str, ...]:
        """Modules of the panel that shape the sound of a patch; empty where that is not known.

        Args:
            patch: shape (len(table),), in units.
        """
        del patch
        return ()

    def equivalents(self, patch: Patch) -> tuple[Patch, ...]:
        """Other patches of the same sound.

        The patch with its unused parameters at their defaults, the patch with its oscillators
        exchanged, and both.

        Args:
            patch: shape (len(table),), in units.

        Returns:
            Patches that differ from the given one and from each other.
        """
        found = [patch]
        for candidate in (
            self._settled(patch),
            *(self._exchanged(each) for each in (patch, self._settled(patch))),
        ):
            if candidate is not None and not any(np.array_equal(candidate, one) for one in found):
                found.append(candidate)
        return tuple(found[1:])

    def _settled(self, patch: Patch) -> Patch:
        """The patch with unused parameters at their defaults."""
        return self.with_values(
            patch, {name: self.table[name].default for name in self.unused(patch)}
        )

    def _exchanged(self, patch: Patch) -> Patch | None:
        changes = self.exchange(patch)
        return None if changes is None else self.with_values(patch, changes)

    def with_values(self, patch: Patch, values: Mapping[str, float]) -> Patch:
        """A copy of a patch with some values set, in units by name."""
        changed = patch.copy()
        for name, value in values.items():
            changed[self.table.index(name)] = value
        return changed
