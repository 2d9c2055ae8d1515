"""Built-in presets: by name, whole, and each with the models that it is named after."""

from pathlib import Path

import pytest

from deepdiva.errors import MissingFileError
from deepdiva.pipeline.options import SpaceChoice
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.bases import BASES, built_in
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.structure import STRUCTURE


@pytest.mark.parametrize("name", BASES)
def test_a_base_is_found_by_its_name_in_any_case(name):
    values = built_in(name.lower()).values()
    DIVA.check(values, grid=True)
    for parameter, value in BASES[name].items():
        assert values[DIVA.index(parameter)] == value


def test_bases_have_the_models_that_they_are_named_after():
    chains = {name: STRUCTURE.chain_label(built_in(name).values()) for name in BASES}
    assert chains["TRIPLE"] == "Triple VCO + Ladder"
    assert chains["DCO"].startswith("DCO + ")
    assert len(set(chains.values())) == len(BASES)


def test_a_file_of_that_name_goes_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert SpaceChoice(Path("ms-rev1")).preset().values()[148] == DIVA["VCF1.Freq"].default
    patch = Preset.template().values()
    patch[DIVA.index("VCF1.Freq")] = 60.0
    Preset.template().with_values(patch).write(tmp_path / "TRIPLE")
    assert SpaceChoice(Path("TRIPLE")).preset().values()[148] == 60.0
    with pytest.raises(MissingFileError):
        SpaceChoice(Path("QUARTET")).preset()
