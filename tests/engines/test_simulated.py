"""The simulated engine: virtual time, real results, the same run from the same seed."""

import operator

import pytest

from anyk import engines
from anyk.engines.simulated import SimulatedEngine
from anyk.errors import ClusterError
from anyk.faults import Fate, ShiftedExponential
from anyk.job import State, deadline, everyone
from tests.engines.toys import CRASH, STOP, Squares, fates, run


def test_lanes_work_at_the_same_time_and_each_in_order():
    engine = SimulatedEngine(2, task_seconds=2.0)
    last = [lane.submit(operator.mul, 2, 3) for lane in engine.lanes for _ in range(3)][-1]

    assert last.result() == 6
    assert engine.clock.now() == 6.0


def test_delays_add_and_slowdowns_multiply():
    engine = SimulatedEngine(1, faults=fates({0: [Fate(delay_seconds=0.5, slowdown=3.0)]}))
    engine.lanes[0].submit(operator.mul, 2, 3).result()

    assert engine.clock.now() == 3.5


def test_a_cancelled_lane_is_free_at_once():
    engine = SimulatedEngine(1)
    long, short = engine.lanes[0].submit(operator.mul, 2, 3), engine.lanes[0].submit(operator.mul, 3, 4)
    assert engine.lanes[0].cancel(long) == "flagged"

    assert short.result() == 12
    assert engine.clock.now() == 1.0


def test_waiting_for_a_future_ends_in_virtual_time():
    engine = SimulatedEngine(1, task_seconds=10.0)

    with pytest.raises(TimeoutError):
        engine.lanes[0].submit(operator.mul, 2, 3).result(timeout=4.0)
    assert engine.clock.now() == 4.0


def test_without_computing_only_time_passes():
    engine = SimulatedEngine(1, compute=False)

    assert engine.lanes[0].submit(operator.truediv, 1, 0).result() is None
    assert engine.clock.now() == 1.0


def test_the_job_takes_as_long_as_its_kth_fastest_worker():
    delays = {rank: [Fate(delay_seconds=float(rank))] for rank in range(5)}
    outcome = run(SimulatedEngine(5, faults=fates(delays)), threshold=3)

    assert (outcome.tasks, outcome.seconds["collect"]) == ((0, 1, 2), 3.0)


def test_a_day_passes_in_no_time():
    outcome = run(SimulatedEngine(3, task_seconds=86400.0), stop=everyone)

    assert outcome.seconds["collect"] == 86400.0


def test_a_deadline_is_kept_to_the_moment():
    delays = {rank: [Fate(delay_seconds=float(rank))] for rank in range(5)}
    outcome = run(SimulatedEngine(5, faults=fates(delays)), threshold=5, stop=deadline(2.5))

    assert (outcome.state, outcome.tasks) == (State.DONE, (0, 1))
    assert outcome.events[-1].event.at == 2.5


def test_an_answer_at_the_deadline_still_counts():
    delays = {rank: [Fate(delay_seconds=float(rank))] for rank in range(5)}

    assert run(SimulatedEngine(5, faults=fates(delays)), threshold=5, stop=deadline(3.0)).tasks == (0, 1, 2)


def test_silent_workers_end_in_a_timeout():
    engine = SimulatedEngine(4, faults=fates({0: [STOP], 1: [STOP]}))
    outcome = run(engine, timeout=7.0)

    assert (outcome.state, engine.clock.now()) == (State.FAILED, 7.0)
    assert "still out: task 0 on worker 0, task 1 on worker 1" in outcome.reason


def test_silent_workers_without_a_timeout_are_taken_for_lost_when_nothing_moves_any_more():
    engine, work = SimulatedEngine(4, faults=fates({0: [STOP], 1: [STOP]})), Squares()
    outcome = run(engine, work)

    assert outcome.state is State.DONE
    assert [(again.task, again.worker) for again in work.sent if again.attempt] == [(0, 2), (1, 3)]


def test_crashes_are_survived():
    crashes = {rank: [CRASH] for rank in range(4)}
    outcome = run(SimulatedEngine(4, faults=fates(crashes)), threshold=4)

    assert (outcome.state, outcome.tasks) == (State.DONE, (0, 1, 2, 3))


def test_the_same_seed_gives_the_same_story():
    def story(seed):
        faults = ShiftedExponential()
        with engines.open("simulated:8", faults=faults, seed=seed) as engine:
            return repr(run(engine, threshold=5).events)

    assert story(3) == story(3)
    assert story(3) != story(4)


def test_500_tasks_are_no_trouble():
    outcome = run(SimulatedEngine(500, compute=True), threshold=400)

    assert len(outcome.tasks) == 400


def test_a_closed_engine_cannot_replace_workers():
    engine = SimulatedEngine(1)
    engine.close()

    with pytest.raises(ClusterError, match="closed"):
        engine.respawn(0)
