"""Blocks from one worker of the tcp engine to another, without the master: every worker listens, too.

Both ends prove that they know the key before anything else is said (`anyk.engines.wire`), in other words than a worker
and the master do, so that nobody can lead the one conversation in place of the other.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

from anyk.engines import desk
from anyk.engines.base import Cancelled, Unreachable
from anyk.engines.wire import Kind, greeted
from anyk.engines.work import LOOK_SECONDS
from anyk.errors import ClusterError

#: How long another worker may take to be reached, in seconds.
CONNECT_SECONDS = 5.0
#: Workers that are answered at once; more wait.
ANSWERED_AT_ONCE = 32

_NAMES = b"holder", b"asker"


class Peers:
    """A worker among the others.

    Args:
        host: its address on the side of the master.
        key: that all of them know.
    """

    def __init__(self, host: str, key: bytes) -> None:
        self._key = key
        self._server = socket.create_server((host, 0), backlog=ANSWERED_AT_ONCE)
        #: Where it listens.
        self.port: int = self._server.getsockname()[1]

    def serve(self, here: desk.Desk) -> None:
        """Hand out blocks from now on, in threads of their own."""
        threading.Thread(target=self._admit, args=(here,), name="anyk-tcp-peers", daemon=True).start()

    def reach(self, away: desk.Away, unwanted: Callable[[], bool]) -> Any:
        """A block of another worker.

        Raises:
            Unreachable: it cannot be had.
            Cancelled: it is not wanted any more.
        """
        asking = _Asking(tuple(away.way), self._key, away.key)
        while not wait([asking.answer], LOOK_SECONDS).done:
            if unwanted():
                asking.stop()
                raise Cancelled("cancelled while a block was on its way")
        return asking.answer.result()

    def _admit(self, here: desk.Desk) -> None:
        answering = threading.Semaphore(ANSWERED_AT_ONCE)
        while True:
            end, _ = self._server.accept()
            answering.acquire()
            threading.Thread(target=self._answer, args=(end, here, answering), daemon=True).start()

    def _answer(self, end: socket.socket, here: desk.Desk, answering: threading.Semaphore) -> None:
        # A stranger is told nothing; whoever hangs up has had enough.
        with contextlib.suppress(ClusterError, OSError, EOFError), end:
            wire = greeted(end, self._key, as_master=True, names=_NAMES)
            while True:
                for _, _, key in wire.receive():
                    try:
                        block = here.hand_out(key.decode())
                    except Unreachable as error:
                        wire.send(Kind.NONE, 0, str(error).encode())
                    else:
                        wire.send(Kind.BLOCK, 0, desk.dumped(block))
        answering.release()


class _Asking:
    """One block on its way, in a thread of its own: another worker that stands still must not hold up this one."""

    def __init__(self, address: tuple[Any, ...], key: bytes, name: str) -> None:
        self.answer: Future[Any] = Future()
        self._address, self._key, self._name = address, key, name
        self._end: socket.socket | None = None
        threading.Thread(target=self._ask, name="anyk-tcp-asking", daemon=True).start()

    def stop(self) -> None:
        """Hang up."""
        if self._end is not None:
            with contextlib.suppress(OSError):
                self._end.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> None:
        try:
            with socket.create_connection(self._address, timeout=CONNECT_SECONDS) as self._end:
                wire = greeted(self._end, self._key, as_master=False, names=_NAMES)
                wire.send(Kind.ASK, 0, self._name.encode())
                frames: list[tuple[Kind, int, bytes]] = []
                while not frames:
                    frames = wire.receive()
            kind, _, payload = frames[0]
            if kind is not Kind.BLOCK:
                raise Unreachable(payload.decode(errors="replace"))
            self.answer.set_result(desk.loaded(payload))
        except (ClusterError, OSError, EOFError) as error:
            self.answer.set_exception(Unreachable(f"the worker at {self._address} cannot be reached: {error}"))
        except Exception as error:
            self.answer.set_exception(error)
