"""How many bytes moved for one purpose: counted where messages leave and answers come, on every engine.

Blocks in memory that workers share do not move, and count nothing.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Moved:
    """Bytes that moved.

    Args:
        to_workers: from the master: blocks, and what was asked of them.
        from_workers: to the master: answers.
        between_workers: from worker to worker, past the master.

    >>> Moved(1, 2, 3) + Moved(1, 0, 0)
    Moved(to_workers=2, from_workers=2, between_workers=3)
    """

    to_workers: int = 0
    from_workers: int = 0
    between_workers: int = 0

    def __add__(self, other: "Moved") -> "Moved":
        return Moved(
            self.to_workers + other.to_workers,
            self.from_workers + other.from_workers,
            self.between_workers + other.between_workers,
        )

    @property
    def through_master(self) -> int:
        """Bytes that left the master or came to it."""
        return self.to_workers + self.from_workers


class Meter:
    """What was sent while it was read by `metering`, and what was answered to that, also later."""

    def __init__(self) -> None:
        self._moved = Moved()
        self._lock = threading.Lock()

    @property
    def moved(self) -> Moved:
        """So far."""
        return self._moved

    def add(self, moved: Moved) -> None:
        """Count this, too; from any thread."""
        with self._lock:
            self._moved += moved


class _Reading(threading.local):
    meter: Meter | None = None


_reading = _Reading()


@contextmanager
def metering(meter: Meter) -> Iterator[None]:
    """Let a meter count what this thread sends."""
    before, _reading.meter = _reading.meter, meter
    try:
        yield
    finally:
        _reading.meter = before


def remember(future: "Future[Any]") -> None:
    """This future is what comes of a message that the meter of this thread, if any, is to count."""
    if _reading.meter is not None:
        future.meter = _reading.meter  # type: ignore[attr-defined]


def count_sent(future: "Future[Any]", size: int) -> None:
    """The message left."""
    if (meter := getattr(future, "meter", None)) is not None:
        meter.add(Moved(to_workers=size))


def count_received(future: "Future[Any]", size: int) -> None:
    """Its answer came."""
    if (meter := getattr(future, "meter", None)) is not None:
        meter.add(Moved(from_workers=size))
