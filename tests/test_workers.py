"""Workers: threads and processes give what one loop gives."""

import os
import textwrap

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.objective import COARSE, FINE
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.workers import WorkerPool, spans, worker_count

NOTE = Note(sample_rate=8000, length_seconds=0.2, render_seconds=0.25)
SPACE = default_space()


@pytest.mark.parametrize("count", [1, 5, 16, 31, 32, 48, 64, 100])
@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("multiple", [1, 16])
def test_spans_cover_everything_once(count, workers, multiple):
    pieces = spans(count, workers, multiple)
    assert [i for piece in pieces for i in range(count)[piece]] == list(range(count))
    assert all(piece.stop > piece.start for piece in pieces)
    if count >= multiple * workers:
        assert len(pieces) <= workers
        assert all((piece.stop - piece.start) % multiple == 0 for piece in pieces[:-1])
    else:
        assert len(pieces) == min(count, -(-count // -(-count // workers)))


def test_worker_count():
    assert worker_count() >= 1
    assert worker_count(3) == 3
    with pytest.raises(InvalidValueError, match="jobs is 0"):
        worker_count(0)


@pytest.fixture
def task_module(tmp_path, monkeypatch):
    """A module that worker processes can import."""
    (tmp_path / "worker_module.py").write_text(
        textwrap.dedent(
            """
            import os
            from deepdiva.synths.diva.panel_renderer import PanelRenderer
            from deepdiva.renderer import RendererInfo

            LOADS = []

            class State:
                def __init__(self, factor):
                    self.factor = factor

                def __setstate__(self, values):
                    self.__dict__.update(values)
                    LOADS.append(1)

            def multiply(state, item):
                return state.factor * item, os.getpid(), len(LOADS)

            def fail(state, item):
                if item == 2:
                    raise ValueError("item 2")
                return item

            def die(state, item):
                os._exit(3)

            class ProcessEngine(PanelRenderer):
                @property
                def info(self):
                    return RendererInfo("embedded", "1", True, "loky")
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    import worker_module

    # loky keeps processes for the next caller; those of another test do not know this module.
    get_reusable_executor().shutdown(wait=True)
    return worker_module


def test_processes_load_the_state_once_and_keep_the_order(task_module):
    with WorkerPool(task_module.multiply, task_module.State(3), "loky", 2) as pool:
        rounds = [pool.map(range(6)) for _ in range(3)]
    for results in rounds:
        assert [value for value, _, _ in results] == [0, 3, 6, 9, 12, 15]
        assert os.getpid() not in {pid for _, pid, _ in results}
        assert {loads for _, _, loads in results} == {1}


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_errors_of_workers_reach_the_caller(task_module, backend):
    with (
        WorkerPool(task_module.fail, None, backend, 2) as pool,
        pytest.raises(ValueError, match="item 2"),
    ):
        pool.map(range(4))


def test_a_dead_worker_is_a_clear_error(task_module):
    from deepdiva.errors import RenderError

    with (
        WorkerPool(task_module.die, None, "loky", 2) as pool,
        pytest.raises(RenderError, match="worker process died"),
    ):
        pool.map(range(4))


def test_scores_are_the_same_in_threads_in_processes_and_alone(task_module):
    target = PanelRenderer().render(SPACE.patches(np.full((1, 11), 0.4)), NOTE, 5)[0]
    points = SPACE.random(np.random.default_rng(0), 37)
    wanted = None
    for renderer in (PanelRenderer(), task_module.ProcessEngine()):
        for jobs in (1, 2):
            with Evaluator(target, renderer, SPACE, NOTE, 0, jobs) as evaluator:
                got = [evaluator.score(points, objective) for objective in (COARSE, FINE)]
            wanted = wanted or got
            for one, other in zip(wanted, got, strict=True):
                assert np.array_equal(one.distances, other.distances)
                assert (one.best, one.full) == (other.best, other.full)
