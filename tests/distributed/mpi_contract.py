"""The contract on MPI ranks, for pytest on rank 0 of a job: `test_mpi.py` starts it."""

import numpy as np
import pytest

import anyk
from anyk.engines.base import Far
from anyk.engines.work import nap
from anyk.errors import ClusterError
from anyk.testing.engines import EngineContract
from anyk.testing.engines.kit import FOREVER
from tests.distributed.verbs import CODES, every_verb, reduced, resident_blocks_move_once, several_at_once


class TestMPI(EngineContract):
    def make(self, workers):
        return anyk.engines.open("mpi", workers=workers)

    def test_one_engine_is_open_at_a_time(self, engine):
        with pytest.raises(ClusterError, match="open already"):
            self.make(2)

    def test_an_engine_forgets_what_the_one_before_knew(self):
        with self._opened(3) as engine:
            engine.lanes[0].put("kept", np.ones(1)).result(timeout=30)
        with self._opened(3) as engine:
            assert self._error(engine.lanes[0].fetch("kept")) is not None

    def test_a_block_that_comes_before_the_masters_first_word_is_kept(self):
        """Which of the two is first is a race: before it was kept, one engine in three hung here."""
        for _ in range(10):
            with self._opened(2) as engine:
                source, target = engine.lanes
                self._result(source.put("a", np.ones((2, 2))))
                busy = source.submit(nap, FOREVER)

                assert self._result(target.submit(np.sum, Far(source, "a"))) == 4.0
                source.cancel(busy)


@pytest.fixture(scope="module")
def engine():
    with anyk.engines.open("mpi") as engine:
        yield engine


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_every_verb_with_every_code(code, engine):
    every_verb(engine, code)


def test_the_master_receives_one_c_in_place_of_all_answers(engine):
    reduced(engine, anyk.codes.matdot(2, workers=3))


def test_blocks_of_a_placed_matrix_move_once(engine):
    resident_blocks_move_once(engine, anyk.codes.mds(2, 3))


def test_several_products_at_once(engine):
    several_at_once(engine, anyk.codes.matdot(2, workers=6))
