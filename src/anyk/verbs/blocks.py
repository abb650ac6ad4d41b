"""P buffers of one shape on the lanes of an engine: encoded operands and answers alike.

Touching shared memory for the first time costs ten times what writing it again does, so buffers are kept for the next
product: on a `Shelf`. Each task has a region of its own in one piece of memory; a product of a smaller shape takes the
beginning of every region.

Old work can still be running when a region is used again. On the lane where it is at home that is harmless: lanes work
first in, first out, and nobody reads what old work wrote. Anywhere else the region must be replaced first
(`Blocks.retire`).
"""

from collections import OrderedDict, deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from math import inf, prod
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, finalize, ref

import numpy as np
from numpy.typing import NDArray

from anyk.arrays import combine, recombine
from anyk.code import Code
from anyk.engines import limits
from anyk.engines.base import Engine, Lane, Ref
from anyk.job import placement

Array = NDArray[Any]

_names = count()

#: Regions start at multiples of this: no two workers write to one line of the processor's cache.
_ALIGNMENT = 64

#: Shapes that workers keep names for, so that products of alternating widths send nothing extra.
_LAYOUTS = 8

#: In place of an epoch: the worker has a version of the buffer that was overwritten here since.
_STALE = -1

#: Which names lie where: rank -> name -> epoch of the worker that has the buffer as it is now.
_Places = dict[int, dict[str, int]]

# Engines and places of buffers that were dropped without `forget`; the next product frees them. A finalizer can run
# anywhere, also inside an engine's own locks, so it must not call the engine.
_dropped: "deque[tuple[ref[Engine], _Places]]" = deque()


@lru_cache(maxsize=256)
def homes_of(code: Code, workers: int, avoided: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """The worker that computes each task of a code first; copies of a product are kept apart."""
    tables = [(code.left[..., task].tobytes(), code.right[..., task].tobytes()) for task in range(code.workers)]
    return placement.homes(tables, workers, avoided)


class Blocks:
    """One buffer per task, at home on the lane that computes it first, brought to other lanes when they need it.

    Where lanes share memory all regions lie in one piece of it, which costs one open file however many there are, and a
    replacement worker gets its buffer without a copy.

    Args:
        engine: whose lanes.
        homes: the rank where each task is at home.
        shape: of each buffer.
        dtype: of each buffer.

    Raises:
        ClusterError: shared memory is full.

    ``are_shared`` says that what a worker writes into its buffer is seen here.
    """

    def __init__(self, engine: Engine, homes: tuple[int, ...], shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        # Weak, so that an engine nobody uses any more is not kept alive by the buffers it left.
        self._engine = ref(engine)
        self.homes = homes
        self._places: _Places = {}
        finalize(self, _dropped.append, (self._engine, self._places)).atexit = False
        self._room = -(-_bytes(shape, dtype) // _ALIGNMENT) * _ALIGNMENT
        shared = self._allocated(len(homes) * self._room) if engine.caps.shared_memory else None
        self.are_shared = shared is not None
        self._regions: list[Array] = [
            np.empty(self._room, np.uint8) if shared is None else shared[task * self._room :][: self._room]
            for task in range(len(homes))
        ]
        self._layouts: OrderedDict[tuple[tuple[int, int], np.dtype[Any]], _Layout] = OrderedDict()
        self.lay(shape, dtype)

    def lay(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        """Give the buffers this shape, which must `fit`; what they held is lost."""
        self.shape, self.dtype = shape, dtype
        if (shape, dtype) not in self._layouts:
            self._layouts[shape, dtype] = _Layout([""] * len(self.homes), [*self._regions])
            for task in range(len(self.homes)):
                self._layouts[shape, dtype].put(task, self._regions[task], shape, dtype)
        self._layouts.move_to_end((shape, dtype))
        if len(self._layouts) > _LAYOUTS:
            _, oldest = self._layouts.popitem(last=False)
            self._drop(oldest.names)
        self._names, self.arrays = self._layouts[shape, dtype].names, self._layouts[shape, dtype].arrays

    def fit(self, homes: tuple[int, ...], shape: tuple[int, int], dtype: np.dtype[Any], slack: float) -> bool:
        """Whether they can hold this, and are at most ``slack`` times as large."""
        needed = _bytes(shape, dtype)
        return self.homes == homes and needed <= self._room <= max(slack * needed, _ALIGNMENT)

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
        combine(table, matrix, self.arrays, shift=shift, threads=limits.threads())
        self.were_changed()

    def were_changed(self) -> None:
        """The buffers were written to here; where memory is not shared, workers must get them again."""
        if not self.are_shared:
            for names in self._places.values():
                names.update(dict.fromkeys(names, _STALE))

    def resend(self, task: int) -> None:
        """Where memory is not shared, whoever has this buffer must get it again: what it has may be spoilt."""
        if not self.are_shared:
            for names in self._places.values():
                names.pop(self._names[task], None)

    def rebuild(self, task: int, others: Sequence[int], shares: Array) -> None:
        """Write a buffer anew, as a sum of others.

        Args:
            task: whose.
            others: whose buffers are added up.
            shares: of each in the sum, shape (others,).
        """
        recombine(shares[None], [self.arrays[other] for other in others], (1, 1), self.arrays[task])
        self.were_changed()

    def home(self, task: int) -> Lane:
        """The lane that computes this task first."""
        return self._lanes[self.homes[task]]

    def bring(self, task: int, lane: Lane) -> Ref:
        """Make sure the task's buffer is on this lane, and say where."""
        name, there = self._names[task], self._places.setdefault(lane.rank, {})
        if there.get(name) != lane.epoch:
            lane.put(name, self.arrays[task])
            there[name] = lane.epoch
        return Ref(name)

    def refs(self, task: int, lane: Lane) -> tuple[Ref, ...]:
        """As `bring`: the arguments by which work gets the buffer."""
        return (self.bring(task, lane),)

    def retire(self, task: int) -> None:
        """Replace this task's region: old work may still write to it where it is not at home."""
        fresh = self._allocated(self._room) if self.are_shared else None
        self._regions[task] = np.empty(self._room, np.uint8) if fresh is None else fresh
        self._drop([layout.names[task] for layout in self._layouts.values()])
        for (shape, dtype), layout in self._layouts.items():
            layout.put(task, self._regions[task], shape, dtype)

    def forget(self) -> None:
        """Free the buffers on every lane."""
        _free(self._lanes, self._places)

    def _drop(self, names: Collection[str]) -> None:
        for lane in self._lanes:
            there = self._places.get(lane.rank, {})
            if held := [name for name in names if there.pop(name, None) is not None]:
                lane.delete(*held)

    def _allocated(self, size: int) -> Array | None:
        """Shared memory that no lane holds by itself; `bring` hands out its parts."""
        lane, name = self._lanes[0], f"region-{next(_names)}"
        shared = lane.alloc(name, (size,), np.uint8)
        lane.delete(name)
        return shared


@dataclass(frozen=True)
class _Layout:
    """The regions as buffers of one shape: under which names, and as arrays. By task."""

    names: list[str]
    arrays: list[Array]

    def put(self, task: int, region: Array, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        """The beginning of a region, under a name that nobody knows yet."""
        self.names[task] = f"block-{next(_names)}"
        self.arrays[task] = region[: _bytes(shape, dtype)].view(dtype).reshape(shape)


def _bytes(shape: tuple[int, int], dtype: np.dtype[Any]) -> int:
    return prod(shape) * dtype.itemsize


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
        slack: buffers this many times larger than needed are freed, not used.
    """

    def __init__(self, engine: Engine, slack: float = inf) -> None:
        self._engine, self._slack = ref(engine), slack
        self._idle: dict[str, Blocks] = {}
        self._lock = Lock()

    @contextmanager
    def lent(self, role: str, homes: tuple[int, ...], shape: tuple[int, int], dtype: np.dtype[Any]) -> Iterator[Blocks]:
        """Buffers for one product: those its predecessor left, if they fit, else new ones.

        Args:
            role: what they hold.
            homes: the rank where each task is at home.
            shape: of each buffer.
            dtype: of each buffer.
        """
        _free_dropped()
        with self._lock:
            blocks = self._idle.pop(role, None)
        if blocks is not None and not blocks.fit(homes, shape, dtype, self._slack):
            blocks.forget()
            blocks = None
        if blocks is None:
            engine = self._engine()
            assert engine is not None, "whoever borrows holds the engine"
            blocks = Blocks(engine, homes, shape, dtype)
        elif (blocks.shape, blocks.dtype) != (shape, dtype):
            blocks.lay(shape, dtype)
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
        return _shelves.setdefault(engine, Shelf(engine, slack=2.0))
