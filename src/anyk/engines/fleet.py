"""What the engines on other people's means share: lanes and their replacement, news, alarms, the end.

An engine of this kind says how a worker is found for a lane (`FleetEngine._recruit`) and what is to be freed at the end
(`FleetEngine._release`).
"""

import atexit
import contextlib
import itertools
import logging
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import wait
from types import TracebackType
from typing import Any, Self

from anyk.engines import desk
from anyk.engines.base import Caps, Joined, Lost, News, Note, Slow
from anyk.engines.clock import RealClock
from anyk.engines.loop import Loop
from anyk.engines.remote import RemoteLane
from anyk.errors import ClusterError, InputError
from anyk.faults.base import Fate, FateOf

_log = logging.getLogger(__name__)


class FleetEngine(ABC):
    """P lanes whose workers somebody else runs; abstract.

    Callbacks of futures and subscribers run in whichever thread brings the answer: they may call any verb, but must not
    wait for an answer.

    Args:
        workers: number of lanes, at least 1.
        faults: fate of the n-th piece of work of each worker. Default: none.
        grace_seconds: a worker that goes on with cancelled work for longer is reported slow, and replaced where
            ``replaces_slow``.
    """

    name: str
    caps: Caps
    #: Asked for no number of workers, it takes those that are there.
    finds_workers = True
    #: Seconds until a worker that does not come will not come.
    birth_seconds: float = 60.0
    #: Whether a worker that ignores a cancel is killed: not where it may serve others, too.
    replaces_slow: bool = False
    lane_class: type[RemoteLane] = RemoteLane

    def __init__(self, workers: int, faults: FateOf | None = None, grace_seconds: float = 2.0) -> None:
        if workers < 1:
            raise InputError(f"`{type(self).__name__}({workers})` needs at least 1 worker.")
        self.clock = RealClock()
        self.lanes: list[RemoteLane] = []
        self._grace = grace_seconds
        self._fates = [_fates_of(faults, rank) for rank in range(workers)]
        self._subscribers: dict[object, Callable[[News], None]] = {}
        self._lock = threading.RLock()
        self._is_closed = False
        self._loop = Loop(f"anyk-{self.name}", lambda _: None)
        self._loop.start()
        _open.add(self)

    def _muster(self) -> None:
        """Recruit a worker for every lane and wait until all are there; the last thing a constructor does.

        Raises:
            ClusterError: one did not come.
        """
        try:
            with self._lock:
                self.lanes = [self._lane(rank, 0) for rank in range(len(self._fates))]
            for lane in self.lanes:
                self._recruit(lane)
            until = time.monotonic() + self.birth_seconds
            for lane in self.lanes:
                lane.born.wait(max(0.0, until - time.monotonic()))
                if not lane.alive or not lane.born.is_set():
                    cause = lane.cause or f"it did not come within {self.birth_seconds:.0f} s"
                    raise ClusterError(f"worker {lane.rank} of the {self.name} engine could not be started: {cause}")
        except BaseException:
            self.close()
            raise

    # --- the verbs of an engine ---------------------------------------------------------------------------------------

    def respawn(self, rank: int, /) -> RemoteLane:
        """Replace a worker; the new lane is there at once, and what it is given waits for the new worker.

        Raises:
            ClusterError: no new worker can be had, or the engine is closed.
        """
        with self._lock:
            self._check_open()
            if not self.caps.respawn:
                raise ClusterError(f"worker {rank} of the {self.name} engine cannot be replaced.")
            old = self.lanes[rank]
            lane = self._lane(rank, old.epoch + 1)
            self.lanes[rank] = lane
        self.lost(old, "replaced by a new worker", kill=True)
        try:
            self._recruit(lane)
        except ClusterError as error:
            self.lost(lane, str(error))
            raise
        self.later(self.birth_seconds, lambda: self._check_birth(lane))
        return lane

    def subscribe(self, callback: Callable[[News], None], /) -> Callable[[], None]:
        """Call back with every later piece of news, from any thread; returns the way to unsubscribe."""
        ticket = object()
        self._subscribers[ticket] = callback
        return lambda: (self._subscribers.pop(ticket, None), None)[1]

    def close(self, *, kill: bool = True) -> None:
        """End every worker and free everything; safe to call twice.

        Args:
            kill: end work that still runs; otherwise wait for it first.
        """
        if not kill:
            wait([future for lane in self.lanes for future in lane.pending()])
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        for lane in self.lanes:
            lane.bury("the engine was closed", kill=True)
        try:
            self._release()
        finally:
            self._loop.stop()
            self._loop.join(5.0)
            _open.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what lanes and their workers report, from any thread ---------------------------------------------------------

    def later(self, seconds: float, action: Callable[[], None], /) -> None:
        """Do something in the engine's thread after some time, if it is still open then."""
        if seconds > 0:
            self._loop.later(seconds, lambda: None if self._is_closed else action())
        else:
            self._loop.soon(lambda: None if self._is_closed else action())

    def lost(self, lane: RemoteLane, cause: str, /, *, kill: bool = False) -> None:
        """End a lane and say so, once."""
        if lane.bury(cause, kill=kill) and not self._is_closed:
            self.tell(Lost(lane.rank, lane.epoch, cause))

    def arrived(self, lane: RemoteLane, post: Any, host: str, pid: int | None) -> bool:
        """A worker is there for a lane; False if nobody wants it any more."""
        if not lane.arrive(post, host, pid):
            return False
        self.tell(Joined(lane.rank, lane.epoch))
        return True

    def overdue(self, lane: RemoteLane, seconds: float, /) -> None:
        """A worker does not answer a cancel."""
        self.tell(Slow(lane.rank, seconds))
        if not self.replaces_slow or self.lanes[lane.rank] is not lane:
            return
        try:
            self.respawn(lane.rank)
        except ClusterError as error:
            self.tell(Note(f"worker {lane.rank} could not be replaced: {error}"))

    def tell(self, news: News) -> None:
        """Tell every subscriber."""
        for callback in list(self._subscribers.values()):
            try:
                callback(news)
            except Exception:
                _log.exception("a subscriber failed on %s", news)

    # --- what an engine of this kind adds -----------------------------------------------------------------------------

    @abstractmethod
    def _recruit(self, lane: RemoteLane) -> None:
        """Find or start a worker for this lane, without waiting long; `arrived` or `lost` tells what came of it.

        Raises:
            ClusterError: there is none to be had.
        """

    @abstractmethod
    def _release(self) -> None:
        """Free what the engine holds besides its lanes."""

    #: Makes messages; see `anyk.engines.remote.Post.pack`.
    _pack: Callable[..., Any] = staticmethod(desk.message)

    def _lane(self, rank: int, epoch: int) -> RemoteLane:
        return self.lane_class(rank, epoch, self, self._fates[rank], self._grace, self._pack)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClusterError(f"the {self.name} engine is closed: open another one.")

    def _check_birth(self, lane: RemoteLane) -> None:
        if not lane.born.is_set():
            self.lost(lane, f"no new worker came within {self.birth_seconds:.0f} s")


def _fates_of(faults: FateOf | None, rank: int) -> Callable[[], Fate] | None:
    """The fates of one worker's pieces of work, one after the other, also across its incarnations."""
    if faults is None:
        return None
    rounds = itertools.count()
    return lambda: faults(next(rounds), rank)


_open: "weakref.WeakSet[FleetEngine]" = weakref.WeakSet()


def _close_all() -> None:
    for engine in list(_open):
        with contextlib.suppress(Exception):
            engine.close()


atexit.register(_close_all)
