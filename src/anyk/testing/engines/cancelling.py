"""Cancelled work frees its lane and touches nothing else."""

import operator
from concurrent.futures import CancelledError

import pytest

from anyk.engines.base import Cancelled, Engine
from anyk.engines.work import nap
from anyk.testing.engines.kit import FOREVER, Kit


class Cancelling(Kit):
    """Cancel, before work began and while it runs."""

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
