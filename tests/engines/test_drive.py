"""The one loop, on engines without surprises and on workers that misbehave."""

from concurrent.futures import Future

import pytest

from anyk.engines import Caps, Joined, WorkerLost
from anyk.engines.inline import InlineEngine
from anyk.engines.simulated import SimulatedEngine
from anyk.faults import Fate
from anyk.job import State, everyone, first_threshold, until
from anyk.job.messages import Compute, Decoded, Left, Lost, Result, Suspected
from anyk.job.messages import Joined as JobJoined
from tests.engines.toys import CRASH, Squares, fates, run

ENGINES = [InlineEngine, SimulatedEngine]


def lately(*ranks, seconds=0.02):
    return fates({rank: [Fate(delay_seconds=seconds)] for rank in ranks})


@pytest.mark.parametrize("make", ENGINES)
def test_the_product_is_formed_from_the_first_sufficient_answers(make):
    work = Squares()
    outcome = run(make(5, faults=lately(0, 3)), work)

    assert (outcome.state, outcome.tasks) == (State.DONE, (1, 2, 4))
    assert work.products == [[1, 4, 16]]
    assert outcome.reason == "3 answers decode"
    assert set(outcome.seconds) == {"collect", "decode"}


@pytest.mark.parametrize("make", ENGINES)
def test_stragglers_are_cancelled_at_the_end(make):
    work = Squares()
    run(make(5, faults=lately(0, 3)), work)

    assert [task for task in range(5) if work.futures[task].exception() is not None] == [0, 3]


@pytest.mark.parametrize("make", ENGINES)
def test_more_tasks_than_workers(make):
    work = Squares()
    run(make(2), work, tasks=7, stop=everyone)

    assert work.products == [[n * n for n in range(7)]]


@pytest.mark.parametrize("make", ENGINES)
def test_a_crashed_worker_is_replaced_and_its_task_repeated(make):
    engine, work = make(3, faults=fates({1: [CRASH]})), Squares()
    outcome = run(engine, work)

    assert (outcome.state, outcome.tasks) == (State.DONE, (0, 1, 2))
    assert work.sent[3:] == [Compute(1, 0, 1)]
    assert engine.lanes[1].epoch == 1


def test_a_replacement_is_announced_before_the_losses():
    engine = SimulatedEngine(2, faults=fates({1: [CRASH]}))
    outcome = run(engine, tasks=4, threshold=4)

    kinds = [type(step.event) for step in outcome.events]
    assert kinds.count(JobJoined) == 1
    assert kinds[kinds.index(JobJoined) :][:3] == [JobJoined, Lost, Lost]


def test_a_worker_that_cannot_be_replaced_has_left():
    engine = SimulatedEngine(3, faults=fates({1: [CRASH]}))
    engine.caps = Caps(True, True, True, False, False, 0.0)
    work = Squares()
    outcome = run(engine, work)

    assert outcome.state is State.DONE
    assert any(isinstance(step.event, Left) for step in outcome.events)
    assert work.sent[3:] == [Compute(1, 0, 1)]


def test_a_worker_that_dies_again_and_again_is_given_up():
    engine = SimulatedEngine(2, faults=fates({1: [CRASH] * 99}))
    outcome = run(engine, tasks=4, threshold=4, retries=9)

    assert outcome.state is State.DONE
    assert engine.lanes[1].epoch == 3


def test_a_dead_lane_is_found_out_and_replaced():
    engine = InlineEngine(3)
    engine.lanes[2].kill()

    assert run(engine).state is State.DONE
    assert engine.lanes[2].epoch == 1


def test_a_lane_may_say_at_once_that_it_is_lost():
    class Refusing(Squares):
        def start(self, compute, lane):
            if lane.rank == 2 and lane.epoch == 0:
                raise WorkerLost(2, 0, "found dead")
            return super().start(compute, lane)

    assert run(InlineEngine(3), Refusing()).state is State.DONE


def test_an_exception_in_the_work_costs_an_attempt_and_is_told():
    class Failing(Squares):
        def start(self, compute, lane):
            return lane.submit(divmod, 1, 0)

    outcome = run(InlineEngine(3), Failing())
    assert outcome.state is State.FAILED
    assert "ZeroDivisionError: " in outcome.reason
    assert outcome.tasks == ()


def test_a_future_cancelled_by_somebody_else_is_a_loss():
    class Meddling(Squares):
        def start(self, compute, lane):
            future = super().start(compute, lane)
            if compute == Compute(0, 0, 0):
                future.cancel()
            return future

    outcome = run(InlineEngine(3), Meddling())
    assert outcome.state is State.DONE
    assert any(isinstance(step.event, Lost) for step in outcome.events)


def test_suspects_are_computed_elsewhere():
    work = Squares(facts=[Suspected((1,), 0.0)])
    outcome = run(SimulatedEngine(3), work)

    assert work.sent[3:] == [Compute(1, 0, 1)]
    assert (outcome.state, outcome.tasks) == (State.DONE, (0, 1, 2))


def test_a_product_measured_too_inexact_waits_for_more_answers():
    work = Squares(facts=[Decoded(0.0, 1e-3), Decoded(0.0, 1e-9)])
    outcome = run(SimulatedEngine(5, faults=lately(3, 4)), work, stop=until(1e-6))

    assert len(work.products) == 2
    assert (outcome.tasks, outcome.error) == ((0, 1, 2, 3), 1e-9)


def test_answers_that_came_by_the_end_without_use_are_counted():
    assert run(SimulatedEngine(5), threshold=3).late == 0

    class Eager(Squares):
        def decode(self, tasks):
            list(self.futures.values())[-1].result()
            return super().decode(tasks)

    assert run(SimulatedEngine(5), Eager(), threshold=3).late == 2


@pytest.mark.parametrize("raised", [RuntimeError("no room"), KeyboardInterrupt()])
def test_whatever_goes_wrong_everything_pending_is_cancelled(raised):
    class Broken(Squares):
        def decode(self, tasks):
            raise raised

    engine, work = SimulatedEngine(5, faults=lately(3, 4)), Broken()
    with pytest.raises(type(raised)):
        run(engine, work)

    assert [work.futures[task].exception() is not None for task in (3, 4)] == [True, True]
    assert engine._listeners == []


def test_work_that_cannot_be_sent_is_the_callers_error():
    class Unsendable(Squares):
        def start(self, compute, lane):
            if compute.task == 2:
                raise ValueError("no such block")
            return super().start(compute, lane)

    work = Unsendable()
    with pytest.raises(ValueError, match="no such block"):
        run(SimulatedEngine(3), work)
    assert all(future.done() for future in work.futures.values())


def test_an_answer_after_the_end_touches_nothing():
    held = Future()

    class Holding(Squares):
        def start(self, compute, lane):
            return held if compute.task == 4 else super().start(compute, lane)

    engine = SimulatedEngine(5)
    engine.lanes[4].cancel = lambda future: "running"
    outcome = run(engine, Holding())
    held.set_result(16)

    assert (outcome.late, outcome.tasks) == (0, (0, 1, 2))


def test_news_of_an_idle_workers_death_and_of_a_helper_from_outside():
    engine = SimulatedEngine(3, faults=lately(0, 1, 2))

    class Meddling(Squares):
        def start(self, compute, lane):
            if compute.task == 2:
                engine.respawn(0)
            return super().start(compute, lane)

    outcome = run(engine, Meddling())
    assert outcome.state is State.DONE
    assert [step.event for step in outcome.events if isinstance(step.event, JobJoined)] == [JobJoined(0, 0.0)]
    assert engine.lanes[0].epoch == 1


def test_an_engine_may_be_driven_again_and_again():
    engine = InlineEngine(4, faults=fates({0: [CRASH], 1: [Fate(), CRASH]}))
    stops = [first_threshold(), first_threshold(extra=1), everyone]

    assert [run(engine, stop=stop).state for stop in stops] == [State.DONE] * 3


def test_the_story_is_told_with_the_engines_time():
    outcome = run(SimulatedEngine(3, task_seconds=2.0))

    assert [step.event.at for step in outcome.events if isinstance(step.event, Result)] == [2.0, 2.0, 2.0]


def test_a_stranger_in_the_inbox_is_ignored():
    engine = SimulatedEngine(3)
    subscribe = engine.subscribe

    def noisy(callback):
        callback(Joined(0, 0))
        callback("hello")
        return subscribe(callback)

    engine.subscribe = noisy
    assert run(engine).state is State.DONE
