"""The master's way to one worker of the tcp engine, and what an address of that engine says."""

import contextlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_WRITE
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from anyk.engines.remote import RemoteLane
from anyk.engines.tcp_worker import key_of
from anyk.engines.wire import Kind, Wire
from anyk.errors import ClusterError, InputError


@dataclass(frozen=True)
class Hello:
    """What a worker says of itself.

    Args:
        host: its name.
        pid: its process.
        address: where the connection came from.
        port: where it listens to other workers there; 0: nowhere.
    """

    host: str
    pid: int
    address: str
    port: int

    @classmethod
    def of(cls, said: bytes, address: str) -> Self:
        """From a worker's first frame.

        Raises:
            ValueError: no worker of ours says that.
        """
        try:
            words = json.loads(said)
            return cls(str(words["host"]), int(words["pid"]), address, int(words["port"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"a strange greeting: {error!r}") from error


class Post:
    """The way to one worker.

    Args:
        engine: whose loop hears it.
        wire: to the worker.
        hello: what the worker said of itself.
    """

    window = 16

    def __init__(self, engine: Any, wire: Wire, hello: "Hello") -> None:
        self._engine, self.wire, self.hello = engine, wire, hello
        self.lane: RemoteLane | None = None
        self._lock = threading.Lock()

    def send(self, seq: int, message: bytes, /) -> None:
        """Send it, as far as the socket takes it; the rest follows."""
        self._write(Kind.WORK, seq, message)

    def flag(self, seq: int, /) -> bool:
        """Tell the worker."""
        with contextlib.suppress(OSError):
            self._write(Kind.FLAG, seq)
        return True

    def weight(self, message: bytes, /) -> int:
        """Its size."""
        return len(message)

    def way(self, key: str, to: Any, /) -> tuple[str, int] | None:
        """Where the worker listens to others: at the address that the master knows it by."""
        return (self.hello.address, self.hello.port) if self.hello.port else None

    def end(self, *, kill: bool) -> None:
        """Hang up: the worker ends, and whoever keeps it starts another one, unless the engine is closed."""
        if self._engine.is_closing:
            with contextlib.suppress(OSError):
                self._write(Kind.END)
        self._engine.hang_up(self)

    def listen(self) -> None:
        """In the engine's loop: hear what comes, and as long as something waits, when more can go."""
        if self.wire.fileno() >= 0:
            self._engine.loop.listen(self.wire, self._hear, writes=self.wire.backlog)

    def _hear(self, mask: int) -> None:
        try:
            if mask & EVENT_WRITE:
                with self._lock:
                    self.wire.flush()
                self.listen()
            for kind, seq, payload in self.wire.receive():
                if kind is Kind.ANSWER and self.lane is not None:
                    self.lane.heard(seq, payload)
        except (EOFError, OSError, ClusterError) as error:
            self._engine.cut(self, error)

    def _write(self, kind: Kind, seq: int = 0, payload: bytes = b"") -> None:
        with self._lock:
            self.wire.send(kind, seq, payload)
            is_full = self.wire.backlog
        if is_full:
            self._engine.loop.soon(self.listen)


@dataclass(frozen=True)
class Place:
    """What an address says."""

    key: bytes
    host: str = "127.0.0.1"
    port: int = 0
    workers: int = 0

    @classmethod
    def of(cls, at: str, key_file: str | os.PathLike[str] | None) -> Self:
        """Take an address apart.

        Raises:
            InputError: not of the form ``tcp://host:port?workers=4&key-file=FILE``, or there is no key.
        """
        form = "an address is of the form 'tcp://host:port?workers=4&key-file=FILE'"
        try:
            parts = urlsplit(at)
            said = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
            host, port, workers = parts.hostname, parts.port, int(said.pop("workers", 0))
            found = key_file or said.pop("key-file", None) or os.environ.get("ANYK_KEY_FILE")
        except ValueError as error:
            raise InputError(f"`{at}`: {error}; {form}.") from error
        if parts.scheme != "tcp" or not host or port is None or workers < 0 or said:
            raise InputError(f"`{at}`: {form}.")
        if not found:
            raise InputError(
                f"`{at}`: workers from elsewhere must know a key. Make one with `python -m anyk.engines.tcp --new-key "
                "FILE`, and name it with key-file=FILE or in the environment, ANYK_KEY_FILE."
            )
        return cls(key_of(Path(found)), host, port, workers)
