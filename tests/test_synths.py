"""What is known of a synthesizer stands in its folder; equivalent patches sound alike."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepdiva.errors import InvalidValueError, RenderError, UnknownNameError
from deepdiva.hosts.host import Host
from deepdiva.hosts.settings import HOSTS
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.renderer import Renderer, RendererInfo
from deepdiva.renderers import KINDS, RENDERERS, renderer_kind
from deepdiva.synths import KNOWN, find_synthesizer, synthesizer_of
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

ROOT = Path(__file__).parents[1]
while not (ROOT / "pyproject.toml").is_file():
    ROOT = ROOT.parent
PACKAGES = ("deepdiva", "search", "models", "data", "evaluation")
OWNERS = ("deepdiva/synths/diva", "deepdiva/engine")
"""Where parameters of Diva may be named: its folder, and the engine that plays it."""

SYNTH = find_synthesizer("diva")
NOTE = Note(length_seconds=0.4, render_seconds=0.6)
TWO_SAWS = {"OSC_Wave1": 2.0, "OSC_Wave2": 1.0}


def patch(**values):
    """MS-REV1 with a few values changed; `OSC_Wave1=3` stands for `OSC.Wave1`."""
    return SYNTH.with_values(
        DIVA.defaults(), {name.replace("_", "."): value for name, value in values.items()}
    )


def exchanged(before):
    return SYNTH.with_values(before, SYNTH.exchange(before))


def sources():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if path.resolve() == path and not name.startswith(OWNERS):
                yield name, path.read_text("utf-8")


NAMED = re.compile("|".join(rf"(?<![\w.]){re.escape(name)}(?!\w)" for name in DIVA.names))


def strays(name, text):
    """Where a source file names parameters of Diva, be it in code, docstrings or comments."""
    return [
        f"{name}:{number}: {found.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for found in NAMED.finditer(line)
    ]


def test_parameters_of_diva_are_named_in_its_folder_only():
    assert [stray for name, text in sources() for stray in strays(name, text)] == []


def test_parameters_of_diva_are_not_put_together_from_pieces():
    """Sections such as `VCF1` in a string, or formatted strings that begin or end like a name."""
    sections = {parameter.section for parameter in DIVA} - {"main"}
    found = []
    for name, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                stem = node.value.strip(".")
                if stem in sections:
                    found.append(f"{name}:{node.lineno}: {node.value}")
    assert found == []


def test_the_scan_sees_names_and_nothing_else():
    assert strays("a", 'x = "OSC.Tune1"')
    assert strays("a", "# VCC.Voicing=2, say")
    assert not strays("a", "main.Output.x = self.OSC")
    assert "search/moves.py" in {name for name, _ in sources()}


def test_a_table_finds_its_synthesizer_wherever_it_comes_from():
    assert synthesizer_of(DIVA) is SYNTH
    assert synthesizer_of(replace(DIVA, parameters=tuple(map(replace, DIVA)))) is SYNTH
    assert set(KNOWN) == {SYNTH.table.name}
    with pytest.raises(UnknownNameError, match="it must be one of diva"):
        find_synthesizer("juno")


@pytest.mark.parametrize(
    "table",
    [ParameterTable("diva", DIVA.parameters[:-1]), ParameterTable("other", DIVA.parameters)],
    ids=["another version", "another synthesizer"],
)
def test_of_another_synthesizer_only_the_parameters_are_known(table):
    other = synthesizer_of(table)
    values = table.defaults()
    assert other is not SYNTH
    assert other.default_free == table.names == other.default_space().free
    assert (other.oscillators, other.key_rules, other.exchange(values)) == ((), None, None)
    assert (other.transposition(values), other.equivalents(values)) == (0.0, ())
    assert (other.unused(values), dict(other.usual_variety)) == (frozenset(), {})


def test_the_default_space_is_the_synthesizers():
    assert SYNTH.default_space().to_dict() == default_space().to_dict()


def test_transposition_counts_semitones_and_cents():
    assert SYNTH.transposition(patch()) == 0.0
    assert SYNTH.transposition(patch(VCC_Trsp=7.0, VCC_FTun=-40.0)) == pytest.approx(6.6)


def test_exchanging_twice_changes_nothing():
    before = patch(**TWO_SAWS, OSC_Tune1=12.0, OSC_Tune2=-24.0, OSC_Vol1=80.0, OSC_Vol2=20.0)
    once = exchanged(before)
    assert not np.array_equal(once, before)
    assert np.array_equal(exchanged(once), before)


@pytest.mark.parametrize(
    "values",
    [
        TWO_SAWS | {"OSC_Tune2": 7.0},
        TWO_SAWS | {"OSC_Model": 1.0},
        {"OSC_Wave1": 4.0, "OSC_Wave2": 1.0},
        {"OSC_Wave1": 2.0, "OSC_Wave2": 4.0},
        {"OSC_Wave1": 3.0, "OSC_Wave2": 2.0, "OSC_PW": 50.0},
    ],
    ids=["no octave", "other model", "noise", "ring", "pulse that is no square"],
)
def test_parts_that_the_other_oscillator_cannot_play_stay(values):
    assert SYNTH.exchange(patch(**values)) is None


def test_two_squares_can_be_exchanged():
    values = {"OSC_Wave1": 3.0, "OSC_Wave2": 2.0, "OSC_PW": 0.0}
    assert SYNTH.exchange(patch(**values)) is not None


@pytest.mark.parametrize(
    "values",
    [
        {"OSC_Vol1": 0.0, "OSC_Vol2": 60.0, "OSC_Tune1": 12.0},
        {"OSC_Vol2": 0.0, "OSC_Tune2": 7.0, "OSC_Wave2": 4.0},
        {"OSC_TM1Src": 0.0, "OSC_TM1Dpt": 20.0},
        {"OSC_TM1Src": 17.0, "OSC_TM1Dpt": 0.0},
    ],
    ids=["first oscillator down", "second oscillator down", "no source", "no depth"],
)
def test_unused_values_do_not_sound(values):
    """The engine plays the same whatever stands there, with the same start phases."""
    before = patch(**values)
    unused = sorted(SYNTH.unused(before))
    assert {name.replace("_", ".") for name in values} & set(unused)
    assert not set(unused) & {"OSC.Vol1", "OSC.Vol2", "VCF1.Freq"}
    rng = np.random.default_rng(0)
    drawn = [{name: DIVA[name].to_unit(rng.random()) for name in unused} for _ in range(6)]
    patches = np.array([before, *(SYNTH.with_values(before, one) for one in drawn)])
    sounds = PanelRenderer().render(patches, NOTE, 5)
    assert np.abs(sounds[0]).max() > 0.01
    assert np.abs(sounds - sounds[0]).max() < 1e-6  # a few steps of float32


@pytest.mark.parametrize(
    ("values", "used"),
    [
        ({"OSC_Vol1": 0.0, "OSC_Vol2": 50.0, "OSC_Wave2": 4.0}, "OSC.Tune1"),
        ({"OSC_Vol1": 0.0, "VCF1_FFM": 10.0}, "OSC.Tune1"),
        ({"OSC_Vol1": 0.0, "OSC_NoisSrc": 17.0, "OSC_NoisDpt": 50.0}, "OSC.Wave1"),
        ({"OSC_Vol1": 0.0, "OSC_Model": 0.0}, "OSC.Wave1"),
        ({"OSC_Vol2": 0.0, "OSC_Vol1": 1.0}, "OSC.Wave1"),
    ],
    ids=["ring modulation", "filter FM", "modulated level", "other model", "audible"],
)
def test_what_something_else_takes_is_used(values, used):
    assert used not in SYNTH.unused(patch(**values))


def test_equivalents_sound_alike_and_differ():
    """Without pots, two exchanged oscillators differ in nothing but their start phases."""
    before = patch(**TWO_SAWS, OSC_Tune1=12.0, OSC_Tune2=-12.0, OSC_Vol1=80.0, OSC_Vol2=20.0)
    others = SYNTH.equivalents(before)
    assert any(np.array_equal(other, exchanged(before)) for other in others)
    everything = np.array([before, *others])
    assert len(np.unique(everything, axis=0)) == len(everything)
    engine = PanelRenderer(np.zeros((8, 3)))
    sounds = engine.render(everything, NOTE, 5).astype(np.float64)
    spectra = np.abs(np.fft.rfft(sounds * np.hanning(NOTE.samples)))
    strongest = [set(np.argsort(-spectrum)[:20].tolist()) for spectrum in spectra]
    assert all(len(one & strongest[0]) >= 15 for one in strongest)


def compared_names(tree):
    """(line, text) of each operand of a comparison that is a word or a name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for part in (node.left, *node.comparators):
                for leaf in ast.walk(part):
                    if isinstance(leaf, ast.Constant | ast.Name | ast.Attribute):
                        yield node.lineno, ast.unparse(leaf).strip("'")


def checked_classes(tree):
    """(line, class) of each `isinstance`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            for leaf in ast.walk(node.args[1]):
                if isinstance(leaf, ast.Name | ast.Attribute):
                    yield node.lineno, ast.unparse(leaf).split(".")[-1]


def test_nobody_asks_for_a_renderer_or_a_synthesizer_by_name():
    """What one can do stands in `RendererInfo`, `RendererKind` and `Synthesizer`."""
    found = []
    for name, text in sources():
        tree = ast.parse(text)
        words = {*RENDERERS, *KNOWN, "DIVA", "DIVA.name"}
        if name != "deepdiva/hosts/discovery.py":  # a plug-in's file name
            found += [
                f"{name}:{line}: {word}" for line, word in compared_names(tree) if word in words
            ]
        found += [
            f"{name}:{line}: isinstance {word}"
            for line, word in checked_classes(tree)
            if word.endswith("Renderer") and not name.startswith("deepdiva/hosts/")
        ]
    assert found == []


def test_the_scan_sees_comparisons():
    tree = ast.parse("if info.name == 'embedded' or table != DIVA: isinstance(x, a.PluginRenderer)")
    assert {"embedded", "DIVA"} <= {word for _, word in compared_names(tree)}
    assert "PluginRenderer" in {word for _, word in checked_classes(tree)}


class Mute(Renderer):
    """A renderer that implements what it must and nothing else."""

    def __init__(self, table):
        self._table = table

    info = RendererInfo("mute", "1", repeatable=True, workers="threading")
    supported = frozenset()

    @property
    def table(self):
        return self._table

    def render(self, patches, note, seeds=0):
        del seeds
        return np.zeros((len(patches), note.samples), np.float32)


def test_the_engine_takes_realizations_as_it_says():
    engine = PanelRenderer()
    assert engine.info.takes_realizations
    patches = np.array([patch(VCC_Voicing=2.0)] * 2)
    size = engine.realization_size(patches[0])
    realizations = np.random.default_rng(0).random((2, size))
    one = engine.render_realizations(patches, NOTE, realizations, 1)
    again = engine.render_realizations(patches[::-1], NOTE, realizations[::-1], 1)
    assert np.array_equal(one, again[::-1])
    assert not np.array_equal(one[0], one[1])


def test_a_renderer_that_takes_none_says_so():
    mute = Mute(DIVA)
    assert not mute.info.takes_realizations
    with pytest.raises(InvalidValueError, match="mute takes no realizations"):
        mute.realization_size(patch())
    with pytest.raises(InvalidValueError, match="mute takes no realizations"):
        mute.render_realizations(patch()[None], NOTE, np.zeros((1, 3)))
    assert mute.unsupported(patch()) == ()


def test_every_renderer_of_divas_table_writes_its_presets(tmp_path):
    base = Preset.template()
    values = patch(OSC_Vol1=12.5, VCF1_Freq=77.25)
    for renderer in (PanelRenderer(), Mute(DIVA)):
        writer = renderer.writer(base)
        assert (writer.suffix, writer.values_suffix) == (".h2p", "")
        path = tmp_path / f"{renderer.info.name}.h2p"
        writer.write(values, path, description="A sentence.", force=False)
        assert np.array_equal(Preset.read(path).values(), values)
        writer.keep(values, tmp_path)
        assert np.array_equal(Preset.read(tmp_path / "best.h2p").values(), values)
    with pytest.raises(RenderError, match="cannot write presets of other"):
        Mute(ParameterTable("other", DIVA.parameters)).writer(base)


def test_a_kind_of_renderer_is_one_row():
    assert RENDERERS == tuple(KINDS) == ("embedded", "dawdreamer", "renderman")
    assert renderer_kind() is KINDS["embedded"]
    assert renderer_kind(plugin="/a/plugin.so") is KINDS["dawdreamer"]
    assert KINDS["embedded"].load() is PanelRenderer
    hosts = {name: kind.load() for name, kind in KINDS.items() if kind.plays_plugins}
    assert hosts == HOSTS
    assert all(issubclass(host, Host) for host in hosts.values())
    with pytest.raises(InvalidValueError, match="it must be one of embedded, dawdreamer"):
        renderer_kind("nothing")
