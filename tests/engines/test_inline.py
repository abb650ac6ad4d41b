"""The inline engine: lazy, in order, with real delays."""

import operator
import time

import numpy as np
import pytest

from anyk.engines import Ref, WorkerLost
from anyk.engines.inline import InlineEngine
from anyk.errors import InputError
from anyk.faults import Fate
from tests.engines.toys import CRASH, STOP, Squares, fates, run


def test_work_nobody_waits_for_is_not_done():
    engine, done = InlineEngine(3), []
    futures = [engine.lanes[rank].submit(done.append, rank) for rank in (2, 0, 1)]
    assert done == []

    futures[1].result()
    assert done == [2, 0]


def test_a_job_that_has_enough_leaves_the_rest_undone():
    engine, done = InlineEngine(8), []

    class Counted(Squares):
        def start(self, compute, lane):
            self.futures[compute.task] = lane.submit(lambda: done.append(compute.task) or 1)
            return self.futures[compute.task]

    run(engine, Counted(), threshold=5)
    assert done == [0, 1, 2, 3, 4]


def test_a_delay_holds_up_its_own_lane_only():
    engine, done = InlineEngine(2, faults=fates({0: [Fate(delay_seconds=0.05)]})), []
    slow = engine.lanes[0].submit(done.append, "slow")
    behind = engine.lanes[0].submit(done.append, "behind")
    engine.lanes[1].submit(done.append, "quick")

    behind.result()
    assert done == ["quick", "slow", "behind"]
    assert slow.done()


def test_a_slow_worker_answers_late_in_proportion():
    engine = InlineEngine(1, faults=fates({0: [Fate(slowdown=3.0)]}))
    began = time.monotonic()

    engine.lanes[0].submit(time.sleep, 0.02).result()
    assert time.monotonic() - began >= 0.06


def test_a_crash_is_a_lost_worker():
    engine, news = InlineEngine(2, faults=fates({1: [CRASH]})), []
    engine.subscribe(news.append)
    future, behind = engine.lanes[1].submit(operator.mul, 2, 3), engine.lanes[1].fetch("a")

    with pytest.raises(WorkerLost, match="crashed"):
        future.result()
    assert isinstance(behind.exception(), WorkerLost)
    assert [(type(item).__name__, item.rank, item.epoch) for item in news] == [("Lost", 1, 0)]


def test_a_silent_worker_never_answers_and_cannot_be_cancelled():
    engine = InlineEngine(1, faults=fates({0: [STOP]}))
    future = engine.lanes[0].submit(operator.mul, 2, 3)
    assert engine.lanes[0].cancel(future) == "running"

    with pytest.raises(TimeoutError):
        future.result()
    engine.lanes[0].kill()
    assert isinstance(future.exception(), WorkerLost)


def test_a_replaced_worker_counts_its_pieces_of_work_on():
    engine = InlineEngine(1, faults=fates({0: [CRASH]}))
    assert isinstance(engine.lanes[0].submit(operator.mul, 2, 3).exception(), WorkerLost)

    assert engine.respawn(0).submit(operator.mul, 2, 3).result() == 6


def test_a_future_cancelled_by_its_owner_is_skipped():
    engine = InlineEngine(1)
    first, second = engine.lanes[0].submit(operator.mul, 2, 3), engine.lanes[0].submit(operator.mul, 3, 4)
    assert first.cancel()

    assert second.result() == 12
    assert first.cancelled()


def test_work_may_give_more_work_when_it_is_done():
    engine, answers = InlineEngine(1), []
    lane = engine.lanes[0]
    lane.put("a", np.ones(2)).add_done_callback(lambda _: lane.submit(np.sum, Ref("a"), out="sum"))
    lane.submit(operator.mul, 2, 3).add_done_callback(lambda done: answers.append(done.result()))

    assert lane.fetch("sum").result() == 2.0
    assert answers == [6]


def test_an_engine_without_workers_is_refused():
    with pytest.raises(InputError, match="at least 1"):
        InlineEngine(0)
