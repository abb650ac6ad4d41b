"""The clock keeps time, and nothing is left pending when the engine closes."""

import operator
from queue import SimpleQueue

from anyk.engines.base import Engine
from anyk.engines.work import nap
from anyk.testing.engines.kit import FOREVER, Kit


class TimeAndEnd(Kit):
    """The clock, and closing."""

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
