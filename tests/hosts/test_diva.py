"""Diva behind a stand-in of a host: its state is the preset, its parameters go by name."""

import csv
import importlib

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.errors import InvalidValueError, RenderError
from deepdiva.hosts.host import HostParameter, PluginDescription
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.quality import DivaQuality
from deepdiva.hosts.settings import PluginSettings
from deepdiva.hosts.vst2_files import parse_vst2
from deepdiva.hosts.vst3_files import parse_vstpreset
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.plugin import (
    DivaNameLoader,
    diva_indices,
    is_diva,
    normalised_name,
    state_container,
)
from deepdiva.synths.diva.plugin_checkup import check_diva
from deepdiva.synths.diva.preset import Preset

NOTE = Note(pitch=57, length_seconds=0.5, render_seconds=0.5)


@pytest.fixture(scope="module")
def host(standins):  # noqa: ARG001  (puts the module on the import path)
    return importlib.import_module("diva_host")


@pytest.fixture
def renderer(host, tmp_path):
    made = []

    def make(kind=host.DivaHost, preset=None, **settings):
        plugin = tmp_path / "Diva.vst3"
        plugin.touch()
        made.append(PluginRenderer(PluginSettings(plugin, host=kind, **settings), preset))
        return made[-1]

    yield make
    for one in made:
        one.close()


def description(names, plugin_format="vst3", unique_id=""):
    return PluginDescription(
        name="Diva",
        path="/Diva",
        format=plugin_format,
        version="",
        host="",
        unique_id=unique_id,
        parameters=tuple(HostParameter(k, name, 0.0) for k, name in enumerate(names)),
        takes_state=False,
        knows_defaults=False,
    )


def random_patches(count, seed=0):
    """On the grid of the file, where two decimals are kept."""
    rng = np.random.default_rng(seed)
    columns = [np.round(parameter.to_unit(rng.random(count)), 2) for parameter in DIVA]
    return np.stack(columns, axis=1)


def test_names_of_both_formats_are_found(shared):
    """As a VST 2 and a VST 3 host reported them, most of them at other indices."""
    with (shared / "facts" / "diva_params_vst2_vs_vst3.tsv").open() as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    vst2 = [name for _, name, _ in rows]
    np.testing.assert_array_equal(diva_indices(description(vst2)), np.arange(281))
    vst3 = [""] * 281
    for _, name, place in rows:
        # As VST 3 hosts spell them in Python: lower case, underscores.
        vst3[int(place)] = "-:led_colour" if "LED" in name else name.lower().replace(" ", "_")
    indices = diva_indices(description(["CC 1", *vst3, "Program"]))
    assert indices.tolist() == [int(place) + 1 for _, _, place in rows]
    assert sum(index - 1 == k for k, index in enumerate(indices)) < 70


def test_normalised_names_are_unique():
    assert len({normalised_name(parameter.host_name) for parameter in DIVA}) == 281


def test_what_is_diva(host):
    names = [parameter.host_name for parameter in DIVA]
    assert is_diva(description(names))
    assert is_diva(description(host.RenamedDivaHost.NAMES))
    assert is_diva(description([], "vst2", "DiVa"))
    assert not is_diva(description(names, "vst2", "Zbr2"))
    assert not is_diva(description(["Cutoff", "Resonance"]))


def test_a_version_with_other_names_is_refused(renderer, host):
    with pytest.raises(RenderError) as caught:
        renderer(host.RenamedDivaHost).render(DIVA.defaults()[None], NOTE)
    message = str(caught.value)
    assert "missing (2): ENV1: Attack, VCF1: Frequency; " in message
    assert "vcf1:cutoff" in message
    assert "env1:onset" in message


def test_a_name_that_occurs_twice_is_refused():
    names = [parameter.host_name for parameter in DIVA]
    with pytest.raises(RenderError, match=r"twice \(1\): VCF1: Frequency; "):
        diva_indices(description([*names, "VCF1:Frequency"]))


def test_state_is_the_text_of_the_preset():
    text = Preset.template().to_bytes()
    bank = parse_vst2(state_container(text, description([], "vst2", "DiVa")))
    assert (bank.identity.unique_id, bank.chunk) == (b"DiVa", text)
    class_id = "0123456789ABCDEF" * 2
    preset = parse_vstpreset(state_container(text, description([], "vst3", class_id)))
    assert (preset.class_id, preset.state.component) == (class_id, text)


def test_patches_arrive_by_way_of_the_preset(renderer):
    one = renderer()
    assert one.binding.is_known
    assert one.table is DIVA
    for patch in random_patches(2):
        wanted = np.array([DIVA[k].to_normalised(value) for k, value in enumerate(patch)])
        for name, position in (("OPT.Acc", 2 / 3), ("OPT.OffAcc", 0.0), ("VCC.MuCore", 0.0)):
            wanted[DIVA.index(name)] = position
        np.testing.assert_allclose(one.read_back(patch), wanted, rtol=0, atol=1e-9)


def test_quality_is_set_whatever_the_patch_says(renderer):
    one = renderer(quality=DivaQuality(accuracy="divine", offline="best", multicore=True))
    taken = one.read_back(DIVA.defaults())
    settings = [DIVA.index(name) for name in ("OPT.Acc", "OPT.OffAcc", "VCC.MuCore")]
    assert taken[settings].tolist() == [1.0, 1.0, 1.0]
    assert one.info.quality == "accuracy divine, offline best"
    # Results of another accuracy are not to be mixed with these.
    assert one.info.to_dict() != renderer().info.to_dict()
    with pytest.raises(InvalidValueError, match="accuracy is 'best': it must be one of draft"):
        DivaQuality(accuracy="best")


def test_by_name_where_the_host_takes_no_state(host, tmp_path):
    diva = host.DivaHost(tmp_path, 44100, 512, tmp_path)
    indices = diva_indices(diva.describe())
    loader = DivaNameLoader(DivaQuality(), indices)
    patches = random_patches(2, seed=3)
    loader.load(diva, loader.rows(patches)[1])
    for name in ("VCF1.Freq", "LFO1.Polar", "ENV2.Rel", "OSC.Tune1"):
        place = DIVA.index(name)
        position = DIVA[name].to_normalised(patches[1, place])
        assert diva.values(indices[[place]])[0] == pytest.approx(position, abs=1e-12)


def test_patches_are_heard(renderer):
    """The stand-in sounds higher by the position of the cutoff."""
    one = renderer(workers=2)
    patches = np.tile(DIVA.defaults(), (6, 1))
    positions = np.linspace(0, 1, 6)
    patches[:, DIVA.index("VCF1.Freq")] = DIVA["VCF1.Freq"].to_unit(positions)
    audio = one.render(patches, NOTE)
    peaks = np.abs(np.fft.rfft(audio, axis=1)).argmax(axis=1) * 2.0
    np.testing.assert_allclose(peaks, 220 * (1 + positions), atol=3)


def test_patches_that_sound_alike_are_no_fault(renderer):
    """The attack makes no difference in the stand-in; and the first equals the reference."""
    patches = np.tile(DIVA.defaults(), (6, 1))
    patches[:, DIVA.index("ENV1.Atk")] = np.linspace(0, 50, 6)
    patches[3:, DIVA.index("VCF1.Freq")] = 60.0
    result = renderer().render_checked(patches, NOTE)
    assert not result.failures
    np.testing.assert_array_equal(result.audio[0], result.audio[2])
    np.testing.assert_array_equal(result.audio[3], result.audio[5])


def test_keys_that_are_no_parameter_are_the_presets(renderer, diva_presets):
    """A preset with its own tuning and trimmers around the patch."""
    preset = Preset.read(diva_presets[0])
    one = renderer(preset=preset)
    text = one._loader.preset.with_values(preset.values()).to_bytes()
    assert text == preset.to_bytes()


@pytest.mark.parametrize(
    ("kind", "subject", "finding"),
    [
        ("DivaHost", "presets, value by value", "all 281 values arrive"),
        ("DeafDivaHost", "presets, value by value", "change nothing in the plug-in"),
        (
            "ExchangedDivaHost",
            "presets, value by value",
            "ENV1.Atk, ENV1.Dec; ENV1.Atk, ENV1.Dec show the values of others",
        ),
        ("DivaHost", "silence", "a patch without level is silent"),
        ("DemoDivaHost", "silence", "a demo makes such noise"),
    ],
)
def test_what_doctor_finds_of_diva(renderer, host, kind, subject, finding):
    checks = {check.subject: check for check in check_diva("Diva", renderer(getattr(host, kind)))}
    assert finding in checks[subject].finding
    assert (checks[subject].status == "problem") == (kind != "DivaHost")


def test_positions_are_those_that_a_host_has_shown():
    """As a VST 3 host showed them: no answer of this table."""
    tune = DIVA["OSC.Tune2"]
    shown = [float(tune.to_unit(position)) for position in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert shown == pytest.approx([-24, -12, 0, 12, 24])
    model = DIVA["OSC.Model"]
    labels = [model.label(float(model.to_unit(p))) for p in (0, 0.25, 0.5, 0.75, 1)]
    assert labels == ["Triple VCO", "Dual VCO", "DCO", "Dual VCO Eco", "Digital"]


def test_presets_are_installed_where_diva_looks(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPDIVA_DIVA_PRESETS", str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    mine = tmp_path / "Bass.h2p"
    Preset.template(name="Bass").write(mine)
    result = CliRunner().invoke(main, ["doctor", "--install", str(mine)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "user" / "DeepDiva" / "Bass.h2p").read_bytes() == mine.read_bytes()
    again = CliRunner().invoke(main, ["doctor", "--install", str(mine)])
    assert again.exit_code == 2
    assert "exists already" in again.output
