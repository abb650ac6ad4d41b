"""P buffers of one shape on the lanes of an engine: encoded operands and answers alike.

Touching shared memory for the first time costs ten times what writing it again does, so buffers are kept for the next
product of the same shapes: on a `Shelf`.

Old work can still be running when a buffer is used again. On the lane where the buffer is at home that is harmless:
lanes work first in, first out, and nobody reads what old work wrote. Anywhere else the buffer must be replaced first
(`Blocks.retire`).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, finalize, ref

import numpy as np
from numpy.typing import NDArray

from anyk.arrays import combine
from anyk.code import Code
from anyk.engines.base import Engine, Lane, Ref
from anyk.verbs.centering import Centre

Array = NDArray[Any]

_names = count()

#: In place of an epoch: the worker has a version of the buffer that was overwritten here since.
_STALE = -1

#: Which names lie where: rank -> name -> epoch of the worker that has the buffer as it is now.
_Places = dict[int, dict[str, int]]

# Engines and places of buffers that were dropped without `forget`; the next product frees them. A finalizer can run
# anywhere, also inside an engine's own locks, so it must not call the engine.
_dropped: "deque[tuple[ref[Engine], _Places]]" = deque()


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
        self._places: _Places = {}
        finalize(self, _dropped.append, (self._engine, self._places)).atexit = False
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

    def encode(self, table: Array, matrix: Array, shift: Array | None = None) -> None:
        """Fill every buffer with its combination of the matrix' blocks, in one pass over it (`anyk.arrays.combine`)."""
        combine(table, matrix, self.arrays, shift=shift)
        self.were_changed()

    def were_changed(self) -> None:
        """The buffers were written to here; where memory is not shared, workers must get them again."""
        if not self.are_shared:
            for names in self._places.values():
                names.update(dict.fromkeys(names, _STALE))

    def home(self, task: int) -> Lane:
        """The lane that computes this task first."""
        return self._lanes[task % len(self._lanes)]

    def bring(self, task: int, lane: Lane) -> Ref:
        """Make sure the task's buffer is on this lane, and say where."""
        name, there = self._names[task], self._places.setdefault(lane.rank, {})
        if there.get(name) != lane.epoch:
            lane.put(name, self.arrays[task])
            there[name] = lane.epoch
        return Ref(name)

    def retire(self, task: int) -> None:
        """Replace this task's buffer: old work may still write to it where it is not at home."""
        for lane in self._lanes:
            if self._places.get(lane.rank, {}).pop(self._names[task], None) is not None:
                lane.delete(self._names[task])
        self.arrays[task] = self._buffer(task)

    def forget(self) -> None:
        """Free the buffers on every lane."""
        _free(self._lanes, self._places)

    def _buffer(self, task: int) -> Array:
        lane, name = self.home(task), f"block-{next(_names)}"
        self._names[task] = name
        shared = lane.alloc(name, self.shape, self.dtype) if self.are_shared else None
        if shared is None:
            return np.empty(self.shape, self.dtype)
        self._places.setdefault(lane.rank, {})[name] = lane.epoch
        return shared


def _free(lanes: Sequence[Lane], places: _Places) -> None:
    for lane in lanes:
        if names := places.pop(lane.rank, None):
            lane.delete(*names)


def _free_dropped() -> None:
    for _ in range(len(_dropped)):
        try:
            owner, places = _dropped.popleft()
        except IndexError:  # another thread was faster
            return
        if (engine := owner()) is not None:
            _free(engine.lanes, places)


class Shelf:
    """Buffers between two products: one set for each role, the first to return.

    Args:
        engine: whose lanes.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = ref(engine)
        self._idle: dict[str, Blocks] = {}
        self._lock = Lock()

    @contextmanager
    def lent(self, role: str, tasks: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> Iterator[Blocks]:
        """Buffers for one product: those its predecessor left, if they fit, else new ones.

        Args:
            role: what they hold.
            tasks: P.
            shape: of each buffer.
            dtype: of each buffer.
        """
        _free_dropped()
        with self._lock:
            blocks = self._idle.pop(role, None)
        if blocks is not None and (len(blocks.arrays), blocks.shape, blocks.dtype) != (tasks, shape, dtype):
            blocks.forget()
            blocks = None
        if blocks is None:
            engine = self._engine()
            assert engine is not None, "whoever borrows holds the engine"
            blocks = Blocks(engine, tasks, shape, dtype)
        try:
            yield blocks
        finally:
            with self._lock:
                kept = self._idle.setdefault(role, blocks)
            if kept is not blocks:
                blocks.forget()

    def clear(self) -> None:
        """Free what is kept for the next product."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for blocks in idle.values():
            blocks.forget()


_shelves: "WeakKeyDictionary[Engine, Shelf]" = WeakKeyDictionary()
_shelves_lock = Lock()


def shelf_of(engine: Engine) -> Shelf:
    """The buffers this engine keeps for its next product of two matrices."""
    with _shelves_lock:
        return _shelves.setdefault(engine, Shelf(engine))


@contextmanager
def encoded(
    engine: Engine, code: Code, A: Array, B: Array, centre: Centre | None = None
) -> Iterator[tuple[Blocks, Blocks, Blocks]]:
    """Both operands encoded, and buffers for the answers, for as long as one product takes.

    Args:
        engine: whose lanes.
        code: how to encode.
        A: shape (height, depth).
        B: shape (depth, width), of the dtype of A.
        centre: taken out of both on the way; to be restored after decoding.
    """
    cut, dtype, shelf = code.partition, code.coded_dtype(A.dtype), shelf_of(engine)
    shapes = (cut.left_block(A.shape), cut.right_block(B.shape), cut.result_block((A.shape[0], B.shape[1])))
    with ExitStack() as borrowed:
        a, b, c = (
            borrowed.enter_context(shelf.lent(role, code.workers, shape, dtype))
            for role, shape in zip("ABC", shapes, strict=True)
        )
        a.encode(code.left, A, None if centre is None else centre.left)
        b.encode(code.right, B, None if centre is None else centre.right)
        yield a, b, c
