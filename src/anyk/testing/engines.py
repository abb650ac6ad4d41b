"""What every engine must do, as tests to run on your own.

Derive a class whose name starts with ``Test``, say how to make the engine, and let pytest find it::

    class TestSmokeSignals(EngineContract):
        def make(self, workers):
            return SmokeSignalEngine(workers)

What an engine says in its `Caps` that it cannot do is skipped. Nothing here depends on speed: ``patience`` bounds what
would otherwise hang.
"""

import operator
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from anyk.engines.base import Cancelled, Engine, Joined, Lane, Lost, News, Ref, WorkerLost
from anyk.engines.drive import drive
from anyk.engines.work import multiply, nap
from anyk.job import Job, State, first_threshold
from anyk.job.messages import Compute, Decoded

#: Longer than any test: work that is still there when the test ends.
FOREVER = 3600.0

BLOCKS = [
    np.arange(6.0).reshape(2, 3),
    np.arange(6, dtype=np.float32).reshape(2, 3).T,
    np.array([[1 + 2j, 3]]),
    np.arange(20)[::3],
    np.zeros((0, 4)),
    np.array(7.0),
]


class EngineContract:
    """The contract of `anyk.engines.base.Engine`; derive from it and override ``make``."""

    #: Seconds, on the engine's clock, after which an answer will not come any more.
    patience: float = 30.0

    def make(self, workers: int) -> Engine:
        """An engine with this many workers, ready; the kit closes it."""
        raise NotImplementedError("override make() to return the engine under test")

    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        """Three workers."""
        with self._opened(3) as engine:
            yield engine

    # --- lanes --------------------------------------------------------------------------------------------------

    def test_lanes_have_ranks_and_start_in_epoch_0(self, engine: Engine) -> None:
        """A lane's rank is its index."""
        assert [(lane.rank, lane.epoch) for lane in engine.lanes] == [(0, 0), (1, 0), (2, 0)]

    @pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.dtype}-{block.shape}")
    def test_a_block_comes_back_as_it_was(self, engine: Engine, block: Any) -> None:
        """Values, shape and dtype survive the round trip."""
        lane = engine.lanes[1]
        assert self._result(lane.put("block", block)) is None
        back = self._result(lane.fetch("block"))

        np.testing.assert_array_equal(back, block)
        assert (back.dtype, back.shape) == (block.dtype, block.shape)

    def test_put_needs_no_wait_and_keeps_what_it_was_given(self, engine: Engine) -> None:
        """Work sees the block as it was when it was put."""
        lane, block = engine.lanes[0], np.ones(3)
        lane.put("block", block)
        block[:] = 5.0

        assert self._result(lane.submit(np.sum, Ref("block"))) == 3.0

    def test_work_on_a_lane_runs_in_order(self, engine: Engine) -> None:
        """Each piece builds on the one before; the last put of a key wins."""
        lane = engine.lanes[2]
        lane.put("sum", np.array(99))
        lane.put("sum", np.array(0))
        for number in range(1, 101):
            lane.submit(operator.add, Ref("sum"), number, out="sum")

        assert self._result(lane.fetch("sum")) == 5050

    def test_many_pieces_on_every_lane_all_come_back(self, engine: Engine) -> None:
        """No answer goes to another's future."""
        futures = [engine.lanes[n % 3].submit(operator.mul, n, n) for n in range(300)]

        assert [self._result(future) for future in futures] == [n * n for n in range(300)]

    def test_a_result_can_stay_on_the_worker(self, engine: Engine) -> None:
        """With ``out`` the future's result is None, and later work finds the block."""
        lane = engine.lanes[0]
        lane.put("a", np.eye(2) * 3)
        assert self._result(lane.submit(multiply, Ref("a"), Ref("a"), out="c")) is None

        np.testing.assert_array_equal(self._result(lane.fetch("c")), np.eye(2) * 9)

    def test_blocks_of_one_lane_are_not_on_another(self, engine: Engine) -> None:
        """Nothing moves by itself."""
        engine.lanes[0].put("a", np.ones(1))

        assert self._error(engine.lanes[1].fetch("a")) is not None

    def test_deleted_blocks_are_gone(self, engine: Engine) -> None:
        """Also unknown keys may be deleted."""
        lane = engine.lanes[0]
        lane.put("a", np.ones(1))
        lane.delete("a", "never seen")

        assert not isinstance(self._error(lane.submit(np.sum, Ref("a"))), WorkerLost | None)

    def test_an_exception_belongs_to_its_future_alone(self, engine: Engine) -> None:
        """The lane goes on, and keeps its blocks."""
        lane = engine.lanes[0]
        lane.put("a", np.ones(2))
        failed, missing = lane.submit(operator.truediv, 1, 0), lane.submit(np.sum, Ref("never put"))
        after = lane.submit(np.sum, Ref("a"))

        assert isinstance(self._error(failed), ZeroDivisionError)
        assert not isinstance(self._error(missing), WorkerLost | None)
        assert self._result(after) == 2.0

    def test_an_allocated_buffer_is_the_stored_block(self, engine: Engine) -> None:
        """Both sides see what the other writes; None where memory is not shared."""
        lane = engine.lanes[1]
        a, c = lane.alloc("a", (2, 2), np.float64), lane.alloc("c", (2, 2), np.float64)
        if not engine.caps.shared_memory:
            assert a is None
            pytest.skip("no shared memory")
        assert a is not None
        assert c is not None
        assert not a.any()
        a += 2.0 * np.eye(2)

        assert self._result(lane.submit(multiply, Ref("a"), Ref("a"), Ref("c"))) is None
        np.testing.assert_array_equal(c, 4.0 * np.eye(2))

    def test_an_allocated_buffer_can_be_shared_with_other_lanes(self, engine: Engine) -> None:
        """Also after the worker it was made for is gone: so blocks survive their workers."""
        buffer = engine.lanes[1].alloc("a", (2, 2), np.float64)
        if buffer is None:
            pytest.skip("no shared memory")
        lanes, sums = [engine.lanes[0], engine.respawn(1) if engine.caps.respawn else engine.lanes[1]], []
        for lane in lanes:
            lane.put("row", buffer[1])
        buffer[:] = 3.0
        for lane in lanes:
            sums.append(self._result(lane.submit(np.sum, Ref("row"))))
            assert self._result(lane.submit(operator.iadd, Ref("row"), 1.0, out="same")) is None

        assert sums == [6.0, 8.0]
        np.testing.assert_array_equal(buffer, [[3.0, 3.0], [5.0, 5.0]])

    # --- cancel -------------------------------------------------------------------------------------------------

    def test_a_cancelled_lane_is_free_again(self, engine: Engine) -> None:
        """The cancelled future ends, what waited behind it runs."""
        lane = engine.lanes[0]
        long, after = lane.submit(nap, FOREVER), lane.submit(operator.mul, 2, 3)
        said = lane.cancel(long)
        if said == "running":
            pytest.skip("running work is beyond this engine's reach")

        assert said in ("dequeued", "flagged")
        assert isinstance(self._error(long), Cancelled | CancelledError)
        assert self._result(after) == 6

    def test_queued_work_can_be_cancelled(self, engine: Engine) -> None:
        """Only that piece goes."""
        lane = engine.lanes[0]
        long = lane.submit(nap, FOREVER)
        unwanted, wanted = lane.submit(operator.mul, 2, 3), lane.submit(operator.mul, 3, 4)
        if "running" in (lane.cancel(unwanted), lane.cancel(long)):
            pytest.skip("running work is beyond this engine's reach")

        assert isinstance(self._error(unwanted), Cancelled | CancelledError)
        assert self._result(wanted) == 12

    def test_cancelling_what_is_done_changes_nothing(self, engine: Engine) -> None:
        """The answer stays."""
        future = engine.lanes[0].submit(operator.mul, 2, 3)
        assert self._result(future) == 6
        engine.lanes[0].cancel(future)

        assert self._result(future) == 6

    # --- loss and replacement -----------------------------------------------------------------------------------

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

    # --- clock --------------------------------------------------------------------------------------------------

    def test_the_clock_brings_what_arrives_and_keeps_time(self, engine: Engine) -> None:
        """An item at once, an answer when it is there, None when the time has come."""
        inbox: SimpleQueue[str] = SimpleQueue()
        inbox.put("at once")
        began = engine.clock.now()
        assert engine.clock.wait(inbox, None) == "at once"
        engine.lanes[0].submit(operator.mul, 2, 3).add_done_callback(lambda _: inbox.put("answer"))
        assert engine.clock.wait(inbox, began + self.patience) == "answer"
        until = engine.clock.now() + 0.01

        assert engine.clock.wait(inbox, until) is None
        assert engine.clock.now() >= until

    # --- the end ------------------------------------------------------------------------------------------------

    def test_closing_ends_what_is_pending_and_can_be_repeated(self, engine: Engine) -> None:
        """Nothing is waited for, nothing stays pending."""
        pending = [lane.submit(nap, FOREVER) for lane in engine.lanes for _ in range(2)]
        engine.close()
        engine.close()

        assert all(self._error(future) is not None for future in pending)
        assert all(self._is_lost(lane) for lane in engine.lanes)

    def test_closing_gently_finishes_what_is_pending(self, engine: Engine) -> None:
        """``close(kill=False)`` waits for it."""
        pending = [lane.submit(operator.mul, lane.rank, 2) for lane in engine.lanes]
        engine.close(kill=False)

        assert [self._result(future) for future in pending] == [0, 2, 4]

    def test_an_engine_is_a_context_manager(self) -> None:
        """Leaving closes it."""
        with self._opened(1) as engine, engine as entered:  # type: ignore[attr-defined]
            assert entered is engine

        assert self._is_lost(engine.lanes[0])

    # --- a job --------------------------------------------------------------------------------------------------

    def test_a_job_survives_the_loss_of_a_worker(self, engine: Engine) -> None:
        """All three answers are needed; one worker dies with its task in hand."""
        self._needs(engine, "kill", "survives_loss", "respawn")
        work = _Squares(killing=1)
        job = Job(3, 3, threshold=3, decodability=_All(), stop=first_threshold(), retries=1)
        outcome = drive(job, engine, work)

        assert outcome.state is State.DONE
        assert work.product == [0, 1, 4]
        assert outcome.tasks == (0, 1, 2)

    # --- helpers ------------------------------------------------------------------------------------------------

    @contextmanager
    def _opened(self, workers: int) -> Iterator[Engine]:
        engine = self.make(workers)
        try:
            yield engine
        finally:
            engine.close()

    def _result(self, future: "Future[Any]") -> Any:
        return future.result(timeout=self.patience)

    def _error(self, future: "Future[Any]") -> BaseException | None:
        try:
            return future.exception(timeout=self.patience)
        except CancelledError as cancelled:
            return cancelled

    def _kill(self, engine: Engine, rank: int) -> None:
        """Kill a worker and see it die."""
        owed = engine.lanes[rank].submit(nap, FOREVER)
        engine.lanes[rank].kill()
        assert isinstance(self._error(owed), WorkerLost)

    def _is_lost(self, lane: Lane) -> bool:
        try:
            return isinstance(self._error(lane.submit(operator.mul, 2, 3)), WorkerLost)
        except WorkerLost:
            return True

    def _news(self, engine: Engine, inbox: "SimpleQueue[News]", kind: type[Any]) -> Any:
        until = engine.clock.now() + self.patience
        while (news := engine.clock.wait(inbox, until)) is not None:
            if isinstance(news, kind):
                return news
        raise AssertionError(f"no news of kind {kind.__name__} came")

    def _needs(self, engine: Engine, *abilities: str) -> None:
        for ability in abilities:
            if not getattr(engine.caps, ability):
                pytest.skip(f"caps.{ability} is False")


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
