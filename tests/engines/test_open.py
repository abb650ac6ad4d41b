"""`anyk.engines.open`: names, counts, and what is refused."""

import pytest

from anyk import engines
from anyk.engines.inline import InlineEngine
from anyk.errors import InputError
from anyk.faults import Crash


@pytest.mark.parametrize(
    ("spec", "settings", "workers"),
    [("inline:3", {}, 3), ("inline:3", {"workers": 5}, 3), ("simulated", {"workers": 5}, 5)],
)
def test_the_number_of_workers_comes_from_the_name_or_beside_it(spec, settings, workers):
    with engines.open(spec, **settings) as engine:
        assert len(engine.lanes) == workers


def test_without_a_number_there_is_a_worker_per_core():
    with engines.open("inline") as engine:
        assert len(engine.lanes) == engines.cores()


def test_an_opened_engine_comes_back_as_it_is():
    engine = InlineEngine(2)

    assert engines.open(engine) is engine


@pytest.mark.parametrize("spec", ["carrier-pigeons", "inline:", "inline:0", "inline:-2", "inline:many", "", object()])
def test_what_is_no_engine_is_refused_and_the_engines_are_listed(spec):
    with pytest.raises(InputError, match="inline, processes, simulated"):
        engines.open(spec)


def test_faults_are_given_where_an_engine_is_opened():
    with pytest.raises(InputError, match="open already"):
        engines.open(InlineEngine(2), faults=Crash(probability=0.5))


def test_faults_reach_the_workers():
    with engines.open("simulated:1", faults=Crash(probability=1.0), seed=1) as engine:
        assert isinstance(engine.lanes[0].submit(abs, -1).exception(), engines.WorkerLost)
