"""A lost worker costs its own work only, can be replaced, and everybody hears of it."""

import operator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import numpy as np

from anyk.engines.base import Engine, Joined, Lane, Lost, News, Ref, WorkerLost
from anyk.engines.drive import drive
from anyk.engines.work import nap
from anyk.job import Job, State, first_threshold
from anyk.job.messages import Compute, Decoded
from anyk.testing.engines.kit import FOREVER, Kit


class Losses(Kit):
    """Death, replacement, news, and a job that lives through both."""

    def test_a_killed_worker_answers_all_it_owes_with_worker_lost(self, engine: Engine) -> None:
        """Running or queued: nothing stays pending; what comes later is lost too."""
        self._needs(engine, "kill")
        lane = engine.lanes[1]
        owed = [lane.submit(nap, FOREVER), lane.submit(operator.mul, 2, 3), lane.put("a", np.ones(1)), lane.fetch("a")]
        lane.kill()

        for future in owed:
            error = self._error(future)
            assert isinstance(error, WorkerLost)
            assert (error.rank, error.epoch) == (1, 0)
        assert self._is_lost(lane)

    def test_others_survive_the_death_of_a_worker(self, engine: Engine) -> None:
        """Blocks, work in the queue, and work to come."""
        self._needs(engine, "kill", "survives_loss")
        engine.lanes[0].put("a", np.ones(4))
        queued = engine.lanes[0].submit(np.sum, Ref("a"))
        self._kill(engine, 1)

        assert self._result(queued) == 4.0
        assert self._result(engine.lanes[0].submit(np.sum, Ref("a"))) == 4.0
        assert self._result(engine.lanes[2].submit(operator.mul, 2, 3)) == 6

    def test_a_replaced_worker_starts_anew(self, engine: Engine) -> None:
        """Same index, next epoch, empty store; the old lane stays lost."""
        self._needs(engine, "kill", "respawn")
        old = engine.lanes[1]
        old.put("a", np.ones(1))
        self._kill(engine, 1)
        new = engine.respawn(1)

        assert (new.rank, new.epoch) == (1, 1)
        assert engine.lanes[1] is new
        assert self._result(new.submit(operator.mul, 2, 3)) == 6
        assert self._error(new.fetch("a")) is not None
        assert self._is_lost(old)

    def test_a_living_worker_can_be_replaced(self, engine: Engine) -> None:
        """What it owed is lost."""
        self._needs(engine, "respawn")
        owed = engine.lanes[2].submit(nap, FOREVER)
        new = engine.respawn(2)

        assert isinstance(self._error(owed), WorkerLost)
        assert new.epoch == 1
        assert self._result(new.submit(operator.mul, 2, 3)) == 6

    def test_losses_and_replacements_are_news(self, engine: Engine) -> None:
        """To every subscriber, until it unsubscribes."""
        self._needs(engine, "kill", "respawn")
        inbox: SimpleQueue[News] = SimpleQueue()
        unsubscribe = engine.subscribe(inbox.put)
        engine.lanes[0].kill()
        lost = self._news(engine, inbox, Lost)
        engine.respawn(0)
        joined = self._news(engine, inbox, Joined)
        unsubscribe()
        self._kill(engine, 0)

        assert (lost.rank, lost.epoch) == (0, 0)
        assert (joined.rank, joined.epoch) == (0, 1)
        assert inbox.empty()

    def test_a_job_survives_the_loss_of_a_worker(self, engine: Engine) -> None:
        """All three answers are needed; one worker dies with its task in hand."""
        self._needs(engine, "kill", "survives_loss", "respawn")
        work = _Squares(killing=1)
        job = Job(3, 3, threshold=3, decodability=_All(), stop=first_threshold(), retries=1)
        outcome = drive(job, engine, work)

        assert outcome.state is State.DONE
        assert work.product == [0, 1, 4]
        assert outcome.tasks == (0, 1, 2)


class _All:
    """Every answer is needed."""

    def sufficient(self, tasks: tuple[int, ...], /) -> bool:
        return len(tasks) == 3

    def expected_error(self, tasks: tuple[int, ...], /) -> float:
        return 0.0 if self.sufficient(tasks) else 1.0


class _Squares:
    """Task t squares t; the worker of task ``killing`` dies of its first attempt."""

    def __init__(self, killing: int) -> None:
        self._killing = killing
        self._futures: dict[int, Future[Any]] = {}
        self.product: list[int] = []

    def start(self, compute: Compute, lane: Lane, /) -> "Future[Any]":
        is_fatal = compute.task == self._killing and compute.attempt == 0
        if is_fatal:
            self._futures[compute.task] = lane.submit(nap, FOREVER)
            lane.kill()
        else:
            lane.put("number", np.array(compute.task))
            self._futures[compute.task] = lane.submit(np.square, Ref("number"))
        return self._futures[compute.task]

    def decode(self, tasks: tuple[int, ...], /) -> Decoded:
        self.product = [int(self._futures[task].result(timeout=0)) for task in tasks]
        return Decoded(at=0.0)
