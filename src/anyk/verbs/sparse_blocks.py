"""The encoded blocks of a sparse matrix on the lanes of an engine: values, columns and row starts of each."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.engines.base import Engine, Lane, Ref
from anyk.engines.sparse_work import multiply_sparse, multiply_sparse_transposed
from anyk.engines.work import multiply
from anyk.sparse import Sparse, combined, fill_in, recombined

Array = NDArray[Any]

_names = count()


class SparseBlocks:
    """One sparse block per task; the counterpart of `anyk.verbs.blocks.Blocks`, which says what the verbs do.

    Args:
        engine: whose lanes.
        shape: of each block.
        dtype: of each block.
    """

    #: Entries are put on each lane; nothing that a worker does is seen here.
    are_shared = False

    def __init__(self, engine: Engine, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self._engine, self.shape, self.dtype = engine, shape, dtype
        self.arrays: list[Sparse] = []
        #: Of what was encoded last; see `anyk.sparse.fill_in`.
        self.fill_in = 1.0
        self._name = f"sparse-{next(_names)}"
        # rank -> task -> epoch of the worker that has it.
        self._places: dict[int, dict[int, int]] = {}

    def encode(self, table: Array, matrix: Sparse, shift: Array | None = None) -> None:
        """Combine the matrix' blocks for every task; a shift would fill them in."""
        assert shift is None
        self.arrays = [combined(table[..., task], matrix, self.shape, self.dtype) for task in range(table.shape[2])]
        self.fill_in = fill_in(self.arrays, matrix, table.shape[0] * table.shape[1])
        self._places.clear()

    def refs(self, task: int, lane: Lane) -> tuple[Ref, ...]:
        """Make sure that the task's block is on this lane, and say under which names."""
        names = tuple(Ref(f"{self._name}-{task}-{part}") for part in ("values", "columns", "starts"))
        there, block = self._places.setdefault(lane.rank, {}), self.arrays[task]
        if there.get(task) != lane.epoch:
            for name, array in zip(names, (block.data, block.indices, block.indptr), strict=True):
                lane.put(name, array)
            there[task] = lane.epoch
        return names

    def rebuild(self, task: int, others: Sequence[int], shares: Array) -> None:
        """Form a block anew, as a sum of others; see `Blocks.rebuild`."""
        self.arrays[task] = recombined(shares, [self.arrays[other] for other in others])
        self.resend(task)

    def resend(self, task: int) -> None:
        """Whoever has this block must get it again: what it has may be spoilt."""
        for there in self._places.values():
            there.pop(task, None)

    def forget(self) -> None:
        """Free the blocks on every lane."""
        for lane in self._engine.lanes:
            if tasks := self._places.pop(lane.rank, None):
                parts = ("values", "columns", "starts")
                lane.delete(*(f"{self._name}-{task}-{part}" for task in tasks for part in parts))


def kernel_of(left: Any, right: Any) -> Callable[..., Any]:
    """What multiplies the blocks of two operands."""
    if not any(isinstance(each, SparseBlocks) for each in (left, right)):
        return multiply
    shapes = [each.shape if isinstance(each, SparseBlocks) else None for each in (left, right)]
    return partial(multiply_sparse, shapes[0], shapes[1])


def resident_kernel(shape: tuple[int, int], *, transposed: bool) -> Callable[..., Any]:
    """What multiplies resident sparse blocks by dense ones.

    Args:
        shape: of a resident block.
        transposed: they are multiplied as their transposes.
    """
    return partial(multiply_sparse_transposed, shape) if transposed else partial(multiply_sparse, shape, None)
