"""The master's end of one worker that is reached through somebody else's means: an executor, Dask, Ray, MPI, TCP.

Any thread may call the verbs, and any thread may bring answers. The lock guards the fields; futures are settled outside
it, since their callbacks may call back. A lane exists before its worker does: what it is given waits.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from anyk.engines import desk, meter, work
from anyk.engines.base import Array, Far, Ref, WorkerLost
from anyk.errors import InputError
from anyk.faults.base import Fate

T = TypeVar("T")


class Post(Protocol):
    """The way to one worker. Nothing here waits for the worker, nor calls the lane back before it returns."""

    #: Messages the worker may have unanswered; the others wait on the master, where they can still be withdrawn.
    window: int

    def pack(self, verb: str, *body: Any) -> Any:
        """A message as it will be sent; blocks are copied as they are now."""
        ...

    def send(self, seq: int, message: Any, /) -> None:
        """Send it, after all that was sent before; the answer comes by ``lane.heard``."""
        ...

    def weight(self, message: Any, /) -> int:
        """Bytes that sending it moves."""
        ...

    def way(self, key: str, to: "Post", /) -> Any:
        """How the worker ``to`` gets at a block of this one; None: not at all."""
        ...

    def flag(self, seq: int, /) -> bool:
        """Tell the worker that a message is not wanted any more; False where it cannot be told."""
        ...

    def end(self, *, kill: bool) -> None:
        """The lane is lost: let the worker go, or end it."""
        ...


class Fleet(Protocol):
    """What a lane needs of its engine."""

    def later(self, seconds: float, action: Callable[[], None], /) -> None:
        """Do something after some time."""
        ...

    def lost(self, lane: "RemoteLane", cause: str, /, *, kill: bool = False) -> None:
        """End a lane and say so."""
        ...

    def overdue(self, lane: "RemoteLane", seconds: float, /) -> None:
        """A worker does not answer a cancel."""
        ...


@dataclass(slots=True)
class _Sent:
    future: "Future[Any]"
    is_work: bool
    flagged_at: float | None = None


class RemoteLane:
    """One worker, first in first out; see `anyk.engines.base.Lane`.

    Args:
        rank: position in the code.
        epoch: incarnation.
        fleet: the engine.
        fate: decides what happens to the next piece of work, or None for nothing ever.
        grace_seconds: how long a cancelled piece of work may go on before the engine is told.
        pack: makes messages; see `Post.pack`.
    """

    def __init__(
        self,
        rank: int,
        epoch: int,
        fleet: Fleet,
        fate: Callable[[], Fate] | None,
        grace_seconds: float,
        pack: Callable[..., Any] = desk.message,
    ) -> None:
        self.rank, self.epoch, self.host = rank, epoch, "not there yet"
        self.pid: int | None = None
        #: Set once the worker is there, or will never be.
        self.born = threading.Event()
        self._fleet, self._fate, self._grace, self._pack = fleet, fate, grace_seconds, pack
        self._lock = threading.RLock()
        self._waiting: OrderedDict[Future[Any], tuple[bool, Any]] = OrderedDict()
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._count = 0
        self._heard_at = time.monotonic()
        self._post: Post | None = None
        self._cause: str | None = None

    @property
    def alive(self) -> bool:
        """Whether this lane still takes work."""
        return self._cause is None

    @property
    def post(self) -> Any:
        """The way to the worker; None while there is none."""
        return self._post

    @property
    def cause(self) -> str:
        """What ended this lane; empty while it lives."""
        return self._cause or ""

    # --- verbs, from any thread ---------------------------------------------------------------------------------------

    def put(self, key: str, block: Array, /) -> "Future[None]":
        """Store a copy of a block under a key."""
        return self._give("put", key, desk.check_block(key, block))

    def alloc(self, key: str, shape: tuple[int, ...], dtype: Any, /) -> Array | None:
        """None: no memory is shared with this worker."""
        return None

    def submit(self, fn: Callable[..., T], /, *args: Any, out: str | None = None) -> "Future[T]":
        """Run ``fn(*args)`` on the worker; see `anyk.engines.base.Lane.submit`.

        Raises:
            InputError: ``fn`` or an argument cannot travel.
        """
        name = getattr(fn, "__qualname__", repr(fn))
        if getattr(fn, "__module__", None) == "__main__":
            raise InputError(
                f"`submit({name})`: a worker cannot import {name} from a script's `__main__`. Move it into a module."
            )
        args = tuple(self._addressed(arg) if isinstance(arg, Far) else arg for arg in args)
        todo: tuple[Callable[..., Any], tuple[Any, ...]] = fn, args
        if self._fate is not None and not work.is_chore(fn) and (fate := self._fate()) != Fate():
            todo = work.suffer, (fate, fn, *args)
        try:
            return self._give("run", *todo, out)
        except InputError:
            raise
        except Exception as error:  # whatever pickling the caller's objects raises
            raise InputError(
                f"`submit({name}, …)` cannot be sent to a worker: {error}. The function must be importable by name, "
                "and the arguments picklable."
            ) from error

    def fetch(self, key: str, /) -> "Future[Array]":
        """Bring a copy of a stored block to the master."""
        return self._give("fetch", str(key))

    def delete(self, *keys: str) -> None:
        """Forget blocks; unknown keys are fine."""
        self._give("delete", *map(str, keys))

    def cancel(self, future: "Future[Any]", /) -> Literal["dequeued", "flagged", "running"]:
        """Free the worker from this work; of a future that is done there is nothing left to free: ``"dequeued"``."""
        with self._lock:
            withdrawn = self._waiting.pop(future, None) is not None
            seq = None if withdrawn else self._flag(future)
        if withdrawn:
            future.cancel()
            future.set_running_or_notify_cancel()
        elif seq is not None:
            self._fleet.later(self._grace, lambda: self._check(seq))
        if future.done():
            return "dequeued"
        return "running" if seq is None else "flagged"

    def kill(self) -> None:
        """End the worker now; its pending futures raise `WorkerLost`."""
        self._fleet.lost(self, "killed on request", kill=True)

    def way(self, key: str, to: Post) -> Any:
        """How another worker of this engine gets at a block of this one; None: not at all."""
        with self._lock:
            return None if self._post is None else self._post.way(key, to)

    def pending(self) -> "list[Future[Any]]":
        """What is not answered yet."""
        with self._lock:
            return [*(sent.future for sent in self._sent.values()), *self._waiting]

    # --- the worker's life, from any thread ---------------------------------------------------------------------------

    def arrive(self, post: Post, host: str, pid: int | None) -> bool:
        """The worker is there; whether anybody still wants it."""
        with self._lock:
            if self._cause is not None:
                return False
            self._post, self.host, self.pid = post, host, pid
            self._draw()
        self.born.set()
        return True

    def heard(self, seq: int, answer: "bytes | desk.Answer") -> None:
        """The answer to a message; of those that are not awaited any more nothing is left."""
        with self._lock:
            sent = self._sent.pop(seq, None)
            self._heard_at = time.monotonic()
            self._draw()
        if sent is not None:
            meter.count_received(sent.future, 0 if isinstance(answer, tuple) else len(answer))
            desk.settle(sent.future, answer)

    def bury(self, cause: str, *, kill: bool) -> bool:
        """Fail everything the worker owed; False if that was done before."""
        with self._lock:
            if self._cause is not None:
                return False
            self._cause, post, self._post = cause, self._post, None
            orphans = [sent.future for sent in self._sent.values()]
            orphans += [future for future in self._waiting if future.set_running_or_notify_cancel()]
            self._sent.clear()
            self._waiting.clear()
        if post is not None:
            post.end(kill=kill)
        for future in orphans:
            future.set_exception(WorkerLost(self.rank, self.epoch, cause))
        self.born.set()
        return True

    # --- sending ------------------------------------------------------------------------------------------------------

    def _give(self, verb: str, *body: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        meter.remember(future)
        message = self._pack(verb, *body)
        with self._lock:
            if self._cause is None:
                self._waiting[future] = verb == "run", message
                self._draw()
                return future
        future.set_exception(WorkerLost(self.rank, self.epoch, self.cause))
        return future

    def _addressed(self, far: Far) -> Ref | desk.Away:
        """A block of another lane as the worker is told of it."""
        if far.lane is self:
            return Ref(far.key)
        with self._lock:
            post = self._post
        # Not under this lane's lock: two lanes may ask each other at once.
        lane: Any = far.lane
        return desk.Away(None if post is None else lane.way(far.key, post), far.key)

    def _draw(self) -> None:
        """Send what may be sent; under the lock."""
        while self._post is not None and self._waiting and len(self._sent) < self._post.window:
            future, (is_work, message) = self._waiting.popitem(last=False)
            if not future.set_running_or_notify_cancel():
                continue
            self._count += 1
            self._sent[self._count] = _Sent(future, is_work)
            try:
                meter.count_sent(future, self._post.weight(message))
                self._post.send(self._count, message)
            except Exception as error:
                self._fleet.later(0.0, partial(self._fleet.lost, self, f"nothing more could be sent: {error!r}"))
                return

    def _flag(self, future: "Future[Any]") -> int | None:
        """Flag a message that was sent, under the lock; its number, or None where that cannot be."""
        for seq, sent in self._sent.items():
            if sent.future is future and sent.is_work and self._post is not None and self._post.flag(seq):
                sent.flagged_at = sent.flagged_at or time.monotonic()
                return seq
        return None

    def _check(self, seq: int) -> None:
        """Whether a cancelled piece of work still goes on through nobody's fault but its worker's."""
        with self._lock:
            sent = self._sent.get(seq)
            if sent is None or sent.flagged_at is None:
                return
            is_behind = any(
                each.is_work and each.flagged_at is None for earlier, each in self._sent.items() if earlier < seq
            )
            silence = 0.0 if is_behind else time.monotonic() - max(sent.flagged_at, self._heard_at)
        if silence >= self._grace:
            self._fleet.overdue(self, silence)
        else:
            self._fleet.later(max(self._grace - silence, 0.01), lambda: self._check(seq))
