"""The master's end of one worker process: its verbs, its answers, its end.

Any thread may call the verbs. Answers, deaths and deadlines are handled in the keeper's loop alone. The lock guards
the fields; futures are settled outside it, since their callbacks may call back.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from anyk.engines import memory, meter
from anyk.engines.base import Array, WorkerLost
from anyk.engines.channel import Channel, Frame, Op, pack
from anyk.engines.ledger import Ledger
from anyk.engines.loop import Loop
from anyk.engines.memory import Descriptor
from anyk.engines.requests import request, settle
from anyk.errors import InputError
from anyk.faults.base import Fate

T = TypeVar("T")


class Keeps(Protocol):
    """What a lane needs of its keeper; all but ``loop`` for the loop's thread."""

    loop: Loop

    def watch(self, lane: "ProcessLane", /) -> None:
        """Call ``lane.writable`` too as long as ``lane.writing``."""
        ...

    def lost(self, lane: "ProcessLane", cause: str, /) -> None:
        """End a lane."""
        ...

    def overdue(self, lane: "ProcessLane", seconds: float, /) -> None:
        """Replace a lane whose worker does not answer a cancel."""
        ...


class ProcessLane:
    """One worker process, first in first out; see `anyk.engines.base.Lane`.

    Args:
        rank: position in the code.
        epoch: incarnation.
        end: the socket to the worker.
        keeper: what hears it.
        fate: decides what happens to the next piece of work, or None for nothing ever.
        grace_seconds: how long a cancelled piece of work may go on before its worker is replaced.
    """

    def __init__(
        self,
        rank: int,
        epoch: int,
        end: socket.socket,
        keeper: Keeps,
        fate: Callable[[], Fate] | None,
        grace_seconds: float,
    ) -> None:
        self.rank, self.epoch, self.host = rank, epoch, socket.gethostname()
        self.pid: int | None = None
        #: Set once the worker runs, or will never run.
        self.born = threading.Event()
        #: Whether the socket is full and the keeper shall tell when it is not.
        self.writing = False
        end.setblocking(False)
        self.channel = Channel(end)
        self._keeper, self._fate, self._grace = keeper, fate, grace_seconds
        self._lock = threading.RLock()
        self._ledger = Ledger()
        self._handle: Descriptor | None = None
        self._blame = ""
        self._cause: str | None = None
        self._give(Op.HELLO, self._ledger.flags)

    @property
    def alive(self) -> bool:
        """Whether this lane still takes work."""
        return self._cause is None

    @property
    def cause(self) -> str:
        """What ended this lane; empty while it lives."""
        return self._cause or ""

    # --- verbs, from any thread ---------------------------------------------------------------------------------------

    def put(self, key: str, block: Array, /) -> Future[None]:
        """Store a block under a key: a copy, or the block itself where it already lies in shared memory."""
        block = np.asarray(block)
        if block.dtype.hasobject:
            raise InputError(f"`put({key!r}, block)` needs a block of numbers; its dtype is {block.dtype}.")
        return self._give(Op.PUT, (key, block))

    def alloc(self, key: str, shape: tuple[int, ...], dtype: Any, /) -> Array:
        """A zeroed buffer shared with the worker and stored under ``key``.

        On a lost lane it is shared with nobody; the next future tells.

        Raises:
            ClusterError: shared memory is full.
        """
        block = memory.zeros(shape, dtype)
        self._give(Op.PUT, (key, block))
        return block

    def submit(self, fn: Callable[..., T], /, *args: Any, out: str | None = None) -> Future[T]:
        """Run ``fn(*args)`` on the worker; see `anyk.engines.base.Lane.submit`.

        Raises:
            InputError: ``fn`` or an argument cannot travel.
        """
        return self._post(request(fn, args, out, self._fate))

    def fetch(self, key: str, /) -> Future[Array]:
        """Bring a stored block to the master: the worker's own memory where that is shared, else a copy."""
        return self._give(Op.FETCH, key)

    def delete(self, *keys: str) -> None:
        """Forget blocks; unknown keys are fine."""
        self._give(Op.DELETE, keys)

    def cancel(self, future: "Future[Any]", /) -> Literal["dequeued", "flagged", "running"]:
        """Free the worker from this work.

        A flagged worker that goes on for longer than the engine's grace is killed and replaced. Of a future that is
        done there is nothing left to free: ``"dequeued"``.
        """
        with self._lock:
            outcome = self._ledger.cancel(future)
        if outcome == "flagged":
            self._keeper.loop.later(self._grace, lambda: self._check(future))
        elif outcome == "dequeued":
            future.cancel()
            future.set_running_or_notify_cancel()
        return "dequeued" if future.done() else outcome

    def kill(self) -> None:
        """End the worker now; its pending futures raise `WorkerLost`."""
        with self._lock:
            if self._cause is None:
                self._blame = self._blame or "killed on request"
                self._slay()

    def pending(self) -> list[Future[Any]]:
        """What is not answered yet."""
        with self._lock:
            return self._ledger.pending()

    # --- sending, under the lock --------------------------------------------------------------------------------------

    def _give(self, op: Op, message: Any) -> Future[Any]:
        return self._post(pack(op, 0, message))

    def _post(self, frame: Frame) -> Future[Any]:
        future: Future[Any] = Future()
        meter.remember(future)
        with self._lock:
            if self._cause is None:
                meter.count_sent(future, len(frame.payload))
                self._ledger.enter(future, frame)
                self._send()
                return future
        future.set_exception(WorkerLost(self.rank, self.epoch, self._cause))
        return future

    def _send(self) -> None:
        if self._blame:
            return  # It is about to end.
        try:
            while not self.channel.backlog and (frame := self._ledger.draw()) is not None:
                self.channel.send(frame)
        except ConnectionError:
            return  # The keeper sees the end of the socket and does the rest.
        except OSError as error:
            cause = f"nothing more could be sent: {error}"
            self._keeper.loop.soon(lambda: self._keeper.lost(self, cause))
        except BaseException:
            # Ctrl-C can come between sending a message and booking it: then nobody knows what the worker was told.
            self._blame = "interrupted while work was sent to it"
            self._slay()
            raise
        if self.channel.backlog and not self.writing:
            self.writing = True
            self._keeper.loop.soon(lambda: self._keeper.watch(self))

    def _slay(self) -> None:
        """Kill a worker that nobody has reaped yet: before its loss is known."""
        if self.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle.fileno(), signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)

    # --- events, in the loop's thread ---------------------------------------------------------------------------------

    def arrive(self, pid: int, handle: Descriptor | None) -> None:
        """The worker runs; perhaps nobody wants it any more."""
        with self._lock:
            self.pid, self._handle = pid, handle
            if self._blame or self._cause is not None:
                self._slay()
            if self._cause is not None:
                self._release()
        self.born.set()

    def readable(self) -> bool:
        """Take the answers of one read; whether there was anything.

        Raises:
            EOFError: the worker's end is closed.
        """
        frames = self.channel.receive()
        for frame in frames or ():
            self._accept(frame)
        return frames is not None

    def writable(self) -> None:
        """Send what the socket takes now."""
        with self._lock:
            with contextlib.suppress(ConnectionError):
                if not self._blame:
                    self.channel.flush()
            self._send()
            self.writing = self.channel.backlog
            self._keeper.watch(self)

    def _accept(self, frame: Frame) -> None:
        with self._lock:
            future = self._ledger.answered()
            self._send()
        meter.count_received(future, len(frame.payload))
        settle(future, frame)

    def _check(self, future: Future[Any]) -> None:
        """Whether a cancelled piece of work is still there, and its worker to blame."""
        with self._lock:
            silence = self._ledger.silence(future)
        if silence is None:
            return
        if silence >= self._grace:
            self._keeper.overdue(self, silence)
        else:
            self._keeper.loop.later(max(self._grace - silence, 0.01), lambda: self._check(future))

    def bury(self, cause: str) -> None:
        """Kill the worker if it still lives, and fail everything it owed."""
        with self._lock:
            if self._cause is not None:
                return
            self._slay()
            self._cause = cause = self._blame or cause
            orphans = self._ledger.clear()
            self._release()
        for future in orphans:
            future.set_exception(WorkerLost(self.rank, self.epoch, cause))
        self.born.set()

    def abandon(self) -> None:
        """Let go without a word: this process is a fork of the one the worker belongs to."""
        self._lock = threading.RLock()
        self._cause = "this process is a fork of the one that opened the engine"
        self._release()

    def _release(self) -> None:
        self.channel.close()
        if self._handle is not None:
            self._handle.close()
