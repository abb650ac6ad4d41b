"""The lanes of engines that run in the caller's thread, and the futures that do the work while they are waited for."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from anyk.engines.base import Array, Cancelled, Lost, Ref, WorkerLost
from anyk.engines.work import spoilt
from anyk.errors import InputError
from anyk.faults.base import Fate

if TYPE_CHECKING:
    from anyk.engines.pumped import PumpedEngine

T = TypeVar("T")


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
