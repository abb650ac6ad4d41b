"""Engines that run in the caller's thread: work is done when somebody waits for it, one piece at a time.

A timeline (a heap of moments) stands in for the workers. Waiting, for a future or for the engine's clock, means taking
the next moment from the timeline and letting it happen. An engine of this kind differs from another only by its `Pace`:
what time is, and how long a piece of work takes. Not for use from several threads.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from queue import Empty
from typing import Any, Literal, Protocol, Self, TypeVar
from weakref import WeakValueDictionary

import numpy as np

from anyk.engines.base import Array, Cancelled, Caps, Inbox, Joined, Lost, News, Ref, WorkerLost
from anyk.engines.work import spoilt
from anyk.errors import ClusterError, InputError
from anyk.faults.base import Fate, FateOf, seeded

T = TypeVar("T")


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


class PumpedFuture(Future[T]):
    """A future that does the engine's work while it is waited for.

    `concurrent.futures.wait` and ``as_completed`` only watch; they wait for ever for work nobody does.
    """

    def __init__(self, engine: "PumpedEngine") -> None:
        super().__init__()
        self._engine = engine

    def result(self, timeout: float | None = None) -> T:
        """The result; raises TimeoutError also if nothing that is under way can bring it."""
        self._pump(timeout)
        return super().result(timeout=0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The exception, or None; raises TimeoutError like `result`."""
        self._pump(timeout)
        return super().exception(timeout=0)

    def _pump(self, timeout: float | None) -> None:
        until = None if timeout is None else self._engine.clock.now() + timeout
        while not self.done() and self._engine.step(until):
            pass


@dataclass(eq=False)
class _Piece:
    """One piece of work in a lane's queue; a fate of None: it takes no time and no harm (put, fetch, delete)."""

    do: Callable[[], Any]
    future: PumpedFuture[Any]
    fate: Fate | None


class PumpedLane:
    """One worker of a pumped engine: a store, a queue, and at most one piece of work in hand."""

    pid: int | None = None

    def __init__(self, engine: "PumpedEngine", rank: int, epoch: int) -> None:
        self.rank, self.epoch, self.host = rank, epoch, engine.name
        self._engine = engine
        self._store: dict[str, Any] = {}
        self._memory: dict[str, Array] = {}
        self._queue: deque[_Piece] = deque()
        self._in_hand: _Piece | None = None
        self._death: str | None = None

    # --- the verbs of a lane ------------------------------------------------------------------------------------

    def put(self, key: str, block: Array, /) -> Future[None]:
        """Store a copy of a block, as it is now; the block itself where it lies in a buffer of this engine."""
        kept = block if self._engine.is_shared(block) else np.array(block)
        return self._enqueue(lambda: self._store.update({key: kept}))

    def alloc(self, key: str, shape: tuple[int, ...], dtype: Any, /) -> Array | None:
        """A zeroed buffer that is the stored block itself."""
        buffer = self._engine.buffer(shape, dtype)
        self._enqueue(lambda: self._store.update({key: buffer}))
        return buffer

    def submit(self, fn: Callable[..., T], /, *args: Any, out: str | None = None) -> Future[T]:
        """Run ``fn(*args)`` in this lane's turn."""
        fate = self._engine.fate(self.rank)
        return self._enqueue(lambda: self._compute(fn, args, out, fate), fate)

    def fetch(self, key: str, /) -> Future[Array]:
        """The stored block itself."""
        return self._enqueue(lambda: self._load(key))

    def delete(self, *keys: str) -> None:
        """Forget blocks, in this lane's turn."""
        self._enqueue(lambda: [self._store.pop(key, None) for key in keys])

    def cancel(self, future: Future[Any], /) -> Literal["dequeued", "flagged", "running"]:
        """Take work out of the queue, or out of the worker's hand; a silent worker does not listen."""
        piece = self._in_hand
        if piece is None or piece.future is not future:
            self._queue = deque(piece for piece in self._queue if piece.future is not future)
            if future.cancel():
                future.set_running_or_notify_cancel()
            return "dequeued"
        if piece.fate is not None and piece.fate.end == "stop":
            return "running"
        self._settle(piece, error=Cancelled(f"cancelled on worker {self.rank}"))
        return "flagged"

    def kill(self) -> None:
        """End the worker now."""
        self.die("killed")

    # --- life ---------------------------------------------------------------------------------------------------

    def die(self, cause: str, *, news: bool = True) -> None:
        """End the worker: its blocks are gone, and every pending future raises `WorkerLost`."""
        if self._death is not None:
            return
        self._death = cause
        owed = [self._in_hand, *self._queue]
        self._in_hand = None
        self._queue.clear()
        self._store.clear()
        for piece in owed:
            if piece is not None:
                self._resolve(piece.future, error=self._lost())
        if news:
            self._engine.announce(Lost(self.rank, self.epoch, cause))

    def _lost(self) -> WorkerLost:
        return WorkerLost(self.rank, self.epoch, self._death or "unknown")

    def _enqueue(self, do: Callable[[], Any], fate: Fate | None = None) -> Future[Any]:
        future: PumpedFuture[Any] = PumpedFuture(self._engine)
        if self._death is not None:
            future.set_exception(self._lost())
            return future
        self._queue.append(_Piece(do, future, fate))
        self._advance()
        return future

    def _advance(self) -> None:
        """Take pieces in hand, in order, until one of them takes time."""
        while self._in_hand is None and self._queue:
            piece = self._in_hand = self._queue.popleft()
            if piece.fate is None:
                self._perform(piece)
            elif piece.fate.end == "crash":
                self._engine.after(self._engine.pace.before(piece.fate), self._if_in_hand(piece, self._crash))
            elif piece.fate.end != "stop":
                self._engine.after(self._engine.pace.before(piece.fate), self._if_in_hand(piece, self._perform))

    def _if_in_hand(self, piece: _Piece, then: Callable[[_Piece], None]) -> Callable[[], None]:
        """A moment that only happens if the piece was neither cancelled nor lost by then."""
        return lambda: then(piece) if self._in_hand is piece else None

    def _crash(self, piece: _Piece) -> None:
        self.die("crashed")

    def _perform(self, piece: _Piece) -> None:
        if not piece.future.set_running_or_notify_cancel():
            return self._settle(piece)
        began = self._engine.pace.now()
        result, error = None, None
        try:
            result = piece.do()
        except Exception as raised:
            error = raised
        pause = 0.0 if piece.fate is None else self._engine.pace.after(piece.fate, self._engine.pace.now() - began)
        if pause > 0:
            return self._engine.after(pause, self._if_in_hand(piece, lambda piece: self._settle(piece, result, error)))
        return self._settle(piece, result, error)

    def _settle(self, piece: _Piece, result: Any = None, error: Exception | None = None) -> None:
        """The piece in hand is over; the next one begins before anybody hears of it."""
        if self._in_hand is piece:
            self._in_hand = None
        if piece.fate is not None:
            self._advance()
        self._resolve(piece.future, result, error)

    @staticmethod
    def _resolve(future: Future[Any], result: Any = None, error: Exception | None = None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _compute(self, fn: Callable[..., Any], args: tuple[Any, ...], out: str | None, fate: Fate) -> Any:
        if not self._engine.computes:
            return None
        given = [self._load(arg) if isinstance(arg, Ref) else arg for arg in args]
        result = spoilt(fate, fn(*given), given, self._memory)
        if out is None:
            return result
        self._store[out] = result
        return None

    def _load(self, key: str) -> Any:
        if key not in self._store:
            raise InputError(f"worker {self.rank} holds no block {str(key)!r}: put it there first")
        return self._store[key]


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
