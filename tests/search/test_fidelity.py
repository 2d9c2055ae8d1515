"""Two fidelities: the embedded engine is searched first, then what is not quite like it."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import load_target, write_wav
from deepdiva.cli import main
from deepdiva.errors import InvalidValueError
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.note import Note
from deepdiva.patch_writer import PresetWriter
from deepdiva.pipeline.options import RendererChoice
from deepdiva.renderer import Renderer, RendererInfo
from deepdiva.search.fidelity import Sketch, start_from
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RENDERS, RefineSettings
from deepdiva.search.sound_match import Outputs, Task, match_sound
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(sample_rate=8000, length_seconds=0.2, render_seconds=0.25)
SPACE = default_space()
CHANGED = {
    "filter.bite.shift": 2.0,
    "filter.bite.feedback_gain": 2.8,
    "attack_longest": 8.0,
    "oscillator.dual_vco_eco.gain_square": 0.9,
}


class Relative(Renderer):
    """Plays like the engine with other constants, and hears one parameter more."""

    def __init__(self):
        self._engine = PanelRenderer(constants=CHANGED)
        self.played = 0

    @property
    def info(self):
        return RendererInfo("relative", "1", repeatable=True, workers="threading")

    @property
    def table(self):
        return DIVA

    @property
    def supported(self):
        return self._engine.supported | {"Scope1.frq"}

    def render(self, patches, note, seeds=0):
        self.played += len(patches)
        return self._engine.render(patches, note, seeds)


@pytest.fixture(scope="module")
def target():
    patch = SPACE.patches(SPACE.random(np.random.default_rng(8), 1))
    return Relative().render(patch, NOTE, 5)[0]


@pytest.fixture(scope="module")
def sketched(target):
    settings = RefineSettings(evaluations=1500, jobs=1)
    return refine(target, PanelRenderer(), SPACE, NOTE, settings, explained=True)


def test_a_few_renders_go_further_after_the_engine(target, sketched):
    few = RefineSettings(evaluations=120, jobs=1)
    alone = refine(target, Relative(), SPACE, NOTE, few)
    after = refine(target, Relative(), SPACE, NOTE, few, start=start_from(sketched, SPACE))
    assert after.distance < 0.9 * alone.distance


def test_the_engines_match_is_tried_first_and_nothing_twice(sketched):
    start = start_from(sketched, SPACE)
    assert start.candidates[0] == pytest.approx(SPACE.normalised(sketched.patch[None])[0])
    assert len(np.unique(start.candidates, axis=0)) == len(start.candidates) > 4
    waves = {tuple(point[[d.position for d in SPACE.classes]]) for point in start.candidates}
    assert len(waves) > 3, "other combinations of classes get their chance"


def test_what_the_engine_does_not_play_starts_at_the_base(sketched):
    wide = ParameterSpace(DIVA, SPACE.base, (*SPACE.free[:4], "Scope1.frq", *SPACE.free[4:]))
    assert Sketch(PanelRenderer(), RefineSettings()).space(wide).free == SPACE.free
    start = start_from(sketched, wide)
    assert np.all(start.candidates[:, 4] == wide.normalised(SPACE.base[None])[0, 4])
    assert start.deviations[4] > 2 * start.deviations[5]
    silent = ParameterSpace(DIVA, SPACE.base, ("Scope1.frq",))
    with pytest.raises(InvalidValueError, match="No parameter is free"):
        Sketch(PanelRenderer(), RefineSettings()).space(silent)


def test_a_start_says_the_same_of_fewer_parameters():
    rng = np.random.default_rng(2)
    root = rng.standard_normal((11, 11))
    start = Start(
        SPACE,
        SPACE.random(rng, 5),
        0.01 * root @ root.T + 1e-3 * np.eye(11),
        {"OSC.Wave1": np.array([0.1, 0.2, 0.3, 0.4])},
        {"OSC.Tune2": np.array([0.5])},
        trust=0.7,
    )
    few = ParameterSpace(DIVA, SPACE.base, ("VCF1.Freq", "OSC.Wave1", "ENV1.Atk"))
    columns = [SPACE.free.index(name) for name in few.free]
    found = start.within(few)
    assert np.array_equal(found.candidates, start.candidates[:, columns])
    assert np.array_equal(found.covariance, start.covariance[np.ix_(columns, columns)])
    assert set(found.probabilities) == {"OSC.Wave1"}
    assert found.hints == {}
    assert found.trust == 0.7


def task(target, folder, *, resume=False):
    writer = PresetWriter(Preset.template(), ".h2p")
    sound = folder / "bass.wav"
    if not sound.exists():
        write_wav(sound, target, NOTE.sample_rate)
    outputs = Outputs.of(sound, folder / "out", writer)
    settings = RefineSettings(evaluations=100, jobs=1, seed=4)
    return Task(
        load_target(sound, NOTE), outputs, writer, SPACE, NOTE, settings, force=False, resume=resume
    )


def test_a_search_that_is_broken_off_on_the_engine_goes_on(target, tmp_path):
    sketch = Sketch(PanelRenderer(), RefineSettings(evaluations=400, jobs=1, seed=4))
    folders = [tmp_path / name for name in ("whole", "broken")]
    for folder in folders:
        folder.mkdir()
    whole = match_sound(task(target, folders[0]), Relative(), None, None, sketch)
    assert (folders[0] / "out" / "bass.run" / "sketch" / "history.csv").exists()

    def interrupt(progress):
        if progress.evaluations >= 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        match_sound(task(target, folders[1]), Relative(), None, interrupt, sketch)
    assert not (folders[1] / "out" / "bass.h2p").exists()
    assert (folders[1] / "out" / "bass.run" / "best.h2p").exists()
    again = match_sound(task(target, folders[1], resume=True), Relative(), None, None, sketch)
    assert np.array_equal(again.result.patch, whole.result.patch)
    assert again.result.distance == whole.result.distance


def test_a_forced_search_that_is_broken_off_on_the_engine_goes_on(target, tmp_path):
    sketch = Sketch(PanelRenderer(), RefineSettings(evaluations=200, jobs=1, seed=4))
    match_sound(task(target, tmp_path), Relative(), None, None, sketch)
    other = replace(task(target, tmp_path).settings, seed=5)
    again = replace(task(target, tmp_path), settings=other, force=True)

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        match_sound(again, Relative(), None, interrupt, replace(sketch, settings=other))
    resumed = replace(again, force=False, resume=True)
    match = match_sound(resumed, Relative(), None, None, replace(sketch, settings=other))
    assert match.result.end == "budget"
    best = Preset.read(tmp_path / "out" / "bass.run" / "best.h2p")
    assert np.array_equal(best.values(), Preset.read(tmp_path / "out" / "bass.h2p").values())


@pytest.mark.usefixtures("standins")
def test_the_command_searches_the_engine_before_diva(target, tmp_path, monkeypatch):
    host = importlib.import_module("diva_host").DivaHost
    plugin = tmp_path / "Diva.vst3"
    plugin.touch()
    opened = []

    def open_renderer(self, preset, **options):  # noqa: ARG001
        opened.append(PluginRenderer(PluginSettings(plugin, host=host, workers=1), preset))
        return opened[-1]

    monkeypatch.setattr(RendererChoice, "open", open_renderer)
    write_wav(tmp_path / "bass.wav", target, NOTE.sample_rate)
    options = [
        "--note-pitch",
        "48",
        "--note-length",
        "0.2",
        "--render-length",
        "0.25",
        "--sample-rate",
        "8000",
    ]
    options += ["--plugin", str(plugin), "--mode", "quick", "--no-predict", "--json"]
    found = {}
    for name, more in (("first", []), ("never", ["--no-engine-first", "--evaluations", "60"])):
        arguments = [
            "refine",
            "--free",
            "ms-rev1",
            str(tmp_path / "bass.wav"),
            "-o",
            str(tmp_path / name),
        ]
        result = CliRunner().invoke(main, [*arguments, *options, *more])
        assert result.exit_code == 0, result.output
        [found[name]] = json.loads(result.stdout)
    assert found["first"]["settings"]["evaluations"] == RENDERS["quick"]
    sketch = tmp_path / "first" / "bass.run" / "sketch"
    description = json.loads((sketch / "run.json").read_text())
    assert description["renderer"]["name"] == "embedded"
    assert description["settings"]["evaluations"] == 1000
    assert found["never"]["evaluations"] == 60
    assert not (tmp_path / "never" / "bass.run" / "sketch").exists()


def test_a_target_needs_no_file(target, tmp_path):
    again = replace(task(target, tmp_path), force=True)
    match_sound(again, Relative())
    (tmp_path / "bass.wav").unlink()
    assert match_sound(again, Relative()).result.end == "budget"
