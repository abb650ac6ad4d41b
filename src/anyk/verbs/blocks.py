"""P buffers of one shape on the lanes of an engine: encoded operands and answers alike.

Touching shared memory for the first time costs ten times what writing it again does, so buffers are kept for the next
product of the same shapes (`borrow`, `give_back`). An engine keeps the buffers of one product, no more.

Old work can still be running when a buffer is used again. On the lane where the buffer is at home that is harmless:
lanes work first in, first out, and nobody reads what old work wrote. Anywhere else the buffer must be replaced first
(`retire`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from anyk.arrays import combine
from anyk.code import Code
from anyk.engines.base import Engine, Lane, Ref

Array = NDArray[Any]

_names = count()


class Blocks:
    """One buffer per task, at home on the lane that computes it first, brought to other lanes when they need it.

    Where lanes share memory the buffers lie in it, and a replacement worker gets them without a copy.

    Args:
        engine: whose lanes.
        tasks: number of buffers P.
        shape: of each.
        dtype: of each.

    ``are_shared`` says that what a worker writes into its buffer is seen here.
    """

    def __init__(self, engine: Engine, tasks: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        # Weak, so that an engine nobody uses any more is not kept alive by the buffers it left.
        self._engine = ref(engine)
        self.are_shared = engine.caps.shared_memory
        self._names = [""] * tasks
        self._keys: dict[int, set[str]] = {}
        self._placed: set[tuple[str, int, int]] = set()
        self.shape, self.dtype = shape, dtype
        #: The buffers, by task.
        self.arrays: list[Array] = [self._buffer(task) for task in range(tasks)]

    @property
    def _lanes(self) -> Sequence[Lane]:
        engine = self._engine()
        return () if engine is None else engine.lanes

    @property
    def bytes(self) -> int:
        """Size of all buffers together."""
        return sum(array.nbytes for array in self.arrays)

    def encode(self, table: Array, matrix: Array) -> None:
        """Fill every buffer with its combination of the matrix' blocks, in one pass over it (`anyk.arrays.combine`)."""
        combine(table, matrix, self.arrays)
        if not self.are_shared:
            self._placed.clear()

    def home(self, task: int) -> Lane:
        """The lane that computes this task first."""
        return self._lanes[task % len(self._lanes)]

    def bring(self, task: int, lane: Lane) -> Ref:
        """Make sure the task's buffer is on this lane, and say where."""
        name = self._names[task]
        if (name, lane.rank, lane.epoch) not in self._placed:
            self._keys.setdefault(lane.rank, set()).add(name)
            lane.put(name, self.arrays[task])
            self._placed.add((name, lane.rank, lane.epoch))
        return Ref(name)

    def retire(self, task: int) -> None:
        """Replace this task's buffer: old work may still write to it where it is not at home."""
        for lane in self._lanes:
            if self._names[task] in self._keys.get(lane.rank, ()):
                lane.delete(self._names[task])
                self._keys[lane.rank].discard(self._names[task])
        self.arrays[task] = self._buffer(task)

    def forget(self) -> None:
        """Free the buffers on every lane."""
        for lane in self._lanes:
            lane.delete(*self._keys.pop(lane.rank, ()))
        self._placed.clear()

    def _buffer(self, task: int) -> Array:
        lane, name = self.home(task), f"block-{next(_names)}"
        self._names[task] = name
        shared = lane.alloc(name, self.shape, self.dtype) if self.are_shared else None
        if shared is None:
            return np.empty(self.shape, self.dtype)
        self._keys.setdefault(lane.rank, set()).add(name)
        self._placed.add((name, lane.rank, lane.epoch))
        return shared


@contextmanager
def encoded(engine: Engine, code: Code, A: Array, B: Array) -> Iterator[tuple[Blocks, Blocks, Blocks]]:
    """Both operands encoded, and buffers for the answers, for as long as one product takes.

    Args:
        engine: whose lanes.
        code: how to encode.
        A: shape (height, depth).
        B: shape (depth, width), of the dtype of A.
    """
    cut, dtype = code.partition, code.coded_dtype(A.dtype)
    shapes = {
        "A": cut.left_block(A.shape),
        "B": cut.right_block(B.shape),
        "C": cut.result_block((A.shape[0], B.shape[1])),
    }
    blocks = {role: borrow(engine, role, code.workers, shape, dtype) for role, shape in shapes.items()}
    try:
        blocks["A"].encode(code.left, A)
        blocks["B"].encode(code.right, B)
        yield blocks["A"], blocks["B"], blocks["C"]
    finally:
        for role, each in blocks.items():
            give_back(engine, role, each)


_idle: "WeakKeyDictionary[Engine, dict[str, Blocks]]" = WeakKeyDictionary()
_lock = Lock()


def borrow(engine: Engine, role: str, tasks: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> Blocks:
    """Buffers for one product: those its predecessor left, if they fit, else new ones.

    Args:
        engine: whose lanes.
        role: what they hold; one set of buffers per role is kept.
        tasks: P.
        shape: of each buffer.
        dtype: of each buffer.
    """
    with _lock:
        left = _idle.setdefault(engine, {}).pop(role, None)
    if left is not None:
        if (len(left.arrays), left.shape, left.dtype) == (tasks, shape, dtype):
            return left
        left.forget()
    return Blocks(engine, tasks, shape, dtype)


def give_back(engine: Engine, role: str, blocks: Blocks) -> None:
    """Leave buffers for the next product; the first to return are kept."""
    with _lock:
        surplus = blocks if role in _idle.setdefault(engine, {}) else None
        _idle[engine].setdefault(role, blocks)
    if surplus is not None:
        surplus.forget()


def drop_idle(engine: Engine) -> None:
    """Free what an engine keeps for its next product."""
    with _lock:
        idle = _idle.pop(engine, {})
    for blocks in idle.values():
        blocks.forget()
