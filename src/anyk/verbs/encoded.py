"""One operand, encoded, on the lanes of an engine."""

from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.arrays import combine
from anyk.engines.base import Engine, Lane, Ref

Array = NDArray[Any]

_names = count()


class Encoded:
    """The P encoded blocks of one operand: encoded once, brought to whichever lane needs them, there until forgotten.

    Where lanes share memory the blocks are encoded straight into it, and a replacement worker gets them without a copy.

    Args:
        engine: whose lanes.
        table: encoding coefficients, shape (a, b, P).
        block: shape of one encoded block.
        dtype: of the encoded blocks.
        letter: what to call the operand in keys.
    """

    def __init__(self, engine: Engine, table: Array, block: tuple[int, int], dtype: np.dtype[Any], letter: str) -> None:
        self._engine, self._table = engine, table
        self.dtype = dtype
        self._name = f"{letter}{next(_names)}"
        self._keys: dict[int, set[str]] = {}
        self._placed: set[tuple[int, int, int]] = set()
        #: The encoded blocks, by task.
        self.blocks = [self._home(task, block, dtype) for task in range(table.shape[2])]

    def encode(self, matrix: Array) -> None:
        """Overwrite every block, in one pass over the matrix; lanes without shared memory are sent them anew."""
        combine(self._table, matrix, self.blocks)
        if not self._engine.caps.shared_memory:
            self._placed.clear()

    def bring(self, task: int, lane: Lane) -> Ref:
        """Make sure the task's block is on this lane, and say where."""
        key = self._key(lane, task)
        if (task, lane.rank, lane.epoch) not in self._placed:
            lane.put(key, self.blocks[task])
            self._placed.add((task, lane.rank, lane.epoch))
        return Ref(key)

    def forget(self) -> None:
        """Free the blocks on every lane."""
        for lane in self._engine.lanes:
            lane.delete(*self._keys.pop(lane.rank, ()))
        self._placed.clear()

    def _home(self, task: int, block: tuple[int, int], dtype: np.dtype[Any]) -> Array:
        """A buffer on the lane that will compute this task first; ours where lanes share no memory."""
        lane = self._engine.lanes[task % len(self._engine.lanes)]
        shared = lane.alloc(self._key(lane, task), block, dtype)
        if shared is None:
            return np.empty(block, dtype)
        self._placed.add((task, lane.rank, lane.epoch))
        return shared

    def _key(self, lane: Lane, task: int) -> str:
        key = f"{self._name}.{task}"
        self._keys.setdefault(lane.rank, set()).add(key)
        return key
