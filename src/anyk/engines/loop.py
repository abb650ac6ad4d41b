"""One thread that waits for sockets, for notes from other threads and for alarms, and does what each asks.

Everything runs in that thread, one thing after the other, so that what belongs to it needs no locks.
"""

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from anyk.errors import ClusterError

T = TypeVar("T")


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


class Loop:
    """The thread and what it waits for, from `start` until `stop`.

    Args:
        name: of the thread.
        end: what it does at its end, with the reason in words.
    """

    def __init__(self, name: str, end: Callable[[str], None]) -> None:
        self._end = end
        self._notes: deque[Callable[[], None]] = deque()
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ, self._hear_bell)
        self.is_stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread. An interrupt can come when it runs already: whoever catches one calls `stop`."""
        self._thread.start()

    # --- from any thread ----------------------------------------------------------------------------------------------

    def soon(self, action: Callable[[], None]) -> None:
        """Run an action in the loop's thread."""
        self._notes.append(action)
        self._ring()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run an action in the loop's thread after some time."""
        alarm = time.monotonic() + seconds, next(self._order), action
        self.soon(lambda: heapq.heappush(self._alarms, alarm))

    def ask(self, question: Callable[[], T]) -> T:
        """Run a function in the loop's thread and return what it returns.

        Raises:
            ClusterError: the loop has ended.
        """
        if self.is_inside():
            return question()
        answer: Future[T] = Future()
        self.soon(lambda: _reply(answer, question))
        while not answer.done() and self._thread.is_alive():
            with contextlib.suppress(TimeoutError):
                answer.exception(0.2)
        if answer.done():
            return answer.result()
        raise ClusterError("the engine is closed: open another one.")

    def stop(self) -> None:
        """Ask the thread to end; returns at once."""
        self.is_stopping = True
        self._ring()

    def join(self, seconds: float | None = None) -> None:
        """Wait until the thread has ended; in the thread itself that cannot be, and this returns at once."""
        if not self.is_inside():
            with contextlib.suppress(RuntimeError):  # interrupted before it ran: if it ever does, it ends at once
                self._thread.join(seconds)

    def is_inside(self) -> bool:
        """Whether the caller is the loop's thread, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def abandon(self) -> None:
        """In a fork of the process, where the thread does not exist: close what was inherited."""
        self.is_stopping = True
        self._close()

    # --- in the loop's thread -----------------------------------------------------------------------------------------

    def listen(self, socket: _HasDescriptor, hear: Callable[[int], None], *, writes: bool = False) -> None:
        """Call ``hear`` with the mask of events whenever a socket has something to read, or takes something."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writes else 0)
        change = self._selector.modify if self._listens(socket) else self._selector.register
        change(socket, events, hear)

    def ignore(self, socket: _HasDescriptor) -> None:
        """Listen no more; before it is closed."""
        if self._listens(socket):
            self._selector.unregister(socket)

    def _listens(self, socket: _HasDescriptor) -> bool:
        return socket.fileno() >= 0 and socket.fileno() in self._selector.get_map()

    def _run(self) -> None:
        reason = "the engine failed"
        try:
            while not self.is_stopping:
                self._turn()
            reason = "the engine was closed"
        finally:
            self.is_stopping = True
            self._end(reason)
            self._do_notes()
            self._close()

    def _turn(self) -> None:
        for key, mask in self._selector.select(self._patience()):
            key.data(mask)
        self._do_notes()
        while self._alarms and self._alarms[0][0] <= time.monotonic():
            heapq.heappop(self._alarms)[2]()

    def _do_notes(self) -> None:
        while self._notes:
            self._notes.popleft()()

    def _patience(self) -> float | None:
        if self._notes:
            return 0.0
        return max(0.0, self._alarms[0][0] - time.monotonic()) if self._alarms else None

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody is there
            self._ringer.send(b"!")

    def _hear_bell(self, _: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(1 << 12)

    def _close(self) -> None:
        self._selector.close()
        self._bell.close()
        self._ringer.close()


def _reply(answer: Future[T], question: Callable[[], T]) -> None:
    try:
        answer.set_result(question())
    except BaseException as error:
        answer.set_exception(error)
