"""What the parts of the engine contract share: the engine under test, and ways to look at it."""

import operator
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import pytest

from anyk.engines.base import Engine, Lane, News, WorkerLost
from anyk.engines.work import nap

#: Longer than any test: work that is still there when the test ends.
FOREVER = 3600.0


class Kit:
    """An engine to test, and how to look at it."""

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
