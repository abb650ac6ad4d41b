"""Blocks stay where they are put, as they were; work runs in order, and its errors are its own."""

import operator
from typing import Any

import numpy as np
import pytest

from anyk.engines.base import Engine, Ref, WorkerLost
from anyk.engines.work import multiply
from anyk.testing.engines.kit import Kit

BLOCKS = [
    np.arange(6.0).reshape(2, 3),
    np.arange(6, dtype=np.float32).reshape(2, 3).T,
    np.array([[1 + 2j, 3]]),
    np.arange(20)[::3],
    np.zeros((0, 4)),
    np.array(7.0),
]


class BlocksAndWork(Kit):
    """The verbs of a lane."""

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
