"""A search that was broken off goes on where it stood, and ends where an unbroken one does."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deepdiva.errors import FileExistsAlreadyError, InvalidValueError
from deepdiva.note import Note
from deepdiva.renderer import Failure, PartialRenderError, RenderBatch, Renderer
from deepdiva.search.journal import GENERATIONS, RUN, Journal
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(sample_rate=8000, length_seconds=0.2, render_seconds=0.25)
SPACE = default_space()
DESCRIPTION = {"seed": 1, "free": ("a", "b")}


class CountingEngine(PanelRenderer):
    """Counts the patches that it is asked for."""

    rendered = 0

    def render(self, patches, note, seeds=0, nuisance=None):
        CountingEngine.rendered += len(patches)
        return super().render(patches, note, seeds, nuisance)


class WithoutRealizations(Renderer):
    """The engine as if it were a plug-in: nobody tells it the realization."""

    def __init__(self):
        self._engine = CountingEngine()

    @property
    def info(self):
        return replace(self._engine.info, takes_realizations=False)

    @property
    def table(self):
        return self._engine.table

    @property
    def supported(self):
        return self._engine.supported

    def render(self, patches, note, seeds=0):
        return self._engine.render(patches, note, seeds)


@pytest.fixture(scope="module")
def target():
    return PanelRenderer().render(SPACE.patches(np.full((1, 11), 0.4)), NOTE, 5)[0]


def search(
    target, folder=None, *, stop_after=None, resume=False, renderer=CountingEngine, **settings
):
    def watch(progress):
        if stop_after is not None and progress.evaluations >= stop_after:
            raise KeyboardInterrupt

    chosen = RefineSettings(**{"evaluations": 700, "jobs": 1, "seed": 3, **settings})
    if folder is None:
        return refine(target, renderer(), SPACE, NOTE, chosen, on_progress=watch)
    with Journal(folder, DESCRIPTION, resume=resume) as journal:
        return refine(target, renderer(), SPACE, NOTE, chosen, journal=journal, on_progress=watch)


def same(one, other):
    for mine, theirs in zip(one.history.generations, other.history.generations, strict=True):
        assert np.array_equal(mine.points, theirs.points)
        assert np.array_equal(mine.scores.distances, theirs.scores.distances)
        assert mine.scores.full == theirs.scores.full
    assert np.array_equal(one.patch, other.patch)
    assert one.distance == other.distance


@pytest.mark.parametrize("optimizer", ["auto", "DE", "CMA"])
def test_a_resumed_search_ends_where_an_unbroken_one_does(target, tmp_path, optimizer):
    unbroken = search(target, optimizer=optimizer)
    search(target, tmp_path, stop_after=200, optimizer=optimizer)
    search(target, tmp_path, stop_after=450, resume=True, optimizer=optimizer)
    same(search(target, tmp_path, resume=True, optimizer=optimizer), unbroken)


def test_a_descent_that_was_broken_off_goes_on_and_workers_do_not_matter(target, tmp_path):
    unbroken = search(target, renderer=WithoutRealizations)
    stages = {generation.stage for generation in unbroken.history.generations}
    assert stages == {"survey", "descent", "polish"}
    search(target, tmp_path, stop_after=300, renderer=WithoutRealizations, jobs=2)
    search(target, tmp_path, stop_after=500, resume=True, renderer=WithoutRealizations)
    lines = [json.loads(line) for line in (tmp_path / GENERATIONS).read_bytes().splitlines()]
    assert any("residuals" in line for line in lines)
    same(search(target, tmp_path, resume=True, renderer=WithoutRealizations, jobs=3), unbroken)
    CountingEngine.rendered = 0
    same(search(target, tmp_path, resume=True, renderer=WithoutRealizations), unbroken)
    assert CountingEngine.rendered <= 16, "one to compile, and the match"


class Failing(WithoutRealizations):
    """Loses one patch in seven."""

    def render(self, patches, note, seeds=0):
        audio = super().render(patches, note, seeds)
        lost = [row for row in range(len(patches)) if int(patches[row].sum() * 1e6) % 7 == 0]
        if lost:
            failures = tuple(Failure(row, "crashed with SIGSEGV") for row in lost)
            raise PartialRenderError(RenderBatch(audio, failures))
        return audio


def test_failures_are_recalled_too(target, tmp_path):
    whole = search(target, tmp_path, renderer=Failing)
    assert whole.failures["crashed with SIGSEGV"] > 10
    assert search(target, tmp_path, renderer=Failing, resume=True).failures == whole.failures


def test_what_is_recalled_is_said_to_be(target, tmp_path):
    seen = []
    with Journal(tmp_path, DESCRIPTION) as journal:
        settings = RefineSettings(evaluations=100, jobs=1)
        refine(target, CountingEngine(), SPACE, NOTE, settings, journal=journal)
    with Journal(tmp_path, DESCRIPTION, resume=True) as journal:
        refine(
            *(target, CountingEngine(), SPACE, NOTE, settings),
            journal=journal,
            on_progress=lambda progress: seen.append(progress.recalled),
        )
    assert seen
    assert all(seen)


@pytest.mark.parametrize("evaluations", [300, 900])
def test_recorded_generations_are_not_rendered_again(target, tmp_path, evaluations):
    whole = search(target, tmp_path, evaluations=evaluations)
    assert (whole.realization is not None) == (evaluations == 900)
    CountingEngine.rendered = 0
    again = search(target, tmp_path, evaluations=evaluations, resume=True)
    same(again, whole)
    assert CountingEngine.rendered <= 16, "one to compile, the match, and its realization"


def test_a_fit_of_start_phases_that_was_broken_off_goes_on(target, tmp_path):
    whole = search(target)
    assert whole.evaluations > 600
    broken = search(target, tmp_path, stop_after=620)
    assert broken.end == "interrupted"
    assert broken.realization is None
    resumed = search(target, tmp_path, resume=True)
    same(resumed, whole)
    assert resumed.realization.distance == whole.realization.distance
    assert np.array_equal(resumed.realization.sound, whole.realization.sound)


def test_a_budget_in_seconds_counts_the_time_before_the_break(target, tmp_path):
    first = search(target, tmp_path, stop_after=150, evaluations=None, seconds=1.0)
    whole = search(target, tmp_path, resume=True, evaluations=None, seconds=1.0)
    for mine, theirs in zip(first.history.generations, whole.history.generations, strict=False):
        assert np.array_equal(mine.points, theirs.points)
        assert mine.seconds == theirs.seconds
    assert 0.5 <= whole.seconds < 2.0


@pytest.mark.parametrize("cut", [1, 40, 2000])
def test_a_line_that_a_kill_cut_short_is_scored_again(target, tmp_path, cut):
    unbroken = search(target)
    search(target, tmp_path, stop_after=300)
    file = tmp_path / GENERATIONS
    data = file.read_bytes()
    file.write_bytes(data[:-cut])
    same(search(target, tmp_path, resume=True), unbroken)
    for line in file.read_bytes().splitlines():
        assert set(json.loads(line)) >= {"seconds", "full", "distances", "points"}


def test_another_search_is_not_mixed_in(target, tmp_path):
    search(target, tmp_path, stop_after=100)
    with pytest.raises(InvalidValueError, match="holds another search: free, seed differ"):
        Journal(tmp_path, {"seed": 2, "free": ["a"]}, resume=True)
    with pytest.raises(InvalidValueError, match="searches other points"):
        search(target, tmp_path, resume=True, seed=4)


def test_a_folder_with_a_run_is_not_overwritten_unasked(tmp_path):
    Journal(tmp_path / "run", DESCRIPTION).__exit__(None, None, None)
    with pytest.raises(FileExistsAlreadyError, match=r"--resume.*--force"):
        Journal(tmp_path / "run", DESCRIPTION)
    (tmp_path / "run" / GENERATIONS).write_text("{}\n")
    Journal(tmp_path / "run", {"seed": 2}, force=True).__exit__(None, None, None)
    assert (tmp_path / "run" / GENERATIONS).read_text() == ""
    assert json.loads((tmp_path / "run" / RUN).read_text()) == {"seed": 2}


def test_resuming_nothing_starts_anew(target, tmp_path):
    same(search(target, tmp_path / "new", resume=True), search(target))


def test_the_table_holds_every_candidate(target):
    result = search(target, evaluations=200)
    header, *rows = [line.split(",") for line in result.history.csv().splitlines()]
    assert header[:6] == ["evaluation", "generation", "stage", "objective", "seconds", "distance"]
    assert tuple(header[6:]) == SPACE.names
    assert [int(row[0]) for row in rows] == list(range(1, 201))
    points = np.concatenate([g.points for g in result.history.generations])
    values = SPACE.patches(points)[:, SPACE.columns]
    assert np.array([row[6:] for row in rows], float) == pytest.approx(values, rel=1e-6)
    distances = np.concatenate([g.scores.distances for g in result.history.generations])
    assert np.array([float(row[5]) for row in rows]) == pytest.approx(distances, rel=1e-5)
    assert result.history.evaluations == 200
