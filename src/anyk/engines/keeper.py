"""What keeps all worker processes of an engine: it hears answers and deaths, and replaces workers.

Laws:

1. Only the loop's thread reads sockets, ends lanes and talks to the zygote. Other threads leave it a note.
2. It never waits for a worker: every socket is non-blocking.
3. It starts the zygote, since the kernel tells a child of the end of the thread that started it.
4. It knows the lanes and not the engine, so an engine that is forgotten is collected, and its workers with it.
"""

import atexit
import contextlib
import itertools
import logging
import os
import selectors
import signal
import socket
import weakref
from collections.abc import Callable

from anyk.engines.base import Joined, Lost, News, Note, Slow
from anyk.engines.channel import Frame, Op, unpack
from anyk.engines.lanes import ProcessLane
from anyk.engines.loop import Loop
from anyk.engines.memory import Descriptor
from anyk.engines.zygote import Nursery
from anyk.errors import ClusterError
from anyk.faults.base import Fate, FateOf

#: After a socket's end, how long to wait for the zygote to say how the worker died.
OBITUARY_SECONDS = 0.02

_log = logging.getLogger(__name__)


class Keeper:
    """The lanes, the zygote and the loop, which is not started yet.

    Args:
        workers: number of lanes to come; `hatch` them.
        faults: fate of each piece of work, or None.
        threads: BLAS threads per worker.
        grace_seconds: see `ProcessLane`.
    """

    def __init__(self, workers: int, faults: FateOf | None, threads: int, grace_seconds: float) -> None:
        self.lanes: list[ProcessLane] = []
        self.subscribers: dict[object, Callable[[News], None]] = {}
        self._threads, self._grace = threads, grace_seconds
        self._fates = [_fates_of(faults, rank) for rank in range(workers)]
        self._nursery: Nursery | None = None
        self._unborn: dict[tuple[int, int], ProcessLane] = {}
        self.loop = Loop("anyk-processes", self._end)
        _keepers.add(self)

    @property
    def zygote_pid(self) -> int | None:
        """The process that forks the workers, if it lives."""
        return None if self._nursery is None else self._nursery.pid

    def abandon(self) -> None:
        """In a fork of the process: close what was inherited and touch nothing else."""
        for lane in {*self.lanes, *self._unborn.values()}:
            lane.abandon()
        if self._nursery is not None:
            self._nursery.abandon()
        self.loop.abandon()

    # --- lanes, in the loop's thread ----------------------------------------------------------------------------------

    def hatch(self, rank: int, cause: str = "replaced by a new worker") -> ProcessLane:
        """A new lane at this rank, in the place of the old one if there is one; its worker comes a little later.

        Raises:
            ClusterError: the engine is closed, or the machine has no more to give.
        """
        if self.loop.is_stopping:
            raise ClusterError("the engine is closed: open another one.")
        old = self.lanes[rank : rank + 1]
        try:
            lane = self._conceive(rank, old[0].epoch + 1 if old else 0)
        except OSError as error:
            raise ClusterError(f"worker {rank} could not be started: {error}") from error
        # The new lane is in its place before anybody hears of the loss, so that nobody replaces it twice.
        self.lanes[rank : rank + 1] = [lane]
        for each in old:
            self.lost(each, cause)
        return lane

    def _conceive(self, rank: int, epoch: int) -> ProcessLane:
        nursery = self._ready_nursery()
        ours, theirs = socket.socketpair()
        end = Descriptor(theirs.detach())
        try:
            lane = ProcessLane(rank, epoch, ours, self, self._fates[rank], self._grace)
        except BaseException:
            ours.close()
            raise
        self.watch(lane)
        self._unborn[rank, epoch] = lane
        # If the zygote is gone its socket ends, and `_bury_nursery` ends the unborn lanes.
        with contextlib.suppress(ConnectionError):
            nursery.fork(rank, epoch, end)
        self._attend(nursery)
        return lane

    def watch(self, lane: ProcessLane, /) -> None:
        """Hear a lane: what comes, and as long as ``lane.writing`` when more can go."""
        if lane.alive:
            self.loop.listen(lane.channel, lambda mask: self._hear_lane(lane, mask), writes=lane.writing)

    def lost(self, lane: ProcessLane, cause: str, /) -> None:
        """End a lane and say so."""
        if lane.alive:
            self.loop.ignore(lane.channel)
            lane.bury(cause)
            self.tell(Lost(lane.rank, lane.epoch, lane.cause))

    def overdue(self, lane: ProcessLane, seconds: float, /) -> None:
        """Replace a lane whose worker does not answer a cancel."""
        self.tell(Slow(lane.rank, seconds))
        cause = f"did not answer a cancel for {seconds:.1f} s"
        try:
            self.hatch(lane.rank, cause)
        except ClusterError as error:
            self.lost(lane, cause)
            self.tell(Note(f"worker {lane.rank} could not be replaced: {error}"))

    def tell(self, news: News) -> None:
        """Tell every subscriber."""
        for callback in list(self.subscribers.values()):
            try:
                callback(news)
            except Exception:
                _log.exception("a subscriber failed on %s", news)

    # --- what it hears ------------------------------------------------------------------------------------------------

    def _hear_lane(self, lane: ProcessLane, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE and lane.alive:
                lane.writable()
            if mask & selectors.EVENT_READ and lane.alive:
                lane.readable()
        except (EOFError, ConnectionError):
            self.loop.ignore(lane.channel)
            self.loop.later(OBITUARY_SECONDS, lambda: self.lost(lane, "its connection closed"))
        except OSError as error:
            self.lost(lane, f"its connection failed: {error}")

    def _hear_zygote(self, nursery: Nursery, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                nursery.channel.flush()
                self._attend(nursery)
            for report in nursery.channel.receive() or ():
                REPORTS[report.op](self, report)
        except (EOFError, OSError):
            self._bury_nursery(nursery)

    def _born(self, report: Frame) -> None:
        rank, epoch, pid = unpack(report.beside())
        lane = self._unborn.pop((rank, epoch))
        lane.arrive(pid, next(iter(report.descriptors), None))
        if lane.alive:
            self.tell(Joined(rank, epoch))

    def _unborn_after_all(self, report: Frame) -> None:
        rank, epoch, cause = unpack(report)
        self.lost(self._unborn.pop((rank, epoch)), f"no process could be forked: {cause}")

    def _gone(self, report: Frame) -> None:
        rank, epoch, code = unpack(report)
        lane = self.lanes[rank]
        if lane.epoch != epoch or not lane.alive:
            return
        # The worker is dead, so all it ever said is in the socket.
        with contextlib.suppress(EOFError, OSError):
            while lane.readable():
                pass
        self.lost(lane, _cause_of_death(code))

    # --- the zygote, and the end --------------------------------------------------------------------------------------

    def _ready_nursery(self) -> Nursery:
        if self._nursery is None:
            self._nursery = Nursery(self._threads)
            self._attend(self._nursery)
        return self._nursery

    def _attend(self, nursery: Nursery) -> None:
        """Hear the zygote; a socket takes some 250 orders at once, the rest goes when there is room again."""
        self.loop.listen(nursery.channel, lambda mask: self._hear_zygote(nursery, mask), writes=nursery.channel.backlog)

    def _bury_nursery(self, nursery: Nursery) -> None:
        self.loop.ignore(nursery.channel)
        nursery.close()
        self._nursery = None
        unborn = [*self._unborn.values()]
        self._unborn.clear()
        for lane in unborn:
            self.lost(lane, "the process that starts workers died")

    def _end(self, reason: str) -> None:
        for lane in {*self.lanes, *self._unborn.values()}:
            self.loop.ignore(lane.channel)
            lane.bury(reason)
        if self._nursery is not None:
            self._nursery.close()


REPORTS: dict[Op, Callable[[Keeper, Frame], None]] = {
    Op.BORN: Keeper._born,
    Op.UNBORN: Keeper._unborn_after_all,
    Op.GONE: Keeper._gone,
}


def _fates_of(faults: FateOf | None, rank: int) -> Callable[[], Fate] | None:
    """The fates of one worker's pieces of work, one after the other, also across its incarnations."""
    if faults is None:
        return None
    rounds = itertools.count()
    return lambda: faults(next(rounds), rank)


def _cause_of_death(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


_keepers: "weakref.WeakSet[Keeper]" = weakref.WeakSet()


def _stop_all() -> None:
    for keeper in list(_keepers):
        keeper.loop.stop()
    for keeper in list(_keepers):
        keeper.loop.join(2.0)


def _abandon_all() -> None:
    for keeper in list(_keepers):
        keeper.abandon()
    _keepers.clear()


atexit.register(_stop_all)
os.register_at_fork(after_in_child=_abandon_all)
