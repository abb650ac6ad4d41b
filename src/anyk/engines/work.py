"""What runs on a worker, on every engine: work that can be told to stop.

No engine can interrupt a running BLAS call. So the work itself looks, between pieces of at most some ten milliseconds,
whether it is still wanted (`checkpoint`). Where to look is set by the engine around each piece of work (`watching`),
per thread; elsewhere a checkpoint does nothing.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from anyk.arrays import recombine, times_few
from anyk.engines.base import Array, Cancelled

if TYPE_CHECKING:
    from anyk.faults.base import Fate

T = TypeVar("T")

#: A panel of a product has at least this many floating-point operations (about 1 ms on one core) …
PANEL_OPERATIONS = 5e7
#: … and at least this many rows: BLAS packs all of ``b`` for every call, which fewer rows do not pay back
#: (2896 x 2896, one core: 41 GFLOP/s with panels of 64 rows, 48 with 128, 51 without panels).
PANEL_ROWS = 128
#: One that waits for something of another worker looks so often whether it is still wanted.
LOOK_SECONDS = 0.02
#: Entries of a sum that are formed between two checkpoints.
_SUM_ENTRIES = 1 << 20
#: A sleeping piece of work looks at its checkpoint this often.
NAP_SECONDS = 0.02


class _Watch(threading.local):
    unwanted: Callable[[], bool] | None = None


_watch = _Watch()


def checkpoint() -> None:
    """Give up if this piece of work was cancelled; elsewhere do nothing.

    Raises:
        Cancelled: nobody waits for this work any more.
    """
    if _watch.unwanted is not None and _watch.unwanted():
        raise Cancelled("cancelled while it ran")


@contextmanager
def watching(unwanted: Callable[[], bool]) -> Iterator[None]:
    """Let checkpoints of this thread ask ``unwanted`` whether to give up."""
    before, _watch.unwanted = _watch.unwanted, unwanted
    try:
        yield
    finally:
        _watch.unwanted = before


def multiply(a: Array, b: Array, out: Array | None = None) -> Array | None:
    """``a @ b`` in row panels, with a checkpoint before each.

    Args:
        a: shape (m, k).
        b: shape (k, n) or (k,).
        out: shape (m, n) or (m,), written in place; it must not overlap ``a`` or ``b``.

    Returns:
        The product, or None if it was written to ``out``.

    Raises:
        Cancelled: cancelled between two panels; ``out`` is then half written.

    >>> multiply(np.eye(2), np.array([[1.0], [2.0]]))
    array([[1.],
           [2.]])
    """
    rows = _panel_rows(a, b)
    y = np.empty((len(a), *b.shape[1:]), np.result_type(a, b)) if out is None else out
    for start in range(0, len(a), rows):
        checkpoint()
        np.matmul(a[start : start + rows], b, out=y[start : start + rows])
    return y if out is None else None


def _panel_rows(a: Array, b: Array) -> int:
    row_operations = max(2 * b.size, 1)
    if np.result_type(a, b).kind in "fc":
        return max(PANEL_ROWS, int(PANEL_OPERATIONS / row_operations))
    # Without BLAS an operation takes some twenty times as long, and rows have no advantage of each other.
    return max(1, int(PANEL_OPERATIONS / 20 / row_operations))


def weighted_sum(weights: Sequence[complex], real: bool, shape: tuple[int, int] | None, *blocks: Array) -> Array:
    """The sum of some blocks of one shape and dtype, each times its weight, with checkpoints between.

    Args:
        weights: one for each block.
        real: drop the imaginary parts of the sum.
        shape: form the upper left corner of this shape only; None: all.
        *blocks: at least one, shape (m, n).

    Raises:
        Cancelled: cancelled between two panels.

    >>> weighted_sum([2.0, -1.0], False, None, np.ones((1, 2)), np.ones((1, 2))).tolist()
    [[1.0, 1.0]]
    """
    factors = np.array([weights])
    height, width = blocks[0].shape if shape is None else shape
    total = np.empty((height, width), blocks[0].real.dtype if real else blocks[0].dtype)
    rows = max(1, _SUM_ENTRIES // max(1, width))
    for start in range(0, height, rows):
        checkpoint()
        recombine(
            factors,
            [block[start : min(start + rows, height), :width] for block in blocks],
            (1, 1),
            total[start : start + rows],
        )
    return total


def seen_through(block: Array, columns: Array) -> Array:
    """The fingerprint of a block, shape (m, r): the block, shape (m, n), times a few columns, shape (n, r)."""
    with np.errstate(all="ignore"):
        return times_few(block, columns)


def some_rows(block: Array, which: Array | slice) -> Array:
    """A copy of some rows of a block."""
    return np.array(block[which])


def present() -> bool:
    """What a worker says that is there."""
    return True


_CHORES = (weighted_sum, seen_through, some_rows, present)


def is_chore(fn: Callable[..., Any]) -> bool:
    """Whether the master asks this of workers besides their tasks: injected faults are for tasks."""
    return any(fn is chore for chore in _CHORES)


def suffer(fate: "Fate", fn: Callable[..., T], *args: Any) -> T:
    """Run ``fn(*args)`` under a fate, on a real worker process: it can end this process.

    Args:
        fate: what happens to this piece of work.
        fn: the work.
        *args: its arguments.

    Raises:
        Cancelled: cancelled during the delay, the work or its slowdown.
    """
    nap(fate.delay_seconds)
    if fate.end == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    while fate.end == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    start = time.monotonic()
    result = fn(*args)
    nap((fate.slowdown - 1.0) * (time.monotonic() - start))
    return spoilt(fate, result, args, _memory)


#: What this worker process remembers of its last answer, where a fate asks for it.
_memory: dict[str, Array] = {}


def spoilt(fate: "Fate", result: T, args: Sequence[Any], memory: dict[str, Array]) -> T:
    """A piece of work's result after its fate's corruptions; the worker notices nothing.

    Args:
        fate: of the piece of work.
        result: an array; or None, where the work wrote its answer into its last argument, which is then spoilt. Other
            results stay as they are.
        args: of the work.
        memory: of this worker, kept from one piece of work to the next.
    """
    written = result is None and len(args) > 0
    answer = args[-1] if written else result
    if not fate.corrupt or not isinstance(answer, np.ndarray):
        return result
    last = memory.get("last")
    if any(corruption.remembers for corruption in fate.corrupt):
        memory["last"] = answer.copy()
    wrong = answer
    for corruption in fate.corrupt:
        wrong = corruption(wrong, last)
    if not written:
        return wrong  # type: ignore[return-value]  # T is an array here
    answer[...] = wrong
    return result


def nap(seconds: float) -> None:
    """Sleep, with a checkpoint every 20 ms."""
    end = time.monotonic() + seconds
    checkpoint()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, NAP_SECONDS))
        checkpoint()


def multiply_transposed(a: Array, b: Array, out: Array | None = None) -> Array | None:
    """``a.T @ b``, as `multiply`.

    Args:
        a: shape (k, m).
        b: shape (k, n) or (k,).
        out: shape (m, n) or (m,), written in place.

    Returns:
        The product, or None if it was written to ``out``.

    Raises:
        Cancelled: cancelled between two panels.
    """
    return multiply(a.T, b, out)
