"""One thread that keeps all worker processes of an engine: it hears answers and deaths, and replaces workers.

Laws:

1. Only this thread reads sockets, ends lanes and talks to the zygote. Other threads leave a note (`Keeper.soon`).
2. It never waits for a worker: every socket is non-blocking.
3. The zygote is started by this thread, since the kernel tells a child of the end of the thread that started it.
4. It knows the lanes and not the engine, so an engine that is forgotten is collected, and its workers with it.
"""

import atexit
import contextlib
import heapq
import itertools
import logging
import os
import selectors
import signal
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from anyk.engines.base import Joined, Lost, News, Note, Slow
from anyk.engines.channel import Frame, Op, unpack
from anyk.engines.lanes import ProcessLane
from anyk.engines.memory import Descriptor
from anyk.engines.zygote import Nursery
from anyk.errors import ClusterError
from anyk.faults.base import FateOf

T = TypeVar("T")

#: After a socket's end, how long to wait for the zygote to say how the worker died.
OBITUARY_SECONDS = 0.02

_log = logging.getLogger(__name__)


class Keeper:
    """The thread and what it keeps.

    Args:
        workers: number of lanes.
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
        self._notes: deque[Callable[[], None]] = deque()
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ, self._hear_bell)
        self._is_stopping = False
        self.thread = threading.Thread(target=self._run, name="anyk-processes", daemon=True)
        self.thread.start()
        _keepers.add(self)

    # --- from any thread ----------------------------------------------------------------------------------------------

    def soon(self, action: Callable[[], None], /) -> None:
        """Run an action in the keeper's thread."""
        self._notes.append(action)
        with contextlib.suppress(OSError):
            self._ringer.send(b"!")

    def later(self, seconds: float, action: Callable[[], None], /) -> None:
        """Run an action in the keeper's thread after some time."""
        alarm = time.monotonic() + seconds, next(self._order), action
        self.soon(lambda: heapq.heappush(self._alarms, alarm))

    def ask(self, question: Callable[[], T]) -> T:
        """Run a function in the keeper's thread and return what it returns.

        Raises:
            ClusterError: the keeper has stopped.
        """
        if self.is_inside():
            return question()
        answer: Future[T] = Future()
        self.soon(lambda: _reply(answer, question))
        while not answer.done() and self.thread.is_alive():
            with contextlib.suppress(TimeoutError):
                return answer.result(0.2)
        if answer.done():
            return answer.result()
        raise ClusterError("the engine is closed: open another one.")

    def stop(self) -> None:
        """Ask the thread to end every worker and itself; returns at once."""
        self._is_stopping = True
        with contextlib.suppress(OSError):
            self._ringer.send(b"!")

    def join(self, seconds: float | None = None) -> None:
        """Wait until all is gone; a call from the thread itself cannot and does not."""
        if not self.is_inside():
            self.thread.join(seconds)

    def is_inside(self) -> bool:
        """Whether the caller is the keeper's thread, which must not wait for itself."""
        return threading.current_thread() is self.thread

    @property
    def zygote_pid(self) -> int | None:
        """The process that forks the workers, if it lives."""
        return None if self._nursery is None else self._nursery.pid

    def abandon(self) -> None:
        """In a fork of the process: close what was inherited and touch nothing else."""
        self._is_stopping = True
        for lane in [*self.lanes, *self._unborn.values()]:
            lane.abandon()
        if self._nursery is not None:
            self._nursery.abandon()
        self._close_own()

    # --- lanes, in the keeper's thread --------------------------------------------------------------------------------

    def hatch(self, rank: int, cause: str = "replaced by a new worker") -> ProcessLane:
        """A new lane at this rank, in the place of the old one if there is one; its worker comes a little later."""
        if self._is_stopping:
            raise ClusterError("the engine is closed: open another one.")
        old = self.lanes[rank : rank + 1]
        lane = self._conceive(rank, old[0].epoch + 1 if old else 0)
        # The new lane is in its place before anybody hears of the loss, so that nobody replaces it twice.
        self.lanes[rank : rank + 1] = [lane]
        for each in old:
            self.lost(each, cause)
        return lane

    def _conceive(self, rank: int, epoch: int) -> ProcessLane:
        nursery = self._ready_nursery()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        end = Descriptor(theirs.detach())
        lane = ProcessLane(rank, epoch, ours, self, self._fates[rank], self._grace)
        self._selector.register(lane.channel, selectors.EVENT_READ, lambda mask: self._hear_lane(lane, mask))
        self._unborn[rank, epoch] = lane
        # If the zygote is gone its socket ends, and `_bury_nursery` ends the unborn lanes.
        with contextlib.suppress(ConnectionError):
            nursery.fork(rank, epoch, end)
        return lane

    def watch(self, lane: ProcessLane, /) -> None:
        """Call ``lane.writable`` too as long as ``lane.writing``."""
        if lane.alive and lane.channel.fileno() in self._selector.get_map():
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if lane.writing else 0)
            self._selector.modify(lane.channel, events, lambda mask: self._hear_lane(lane, mask))

    def lost(self, lane: ProcessLane, cause: str, /) -> None:
        """End a lane and say so."""
        if lane.alive:
            self._deafen(lane)
            lane.bury(cause)
            self.tell(Lost(lane.rank, lane.epoch, lane.cause))

    def overdue(self, lane: ProcessLane, seconds: float, /) -> None:
        """Replace a lane whose worker does not answer a cancel."""
        self.tell(Slow(lane.rank, seconds))
        cause = f"did not answer a cancel for {seconds:.1f} s"
        try:
            self.hatch(lane.rank, cause)
        except (ClusterError, OSError) as error:
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

    def _hear_bell(self, _: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(1 << 12)

    def _hear_lane(self, lane: ProcessLane, mask: int) -> None:
        if not lane.alive:
            return
        if mask & selectors.EVENT_WRITE:
            lane.writable()
        if mask & selectors.EVENT_READ:
            try:
                lane.readable()
            except (EOFError, OSError):
                self._deafen(lane)
                self.later(OBITUARY_SECONDS, lambda: self.lost(lane, "its connection closed"))

    def _hear_zygote(self, nursery: Nursery) -> None:
        try:
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

    def _deafen(self, lane: ProcessLane) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(lane.channel)

    # --- the zygote ---------------------------------------------------------------------------------------------------

    def _ready_nursery(self) -> Nursery:
        if self._nursery is None:
            nursery = self._nursery = Nursery(self._threads)
            self._selector.register(nursery.channel, selectors.EVENT_READ, lambda _: self._hear_zygote(nursery))
        return self._nursery

    def _bury_nursery(self, nursery: Nursery) -> None:
        self._selector.unregister(nursery.channel)
        nursery.close()
        self._nursery = None
        for lane in self._unborn.values():
            self.lost(lane, "the process that starts workers died")
        self._unborn.clear()

    # --- the loop -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        cause = "the engine failed"
        try:
            while not self._is_stopping:
                self._turn()
            cause = "the engine was closed"
        finally:
            self._end(cause)

    def _turn(self) -> None:
        for key, mask in self._selector.select(self._patience()):
            key.data(mask)
        while self._notes:
            self._notes.popleft()()
        while self._alarms and self._alarms[0][0] <= time.monotonic():
            heapq.heappop(self._alarms)[2]()

    def _patience(self) -> float | None:
        if self._notes:
            return 0.0
        return max(0.0, self._alarms[0][0] - time.monotonic()) if self._alarms else None

    def _end(self, cause: str) -> None:
        self._is_stopping = True
        for lane in {*self.lanes, *self._unborn.values()}:
            self._deafen(lane)
            lane.bury(cause)
        if self._nursery is not None:
            self._nursery.close()
        while self._notes:
            self._notes.popleft()()
        self._close_own()

    def _close_own(self) -> None:
        self._selector.close()
        self._bell.close()
        self._ringer.close()


REPORTS: dict[Op, Callable[[Keeper, Frame], None]] = {
    Op.BORN: Keeper._born,
    Op.UNBORN: Keeper._unborn_after_all,
    Op.GONE: Keeper._gone,
}


def _fates_of(faults: FateOf | None, rank: int) -> "Callable[[], Any] | None":
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


def _reply(answer: Future[T], question: Callable[[], T]) -> None:
    try:
        answer.set_result(question())
    except BaseException as error:
        answer.set_exception(error)


_keepers: "weakref.WeakSet[Keeper]" = weakref.WeakSet()


def _stop_all() -> None:
    for keeper in list(_keepers):
        keeper.stop()
    for keeper in list(_keepers):
        keeper.join(2.0)


def _abandon_all() -> None:
    for keeper in list(_keepers):
        keeper.abandon()
    _keepers.clear()


atexit.register(_stop_all)
os.register_at_fork(after_in_child=_abandon_all)
