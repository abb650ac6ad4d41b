"""What every engine on other people's means is put through; a test file adds how to open it, and its own traps.

A file's class derives from `OnACluster` and has two fixtures, each for all its tests: ``three``, workers that nothing
harms, and ``six``, whose tasks last a little (`LASTING`) and who are harmed.
"""

import os
import signal
import time

import numpy as np
import pytest

import anyk
from anyk.engines.base import Lost
from anyk.engines.work import nap
from anyk.errors import WorkerLost
from anyk.faults import ShiftedExponential
from anyk.job import everyone
from anyk.testing.engines import EngineContract
from tests.distributed.verbs import (
    CODES,
    HARMFUL,
    KEYS,
    Struck,
    every_verb,
    killed_before_during_and_after,
    products_while_one_is_stopped,
    reduced,
    resident_blocks_move_once,
    several_at_once,
)

CODE = anyk.codes.matdot(2, workers=6)
LASTING = ShiftedExponential(shift=1.0, scale=0.1, unit_seconds=0.15)


class OnACluster(EngineContract):
    """The contract, every verb with every code, losses, and what moves."""

    @pytest.fixture
    def engine(self, request, three):
        """The same workers where no test would notice: a start takes clusters seconds."""
        if any(word in request.node.name for word in HARMFUL):
            with self._opened(3) as engine:
                yield engine
            return
        yield three
        for lane in three.lanes:
            lane.delete(*KEYS)

    @pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
    def test_every_verb_with_every_code(self, code, three):
        every_verb(three, code)

    def test_several_products_at_once(self, three):
        several_at_once(three, CODE)

    def test_the_master_receives_one_c_in_place_of_all_answers(self, three):
        reduced(three, anyk.codes.matdot(2, workers=3))

    def test_blocks_of_a_placed_matrix_move_once(self, three):
        resident_blocks_move_once(three, anyk.codes.mds(2, 3))

    def test_running_work_is_really_cancelled(self, three):
        lane = three.lanes[0]
        long = lane.submit(nap, 3600.0)
        time.sleep(0.1)

        assert lane.cancel(long) == "flagged"
        assert lane.submit(abs, -1).result(timeout=60) == 1

    def test_workers_killed_before_during_and_after_a_product(self, six):
        everyone_answers(six)
        killed_before_during_and_after(Struck(six, CODE))

    def test_a_stopped_worker_is_not_waited_for(self, six):
        everyone_answers(six)
        products_while_one_is_stopped(Struck(six, CODE))

    @pytest.mark.slow
    def test_a_worker_that_is_stopped_for_twenty_seconds_is_not_waited_for_and_works_on(self, six):
        everyone_answers(six)
        products_while_one_is_stopped(Struck(six, CODE), seconds=20.0)
        assert six.lanes[1].submit(abs, -1).result(timeout=60) == 1

    def test_a_worker_killed_while_answers_are_added_up_loses_no_product(self, six):
        everyone_answers(six)
        reduced(six, CODE, kill=lambda rank: os.kill(six.lanes[rank].pid, signal.SIGKILL))

    def test_blocks_lost_with_their_worker_are_placed_again(self, six):
        A, y = np.random.default_rng(0).standard_normal((60, 40)), np.ones(40)
        everyone_answers(six)
        with anyk.place(A, CODE, engine=six) as coded:
            lane = six.lanes[2]
            os.kill(lane.pid, signal.SIGKILL)
            np.testing.assert_allclose(coded @ y, A @ y)
            everyone_answers(six)
            product = coded.product(y, stop=everyone)

            assert (six.lanes[2].epoch, six.lanes[2].pid) != (lane.epoch, lane.pid)
        assert product.survivors == tuple(range(6))
        np.testing.assert_allclose(product.value, A @ y)

    def test_an_idle_worker_that_dies_is_news_and_never_comes_back_empty(self, six):
        everyone_answers(six)
        lane, news = six.lanes[4], []
        lane.put("kept", np.ones(3)).result(timeout=60)
        unsubscribe = six.subscribe(news.append)
        os.kill(lane.pid, signal.SIGKILL)
        eventually(lambda: any(isinstance(each, Lost) for each in news), 40)
        unsubscribe()

        assert [(each.rank, each.epoch) for each in news if isinstance(each, Lost)] == [(4, lane.epoch)]
        assert isinstance(lane.fetch("kept").exception(timeout=60), WorkerLost)


def eventually(true, seconds=10.0):
    """Whether it becomes true in time."""
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


def everyone_answers(engine):
    """All lanes work, replaced where they were lost."""
    for lane in [*engine.lanes]:
        if not lane.alive:
            engine.respawn(lane.rank)
    for _ in range(4):
        answers = [lane.submit(abs, -1) for lane in engine.lanes]
        dead = {rank: error for rank, answer in enumerate(answers) if (error := answer.exception(timeout=120))}
        if not dead:
            return
        for rank in dead:
            engine.respawn(rank)
    raise AssertionError(f"workers do not come back: {dead}")
