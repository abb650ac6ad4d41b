"""Worker processes on a handful of hosts, over TCP connections of their own: no cluster software is needed.

    python -m anyk.engines.tcp --new-key key                                     # once; then copy it to every host
    python -m anyk.engines.tcp --connect master:7777 --key-file key --workers 4  # on every host

The master listens (``engine="tcp://0.0.0.0:7777?workers=8&key-file=key"``), workers connect, and either proves to the
other that it knows the key (`anyk.engines.wire`). By name, ``"tcp:4"``, the engine starts its workers itself, on this
machine.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections import deque

from anyk.engines.base import Caps
from anyk.engines.fleet import FleetEngine
from anyk.engines.remote import RemoteLane
from anyk.engines.tcp_post import Hello, Place, Post
from anyk.engines.tcp_worker import end, main, started
from anyk.engines.wire import Kind, greeted
from anyk.errors import ClusterError
from anyk.faults.base import FateOf

#: How long to wait for a first worker from elsewhere.
FIRST_SECONDS = 60.0
#: Once a first worker is there: how long others have to join, where nobody said how many there will be.
GATHERING_SECONDS = 2.0
#: Strangers that may be greeted at once; more wait.
GREETED_AT_ONCE = 32


class TcpEngine(FleetEngine):
    """Lanes on worker processes that connect by TCP; see `anyk.engines.base.Engine`.

    Args:
        workers: number of lanes. Without an address so many are started on this machine; 0: one per core. With an
            address that does not say how many: at most so many, of those that come; 0: all of them.
        at: where to listen, ``"tcp://0.0.0.0:7777"``; ``?workers=4`` waits for so many, else for the first one and two
            seconds more; ``key-file=…`` names the key's file. None: on this machine alone, with a key of its own.
        faults: fate of each piece of work.
        key_file: with the key that the workers know, too; default: the one in the address, or in ``ANYK_KEY_FILE``.

    Raises:
        InputError: no address, or no key.
        ClusterError: nobody came, or the address cannot be listened at.
    """

    name = "tcp"

    def __init__(
        self,
        workers: int = 0,
        *,
        at: str | None = None,
        faults: FateOf | None = None,
        key_file: str | os.PathLike[str] | None = None,
    ) -> None:
        self.caps = Caps(
            shared_memory=False,
            survives_loss=True,
            kill=True,
            respawn=True,
            remote=True,
            min_task_seconds=2e-3,
            exchange=True,
        )
        place = Place(secrets.token_bytes(32)) if at is None else Place.of(at, key_file)
        self._is_own = self.replaces_slow = at is None
        self.birth_seconds = 60.0 if at is None else 20.0
        self.is_closing = False
        self._key, self._children = place.key, dict[int, "subprocess.Popen[bytes]"]()
        self._idle, self._wanted = deque[Post](), deque[RemoteLane]()
        self._came = threading.Condition()
        try:
            self._server = socket.create_server((place.host, place.port), backlog=GREETED_AT_ONCE)
        except OSError as error:
            raise ClusterError(f"the tcp engine cannot listen at {place.host}:{place.port}: {error}") from error
        #: Where workers connect to: (host, port).
        self.address: tuple[str, int] = self._server.getsockname()[:2]
        self._porter = threading.Thread(target=self._admit, name="anyk-tcp-porter", daemon=True)
        self._porter.start()
        try:
            count = place.workers or (self._gathered(workers) if at is not None else workers or os.cpu_count() or 1)
        except BaseException:
            self._release()
            raise
        super().__init__(count, faults)
        self.loop = self._loop
        if self._is_own:
            self.later(0.5, self._watch)
        self._muster()

    # --- workers come -------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """The porter's thread: greet whoever knocks, several at a time."""
        greeting = threading.Semaphore(GREETED_AT_ONCE)
        while True:
            try:
                end, _ = self._server.accept()
            except OSError:  # the engine is closed
                return
            greeting.acquire()
            threading.Thread(target=self._greet, args=(end, greeting), name="anyk-tcp-greeting", daemon=True).start()

    def _greet(self, end: socket.socket, greeting: threading.Semaphore) -> None:
        try:
            wire = greeted(end, self._key, as_master=True)
            frames: list[tuple[Kind, int, bytes]] = []
            while not frames:
                frames = wire.receive()
            post = Post(self, wire, Hello.of(frames[0][2], end.getpeername()[0]))
        except (ClusterError, OSError, EOFError, ValueError):  # a stranger; it is told nothing
            end.close()
            return
        finally:
            greeting.release()
        wire.setblocking(False)
        self._welcome(post)

    def _welcome(self, post: Post) -> None:
        """Give a worker to the lane that has waited longest for one."""
        while True:
            with self._came:
                lane = self._wanted.popleft() if self._wanted else None
                if lane is None and not self.is_closing:
                    self._idle.append(post)
                    self._came.notify_all()
                    return
            if lane is None:
                post.wire.close()
                return
            if lane.alive and self._employed(post, lane):
                return

    def _employed(self, post: Post, lane: RemoteLane) -> bool:
        post.lane = lane
        if not self.arrived(lane, post, post.hello.host, post.hello.pid):
            return False
        self.loop.soon(post.listen)
        return True

    def _gathered(self, most: int) -> int:
        """How many workers come by themselves."""
        with self._came:
            if not self._came.wait_for(lambda: self._idle, FIRST_SECONDS):
                host, port = self.address
                raise ClusterError(
                    f"no worker connected to {host}:{port} within {FIRST_SECONDS:.0f} s: start some with `python -m "
                    f"anyk.engines.tcp --connect {host}:{port} --key-file FILE`, with the same key."
                )
            until = time.monotonic() + GATHERING_SECONDS
            self._came.wait_for(lambda: most and len(self._idle) >= most, max(0.0, until - time.monotonic()))
            return min(most or len(self._idle), len(self._idle))

    def _recruit(self, lane: RemoteLane) -> None:
        with self._came:
            post = self._idle.popleft() if self._idle else None
            if post is None:
                self._wanted.append(lane)
        if post is not None:
            if not self._employed(post, lane):
                self._welcome(post)
        elif self._is_own:
            child = started(self.address, self._key, max(1, (os.cpu_count() or 1) // len(self._fates)))
            self._children[child.pid] = child

    # --- workers go, in the engine's loop -----------------------------------------------------------------------------

    def cut(self, post: Post, error: Exception) -> None:
        """A connection ended, or was tampered with."""
        if post.lane is not None:
            self.lost(post.lane, self._obituary(post.hello.pid) or f"its connection failed: {error}")
        self.hang_up(post)

    def hang_up(self, post: Post) -> None:
        """Close a connection; from any thread."""
        self.loop.soon(lambda: self._hung_up(post))

    def _hung_up(self, post: Post) -> None:
        if post.wire.fileno() >= 0:
            self.loop.ignore(post.wire)
            post.wire.close()
        if (child := self._children.pop(post.hello.pid, None)) is not None:
            end(child)

    def _obituary(self, pid: int) -> str:
        """How an own worker died; "" for others."""
        if (child := self._children.get(pid)) is None:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = child.wait(0.2)
            return f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
        return ""

    def _watch(self) -> None:
        """An own worker that ended before it came will not come."""
        for pid, child in [*self._children.items()]:
            if child.poll() is not None and not any(lane.pid == pid for lane in self.lanes):
                del self._children[pid]
                end(child)
                with self._came:
                    lane = self._wanted.popleft() if self._wanted else None
                if lane is not None:
                    self.lost(lane, f"its process ended with code {child.returncode} before it came")
        self.later(0.5, self._watch)

    def close(self, *, kill: bool = True) -> None:
        """End every worker and free everything; workers on other hosts end, too."""
        if kill:
            self.is_closing = True
        super().close(kill=kill)

    def _release(self) -> None:
        self.is_closing = True
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._porter.join(5.0)
        with self._came:
            idle, self._idle = [*self._idle], deque()
        for post in idle:
            with contextlib.suppress(OSError):
                post.wire.send(Kind.END)
            post.wire.close()
        for child in [*self._children.values()]:
            end(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
