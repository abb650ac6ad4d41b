"""Both ends of a lane on a Ray actor: the actor that does the work, and the way to it."""

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from anyk.engines import desk
from anyk.engines.base import Cancelled, Unreachable
from anyk.engines.remote import RemoteLane
from anyk.engines.work import LOOK_SECONDS

#: Messages of at least this many bytes go through Ray's object store as arrays, which it does not copy on the way.
LARGE_BYTES = 1 << 17


class Actor:
    """What runs as a Ray actor; `GROUPS` says in which thread each method runs.

    Args:
        rank: of the lane.
    """

    def __init__(self, rank: int) -> None:
        self._desk = desk.Desk(f"worker {rank} (process {os.getpid()})", reach=reached)
        self._is_left = threading.Event()

    def hello(self) -> tuple[str, int]:
        """Host and process."""
        return socket.gethostname(), os.getpid()

    def perform(self, seq: int, message: Any) -> Any:
        """The answer to a message."""
        return wrapped(self._desk.reply(seq, message, lambda: self._is_left.is_set() or self._desk.is_flagged(seq)))

    def flag(self, seq: int) -> None:
        """This message is not wanted any more."""
        self._desk.flag(seq)

    def hand_out(self, key: str) -> Any:
        """A block, for another worker."""
        return self._desk.hand_out(key)

    def leave(self) -> None:
        """No work goes on."""
        self._is_left.set()

    def watch(self) -> None:
        """Answers when the actor is not wanted any more; or never, if it dies."""
        self._is_left.wait()


#: Methods that run beside the one that works.
GROUPS = {"hello": "words", "flag": "words", "leave": "words", "watch": "watch", "hand_out": "blocks"}


def reached(away: desk.Away, unwanted: Callable[[], bool]) -> Any:
    """On a worker: a block of another one, through Ray's object stores; without a copy where they are one."""
    import ray

    asked = away.way.hand_out.remote(away.key)
    while True:
        try:
            return ray.get(asked, timeout=LOOK_SECONDS)
        except ray.exceptions.GetTimeoutError:
            if unwanted():
                raise Cancelled("cancelled while a block was on its way") from None
        except Exception as error:
            raise Unreachable(f"block {away.key!r} of another Ray actor cannot be had: {in_short(error)}") from error


class Post:
    """The way to one actor.

    Args:
        engine: to do things later with.
        lane: that is answered.
        actor: Ray's handle.
    """

    window = 16

    def __init__(self, engine: Any, lane: RemoteLane, actor: Any) -> None:
        self._engine, self._lane, self._actor = engine, lane, actor

    def send(self, seq: int, message: bytes, /) -> None:
        """Call the actor."""
        self._engine.hear(self._lane, self._actor.perform.remote(seq, wrapped(message)), seq)

    def flag(self, seq: int, /) -> bool:
        """Tell the actor."""
        self._actor.flag.remote(seq)
        return True

    def weight(self, message: bytes, /) -> int:
        """Its size."""
        return len(message)

    def way(self, key: str, to: Any, /) -> Any:
        """Ray's handle of the actor."""
        return self._actor

    def end(self, *, kill: bool) -> None:
        """End the actor and its process."""
        self._engine.end_actor(self._actor, self._lane.pid)


def wrapped(message: bytes) -> Any:
    """A message as Ray carries it best."""
    return message if len(message) < LARGE_BYTES else np.frombuffer(message, np.uint8)


def unwrapped(answer: Any) -> Any:
    """What was wrapped."""
    return answer.data if isinstance(answer, np.ndarray) else answer


def in_short(error: BaseException) -> str:
    """The first line of what Ray has to say."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
