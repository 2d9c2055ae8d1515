"""The rest of the engine is compiled in the background, once, what is frequent first."""

from collections import Counter
from multiprocessing import Pipe

import pytest

from deepdiva.app import compiler
from deepdiva.app.library import Library
from deepdiva.app.studio import Studio
from deepdiva.note import Note
from deepdiva.synths.diva import warmth
from deepdiva.synths.diva.panel import FILTERS, HIGHPASSES, MODELS, OSCILLATORS
from deepdiva.synths.diva.structure import STRUCTURE
from deepdiva.synths.diva.table import DIVA


@pytest.fixture
def _cold(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPDIVA_CACHE", str(tmp_path))


def told(steps, monkeypatch):
    """What the process tells while it compiles."""
    monkeypatch.setattr(warmth, "warm_steps", lambda: steps)
    monkeypatch.setattr(compiler.os, "nice", lambda _: 0)
    ours, theirs = Pipe()
    ours.send("compile")
    compiler.main(theirs)
    found = []
    while ours.poll():
        found.append(ours.recv())
    return found


def test_every_chain_is_compiled_and_those_of_many_patches_first():
    steps = warmth.warm_steps()[1:]
    chains = [step.args for step in steps]
    assert len(set(chains)) == len(chains) == len(OSCILLATORS) * len(HIGHPASSES) * len(FILTERS)
    columns = [DIVA.index(name) for name in MODELS]
    drawn = STRUCTURE.draws(256, 1, Note())[:, columns].astype(int).tolist()
    counts = Counter(tuple(row) for row in drawn)
    early, late = (sum(counts[one] for one in part) for part in (chains[:30], chains[30:]))
    assert early > 2 * late


@pytest.mark.usefixtures("_cold")
def test_it_is_done_once_for_an_installation(monkeypatch):
    calls = []
    steps = [lambda: calls.append(1), lambda: calls.append(2)]
    assert told(steps, monkeypatch) == [(1, 2), (2, 2)]
    assert calls == [1, 2]
    assert warmth.is_warm()
    assert told(steps, monkeypatch) == []


def test_the_page_is_told_how_far_it_is(tmp_path):
    studio = Studio(Library(tmp_path))
    assert studio.snapshot()["compiling"] is None
    studio._compiled((3, 101))
    assert studio.snapshot()["compiling"] == (3, 101)
    studio._compiled((101, 101))
    assert studio.snapshot()["compiling"] is None
