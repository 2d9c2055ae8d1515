"""A plug-in's list of parameters as a table, and as the space of a search."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.errors import RenderError
from deepdiva.hosts.dawdreamer import shown_steps
from deepdiva.hosts.host import HostParameter, PluginDescription
from deepdiva.hosts.loading import normalised
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.plugin_table import host_indices, plugin_table, unique_names
from deepdiva.hosts.settings import PluginSettings
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA

SEMITONES = tuple(str(k) for k in range(-12, 13))


def description(*parameters):
    return PluginDescription(
        name="Synth",
        path="/synth.so",
        format="vst2",
        version="",
        host="",
        unique_id="Synt",
        parameters=parameters,
        takes_state=True,
        knows_defaults=True,
    )


def test_kinds_by_steps():
    table = plugin_table(
        description(
            HostParameter(0, "Cutoff", 0.25, (), "Hz"),
            HostParameter(1, "Sync", 1.0, ("off", "on")),
            HostParameter(2, "Wave", 0.5, ("sine", "saw", "square", "noise", "random")),
            HostParameter(3, "Pitch", 0.5, SEMITONES, "semitones"),
            HostParameter(4, "Range", 3 / 7, ("1/8", "1/4", "1/2", "1", "2", "4", "8", "16")),
        )
    )
    assert [parameter.kind for parameter in table] == ["float", "bool", "enum", "int", "enum"]
    assert [parameter.is_class for parameter in table] == [False, True, True, False, True]
    assert table.defaults().tolist() == [0.25, 1.0, 2.0, 0.0, 3.0]
    assert (table["Pitch"].minimum, table["Pitch"].maximum) == (-12, 12)
    assert table["Range"].label(3.0) == "1"
    assert table["Wave"].parse("SAW") == 1.0
    patch = np.array([[0.3, 0.0, 4.0, -12.0, 7.0], [0.3, 1.0, 1.0, 6.0, 1.0]])
    positions = [[0.3, 0, 1, 0, 1], [0.3, 1, 0.25, 0.75, 1 / 7]]
    np.testing.assert_allclose(normalised(table, patch), positions, rtol=0, atol=1e-15)


def test_names_are_made_to_differ():
    names = ["Level", "", "Level", "  Two  words ", "Level", "Level (2)", ""]
    assert unique_names(names) == [
        "Level",
        "parameter 1",
        "Level (2)",
        "Two words",
        "Level (3)",
        "Level (2) (2)",
        "parameter 6",
    ]


def test_repeated_labels_stay_apart():
    table = plugin_table(description(HostParameter(0, "Wave", 0.0, ("a", "b", "a"))))
    assert [choice.label for choice in table["Wave"].choices] == ["a", "b", "a (2)"]


def test_indices_are_the_hosts():
    plugin = description(HostParameter(2080, "Wave", 0.0), HostParameter(2087, "Volume", 0.75))
    assert host_indices(plugin).tolist() == [2080, 2087]
    assert [parameter.index for parameter in plugin_table(plugin)] == [0, 1]


def test_plugin_without_parameters():
    with pytest.raises(RenderError, match="no parameters: there is nothing to search"):
        plugin_table(description())


def steps(display):
    """Steps of a parameter whose display is a function of its position."""
    return shown_steps(lambda count: [display(k / (count - 1)) for k in range(count)])


def test_steps_are_seen_in_the_display():
    assert steps(lambda x: str(round(4 * x))) == tuple("01234")
    assert steps(lambda x: "on" if x >= 0.5 else "off") == ("off", "on")
    # What counts by truncation shows the k-th text from k / (n - 1) on.
    assert steps(lambda x: str(int(3 * x + 1e-9))) == tuple("0123")
    assert steps(lambda x: f"{round(24 * x) - 12} st") == tuple(f"{k} st" for k in range(-12, 13))


@pytest.mark.parametrize(
    "display",
    [
        lambda _: "",
        lambda x: f"{x:.3f}",
        lambda x: f"{100 * x:.0f} %",
        lambda x: str(round(4 * x) % 3),  # a text comes back
        lambda x: str(int(x > 0.1) + int(x > 0.2)),  # the steps are not evenly spaced
    ],
)
def test_displays_that_show_no_steps(display):
    assert steps(display) == ()


def test_amsynth(amsynth):
    renderer = PluginRenderer(PluginSettings(amsynth))
    table = renderer.table
    assert len(table) == 41
    assert table.names[:5] == (
        "amp_attack",
        "amp_decay",
        "amp_sustain",
        "amp_release",
        "osc1_waveform",
    )
    # amsynth's manual: five waveforms, seven of the LFO, four octaves each way, twelve semitones.
    counts = {parameter.name: len(parameter.choices) for parameter in table if parameter.choices}
    assert counts == {
        "osc1_waveform": 5,
        "osc2_waveform": 5,
        "lfo_waveform": 7,
        "osc2_range": 8,
        "osc2_sync": 2,
        "keyboard_mode": 3,
        "osc2_pitch": 25,
        "filter_type": 5,
        "filter_slope": 2,
        "freq_mod_osc": 3,
    }
    assert table["osc2_pitch"].kind == "int"
    assert table["osc2_range"].label(table["osc2_range"].default) == "1"
    assert table["amp_sustain"].default == 1.0
    space = ParameterSpace(table, table.defaults(), ("filter_cutoff", "osc1_waveform"))
    assert [dimension.parameter.name for dimension in space.classes] == ["osc1_waveform"]


def test_vst3_leaves_out_the_midi_controllers(vst3):
    renderer = PluginRenderer(PluginSettings(vst3))
    assert renderer.table.names == (
        *("Waveform", "Tuning", "Cutoff", "VCF Resonance"),
        *("Env Mod", "Decay", "Accent", "Volume"),
    )
    assert renderer.host_indices[0] == 2080
    assert renderer.table["Waveform"].choices[1].label == "Triangle"


def test_parameters_of_a_plugin_are_listed(nekobi):
    arguments = ["parameters", "--plugin", str(nekobi), "--json"]
    entries = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert [entry["name"] for entry in entries[:3]] == ["Waveform", "Tuning", "Cutoff"]
    assert [choice["label"] for choice in entries[0]["choices"]] == ["Square", "Triangle"]
    result = CliRunner().invoke(main, ["parameters", "Reverb", "--plugin", str(nekobi)])
    assert result.exit_code == 2
    assert "No parameter of Nekobi-Vst has to do with 'Reverb'" in result.stderr


def test_all_parameters_at_once_stand_where_each_does():
    """A whole batch is normalised as the parameters do one by one, to the last bit."""
    rng = np.random.default_rng(3)
    low, high = np.array([(each.minimum, each.maximum) for each in DIVA]).T
    patches = low + (high - low) * rng.random((20, len(DIVA)))
    columns = [each.to_normalised(patches[:, each.index]) for each in DIVA]
    np.testing.assert_array_equal(normalised(DIVA, patches), np.stack(columns, axis=1))
