"""Workers take blocks from each other, without the master."""

import numpy as np

from anyk.engines.base import Engine, Far, Ref, Unreachable, WorkerLost
from anyk.engines.meter import Meter, metering
from anyk.engines.work import nap, weighted_sum
from anyk.testing.engines.kit import FOREVER, Kit


class Exchanging(Kit):
    """`Far` arguments, where `Caps.exchange`."""

    def test_a_block_of_another_lane_is_an_argument(self, engine: Engine) -> None:
        """Also of several lanes at once, and of the lane itself."""
        self._needs(engine, "exchange")
        for lane in engine.lanes:
            self._result(lane.put("a", np.full((400, 300), 10.0**lane.rank)))
        target, others = engine.lanes[1], [Far(lane, "a") for lane in engine.lanes]
        self._result(target.submit(weighted_sum, [1.0, 2.0, 3.0], False, None, *others, out="sum"))

        np.testing.assert_array_equal(self._result(target.fetch("sum")), np.full((400, 300), 321.0))

    def test_two_lanes_take_from_each_other_at_once(self, engine: Engine) -> None:
        """Neither waits for the other's work."""
        self._needs(engine, "exchange")
        one, other = engine.lanes[:2]
        for lane in (one, other):
            self._result(lane.put("a", np.full((300, 300), float(lane.rank))))
        sums = [(lane, [Ref("a"), Far(peer, "a")]) for lane, peer in ((one, other), (other, one)) for _ in range(5)]
        answers = [lane.submit(weighted_sum, [1.0, 10.0], False, None, *blocks) for lane, blocks in sums]

        assert [self._result(answer)[0, 0] for answer in answers] == [10.0] * 5 + [1.0] * 5

    def test_a_worker_that_is_busy_hands_out_blocks(self, engine: Engine) -> None:
        """At its next checkpoint at the latest."""
        self._needs(engine, "exchange")
        source, target = engine.lanes[:2]
        self._result(source.put("a", np.ones((2, 2))))
        busy = source.submit(nap, FOREVER)
        taken = target.submit(np.sum, Far(source, "a"))

        assert self._result(taken) == 4.0
        source.cancel(busy)

    def test_a_block_that_is_not_there_is_unreachable_and_nobody_is_lost(self, engine: Engine) -> None:
        """The lane goes on."""
        self._needs(engine, "exchange")
        source, target = engine.lanes[:2]
        missing = target.submit(np.sum, Far(source, "never put"))

        assert isinstance(self._error(missing), Unreachable)
        assert [self._result(lane.submit(abs, -1)) for lane in (source, target)] == [1, 1]

    def test_a_block_is_unreachable_after_its_workers_death(self, engine: Engine) -> None:
        """Whether or not its loss is known already."""
        self._needs(engine, "exchange", "kill")
        source, target = engine.lanes[:2]
        self._result(source.put("a", np.ones(2)))
        far = Far(source, "a")
        self._kill(engine, 0)

        assert isinstance(self._error(target.submit(np.sum, far)), Unreachable)

    def test_work_that_waits_for_a_block_can_be_cancelled(self, engine: Engine) -> None:
        """A worker is not held up by one that stands still."""
        self._needs(engine, "exchange")
        source, target = engine.lanes[:2]
        self._result(source.put("a", np.ones((500, 500))))
        waiting = [target.submit(np.sum, Far(source, "a")) for _ in range(3)]
        for each in waiting:
            target.cancel(each)

        assert all(not isinstance(self._error(each), WorkerLost) for each in waiting)
        assert self._result(target.submit(abs, -1)) == 1

    def test_bytes_are_counted_past_the_master(self, engine: Engine) -> None:
        """What moves from worker to worker does not come to the master."""
        self._needs(engine, "exchange")
        source, target, meter = engine.lanes[0], engine.lanes[1], Meter()
        with metering(meter):
            self._result(source.put("a", np.ones(100_000)))
            self._result(target.submit(np.sum, Far(source, "a")))
        sent, came = meter.moved.to_workers, meter.moved.from_workers
        with metering(meter):
            self._result(source.fetch("a"))

        assert 800_000 <= sent < 810_000
        assert came < 10_000
        assert 800_000 <= meter.moved.from_workers - came < 810_000
