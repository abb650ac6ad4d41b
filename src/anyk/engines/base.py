"""An engine is P single-lane executors with a block store.

A lane is one worker: first in, first out, with blocks that stay where they were put. Every answer is a plain
`concurrent.futures.Future`. An engine adds what futures lack: a clock, news of lost workers, and replacement.

Rules every engine keeps (``anyk.testing.engines`` checks them):

1. Work on one lane runs in the order it was submitted; ``put`` then ``submit`` needs no wait in between.
2. A lost worker turns *all* its pending futures into `WorkerLost`; nothing stays pending for ever.
3. No work moves to another lane by itself; blocks survive the death of other workers.
4. An exception in the work is that future's exception only.
5. ``close`` leaves no process, segment, thread or file behind.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from numpy.typing import NDArray

from anyk.errors import WorkerLost

__all__ = [
    "Array",
    "Cancelled",
    "Caps",
    "Clock",
    "Engine",
    "Far",
    "Joined",
    "Lane",
    "Lost",
    "News",
    "Note",
    "Ref",
    "Slow",
    "Unreachable",
    "WorkerLost",
]

#: Blocks are NumPy arrays here; an engine hands out and takes back nothing else.
Array = NDArray[Any]
T = TypeVar("T")


class Ref(str):
    """An argument of ``submit``: the block stored on that lane under this key."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class Far:
    """An argument of ``submit`` where `Caps.exchange`: a block that lies on another lane of this engine.

    The worker takes it from there without the master, under its key as it is when the work begins. Where that cannot be
    the future raises `Unreachable`, and neither lane is to blame.

    Args:
        lane: whose block.
        key: its name there; what was to store it must be done.
    """

    lane: "Lane"
    key: str


class Unreachable(Exception):
    """Another worker's block could not be had: it is gone, or no way leads there."""


class Cancelled(Exception):
    """The work saw its cancel flag between two panels and gave up; its future raises this."""


@dataclass(frozen=True)
class Caps:
    """What an engine can do.

    Args:
        shared_memory: ``Lane.alloc`` returns buffers the worker sees without a copy.
        survives_loss: the engine goes on when a worker dies.
        kill: ``Lane.kill`` works.
        respawn: ``Engine.respawn`` works.
        remote: workers may be on other hosts.
        min_task_seconds: below this a piece of work is not worth sending.
        exchange: workers take blocks from each other (`Far`).
        same_process: work runs in this process, and gets its arguments as they are.
    """

    shared_memory: bool
    survives_loss: bool
    kill: bool
    respawn: bool
    remote: bool
    min_task_seconds: float
    exchange: bool = False
    same_process: bool = False


@dataclass(frozen=True)
class Lost:
    """A worker died (or was killed); its blocks and pending answers are gone."""

    rank: int
    epoch: int
    cause: str


@dataclass(frozen=True)
class Joined:
    """A worker is ready at this rank, in this epoch, with an empty block store."""

    rank: int
    epoch: int


@dataclass(frozen=True)
class Slow:
    """A worker has not answered a cancel for this many seconds."""

    rank: int
    seconds: float


@dataclass(frozen=True)
class Note:
    """Anything else worth telling a person."""

    text: str


News = Lost | Joined | Slow | Note


class Lane(Protocol):
    """One worker, first in first out."""

    #: Position in the code, for ever.
    rank: int
    #: Incarnation; + 1 at each respawn. Answers of an old epoch are never accepted.
    epoch: int
    host: str
    pid: int | None

    def put(self, key: str, block: Array, /) -> Future[None]:
        """Store a block under a key until deleted or lost; the last put of a key wins.

        It is a copy; but a buffer from ``alloc`` on any lane of this engine, or a view of one, is shared with this
        worker too.
        """
        ...

    def alloc(self, key: str, shape: tuple[int, ...], dtype: Any, /) -> Array | None:
        """A zeroed buffer shared with the worker, stored under ``key``, to encode into; None where not shared."""
        ...

    def submit(self, fn: Callable[..., T], /, *args: Any, out: str | None = None) -> Future[T]:
        """Run ``fn(*args)`` on the worker; `Ref` and `Far` arguments become the blocks stored there, and elsewhere.

        ``fn`` must be importable by name on the worker. With ``out`` the result stays there under that key and the
        future's result is None. The work may call `anyk.engines.work.checkpoint` to notice a cancel.
        """
        ...

    def fetch(self, key: str, /) -> Future[Array]:
        """Bring a stored block to the master (without a copy where memory is shared)."""
        ...

    def delete(self, *keys: str) -> None:
        """Forget blocks; unknown keys are fine."""
        ...

    def cancel(self, future: "Future[Any]", /) -> Literal["dequeued", "flagged", "running"]:
        """Free the worker from this work: not started yet, told to stop at its next checkpoint, or beyond reach."""
        ...

    def kill(self) -> None:
        """End the worker now; its pending futures raise `WorkerLost`."""
        ...


class Clock(Protocol):
    """Time as this engine tells it: real for real workers, virtual for simulated ones."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def wait(self, inbox: "Inbox", until: float | None) -> Any | None:
        """The next thing put into ``inbox``, or None once the clock shows ``until`` (None: no limit)."""
        ...


class Inbox(Protocol):
    """The receiving end of a thread-safe queue (`queue.SimpleQueue` fits)."""

    def put(self, item: Any) -> None:
        """Add an item; never blocks."""
        ...

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest item; raises `queue.Empty` when there is none in time."""
        ...


class Engine(Protocol):
    """P lanes, a clock, news, replacement."""

    name: str
    caps: Caps
    lanes: Sequence[Lane]
    clock: Clock

    def respawn(self, rank: int, /) -> Lane:
        """Replace a lost (or living) worker; the new lane sits at the same index, one epoch later, its store empty."""
        ...

    def subscribe(self, callback: Callable[[News], None], /) -> Callable[[], None]:
        """Call back with every later piece of news, from any thread; returns the way to unsubscribe."""
        ...

    def close(self, *, kill: bool = True) -> None:
        """End every worker and free everything; safe to call twice."""
        ...
