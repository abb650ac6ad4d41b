"""Engines that run in the caller's thread: work is done when somebody waits for it, one piece at a time.

A timeline (a heap of moments) stands in for the workers. Waiting, for a future or for the engine's clock, means taking
the next moment from the timeline and letting it happen. An engine of this kind differs from another only by its `Pace`:
what time is, and how long a piece of work takes. Not for use from several threads.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from queue import Empty
from typing import Any, Protocol, Self
from weakref import WeakValueDictionary

import numpy as np

from anyk.engines.base import Array, Caps, Inbox, Joined, News
from anyk.engines.pumped_lanes import PumpedLane
from anyk.errors import ClusterError, InputError
from anyk.faults.base import Fate, FateOf, seeded


class Pace(Protocol):
    """What time is on an engine, and how long its work takes. All in seconds."""

    def now(self) -> float:
        """The time."""
        ...

    def sleep_until(self, at: float) -> None:
        """Let time pass, if it has not passed already."""
        ...

    def before(self, fate: Fate) -> float:
        """From the moment a worker begins a piece of work until that work is done (or the worker dies)."""
        ...

    def after(self, fate: Fate, worked: float) -> float:
        """From then, the work having really taken ``worked``, until the answer is there."""
        ...


class PumpedClock:
    """The clock of a pumped engine: waiting is working."""

    def __init__(self, engine: "PumpedEngine") -> None:
        self._engine = engine

    def now(self) -> float:
        """Seconds, as the engine's pace has them."""
        return self._engine.pace.now()

    def wait(self, inbox: Inbox, until: float | None) -> Any | None:
        """The next thing in the inbox; None once it is ``until``, or, without a limit, once nothing is under way."""
        while True:
            try:
                return inbox.get(block=False)
            except Empty:
                if not self._engine.step(until):
                    return None


class PumpedEngine:
    """What `InlineEngine` and `SimulatedEngine` share: everything but the pace.

    Args:
        name: of the engine.
        workers: number of lanes; at least 1.
        pace: what time is here.
        faults: the fate of each piece of work, already bound to a seed; None: nothing ever happens.
        computes: whether work is really done; where not, its results are None.
    """

    caps = Caps(shared_memory=True, survives_loss=True, kill=True, respawn=True, remote=False, min_task_seconds=0.0)

    def __init__(self, name: str, workers: int, pace: Pace, *, faults: FateOf | None, computes: bool = True) -> None:
        if workers < 1:
            raise InputError(f"`{name}` engine with {workers} workers: at least 1 is needed")
        self.name, self.pace, self.computes = name, pace, computes
        self.clock = PumpedClock(self)
        self.lanes = [PumpedLane(self, rank, epoch=0) for rank in range(workers)]
        self._fates = faults or seeded(None, 0)
        self._rounds = [count() for _ in range(workers)]
        self._timeline: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._listeners: list[Callable[[News], None]] = []
        self._buffers: WeakValueDictionary[int, Array] = WeakValueDictionary()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def respawn(self, rank: int, /) -> PumpedLane:
        """Replace a worker by a fresh one."""
        if self._closed:
            raise ClusterError(f"`{self.name}` engine: worker {rank} cannot be replaced, the engine is closed")
        old = self.lanes[rank]
        old.die("replaced")
        self.lanes[rank] = PumpedLane(self, old.rank, old.epoch + 1)
        self.announce(Joined(old.rank, old.epoch + 1))
        return self.lanes[rank]

    def subscribe(self, callback: Callable[[News], None], /) -> Callable[[], None]:
        """Call back with news, in the caller's thread."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    def close(self, *, kill: bool = True) -> None:
        """End every worker; with ``kill=False`` only after all work that can be done is done."""
        while not kill and self.step(None):
            pass
        self._closed = True
        for lane in self.lanes:
            lane.die("the engine was closed", news=False)
        self._timeline.clear()

    # --- what lanes, futures and the clock use ------------------------------------------------------------------

    def step(self, until: float | None) -> bool:
        """Let the next moment happen; False if there is none, or none before ``until``, which it then is."""
        if self._timeline and (until is None or self._timeline[0][0] <= until):
            at, _, happen = heappop(self._timeline)
            self.pace.sleep_until(at)
            happen()
            return True
        if until is not None:
            self.pace.sleep_until(until)
        return False

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Put a moment on the timeline; equal times happen in the order they were put."""
        heappush(self._timeline, (self.pace.now() + seconds, next(self._order), happen))

    def buffer(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """A zeroed array that lanes share."""
        buffer = np.zeros(shape, dtype)
        self._buffers[id(buffer)] = buffer
        return buffer

    def is_shared(self, block: Array) -> bool:
        """Whether a block is such an array or a view of one."""
        owner = getattr(block, "base", None)
        owner = block if owner is None else owner
        return self._buffers.get(id(owner)) is owner

    def fate(self, rank: int) -> Fate:
        """The fate of the next piece of work given to this rank."""
        return self._fates(next(self._rounds[rank]), rank)

    def announce(self, news: News) -> None:
        """Tell every subscriber."""
        for listener in [*self._listeners]:
            listener(news)
