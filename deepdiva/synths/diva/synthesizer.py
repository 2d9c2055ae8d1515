"""Diva as a `Synthesizer`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deepdiva.parameters import ParameterTable
from deepdiva.synths.diva import readings, symmetry
from deepdiva.synths.diva.keys import (
    FINE_TUNING,
    KEY_FOLLOWING,
    KEY_RULES,
    TRANSPOSING,
    VELOCITY_FOLLOWING,
)
from deepdiva.synths.diva.space import RELEASES, SEED_PROJECT_FREE, USUAL_VARIETY, VOLUMES
from deepdiva.synths.diva.structure import STRUCTURE
from deepdiva.synths.diva.table import DIVA
from deepdiva.synths.structure import Structure
from deepdiva.synths.synthesizer import KeyRules, Patch, Synthesizer
from deepdiva.units import Reading


@dataclass(frozen=True, eq=False)
class Diva(Synthesizer):
    """u-he Diva."""

    table: ParameterTable = DIVA
    usual_variety: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: USUAL_VARIETY)

    @property
    def default_free(self) -> tuple[str, ...]:
        """The 11 parameters of the 2021 project."""
        return SEED_PROJECT_FREE

    @property
    def structure(self) -> Structure:
        return STRUCTURE

    @property
    def free_sets(self) -> Mapping[str, tuple[str, ...]]:
        return {"all": STRUCTURE.panel, "ms-rev1": SEED_PROJECT_FREE}

    @property
    def preset_suffix(self) -> str:
        return ".h2p"

    @property
    def volumes(self) -> tuple[str, ...]:
        return VOLUMES

    @property
    def transposing(self) -> Mapping[str, float]:
        return TRANSPOSING

    @property
    def fine_tuning(self) -> str:
        return FINE_TUNING

    @property
    def releases(self) -> tuple[str, ...]:
        return RELEASES

    @property
    def key_following(self) -> tuple[str, ...]:
        return KEY_FOLLOWING

    @property
    def velocity_following(self) -> tuple[str, ...]:
        return VELOCITY_FOLLOWING

    @property
    def key_rules(self) -> KeyRules:
        return KEY_RULES

    def exchange(self, patch: Patch, within_semitones: float = 0.0) -> Mapping[str, float] | None:
        return symmetry.exchange(patch, within_semitones)

    def reading(self, patch: Patch, name: str, value: float, key: int) -> Reading | None:
        return readings.reading(patch, name, value, key)

    def unused(self, patch: Patch) -> frozenset[str]:
        return symmetry.unused(patch)

    def modules_in_use(self, patch: Patch) -> tuple[str, ...]:
        from deepdiva.synths.diva.front_panel import modules_in_use

        return modules_in_use(patch)


SYNTHESIZER = Diva()
