"""Operands that no process holds as a whole: arrays of a cluster's own library, encoded by its workers."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeGuard

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import norm, times_few
from anyk.engines.base import Engine, Lane, Ref
from anyk.probes import draw_columns

Array = NDArray[Any]

_names = count()

#: Columns through which a product is measured.
_COLUMNS = 4


def is_lazy(given: Any) -> TypeGuard[Any]:
    """Whether this is an array that is computed when somebody asks for it: Dask's.

    >>> is_lazy(np.eye(2))
    False
    """
    return hasattr(given, "__dask_graph__") and hasattr(given, "rechunk")


class LazyBlocks:
    """One encoded block per task, encoded where it is needed; the counterpart of `anyk.verbs.blocks.Blocks`.

    Args:
        engine: that can have its workers encode (`DaskEngine.chunks_of`).
        shape: of each block.
        dtype: of each block.
    """

    are_shared = False

    def __init__(self, engine: Any, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self._engine, self.shape, self.dtype = engine, shape, dtype
        self._name = f"lazy-{next(_names)}"
        #: Never here.
        self.arrays: list[Array] = []
        self._table = np.zeros((0, 0, 0))
        self._chunks: Any = None
        # rank -> task -> epoch of the worker that has it.
        self._places: dict[int, dict[int, int]] = {}

    def encode(self, table: Array, matrix: Any, shift: Array | None = None) -> None:
        """Let the cluster compute the matrix' blocks; workers will combine them."""
        assert shift is None
        self._table, self._chunks = table, self._engine.chunks_of(matrix, self.shape)
        self._places.clear()

    def refs(self, task: int, lane: Lane) -> tuple[Ref, ...]:
        """Make sure that the task's block is on this lane or will be, and say under which name."""
        name, there = f"{self._name}-{task}", self._places.setdefault(lane.rank, {})
        if there.get(task) != lane.epoch:
            there[task] = lane.epoch
            terms = self._chunks.terms(self._table[..., task])
            encoding = lane.submit(self._engine.encoder, terms, self.shape, self.dtype, out=name)
            encoding.add_done_callback(lambda done: self._ended(done, lane, task))
        return (Ref(name),)

    def resend(self, task: int) -> None:
        """Whoever has this block must encode it anew: what it has may be spoilt."""
        for there in self._places.values():
            there.pop(task, None)

    def forget(self) -> None:
        """Free the blocks on every lane."""
        for lane in self._engine.lanes:
            if tasks := self._places.pop(lane.rank, None):
                lane.delete(*(f"{self._name}-{task}" for task in tasks))
        self._chunks = None

    def _ended(self, done: "Future[Any]", lane: Lane, task: int) -> None:
        if done.cancelled() or done.exception() is not None:
            # The product fails for want of the block, and whoever gets the task next encodes anew.
            self._places.get(lane.rank, {}).pop(task, None)


@dataclass(frozen=True, eq=False)
class LazyGauge:
    """Measures products of operands that are nowhere as a whole.

    Args:
        columns: random, shape (width, r).
        expected: the true product times these, shape (height, r).
    """

    columns: Array
    expected: Array

    @classmethod
    def draw(cls, engine: Engine, A: Any, B: Any, dtype: np.dtype[Any], rng: Generator) -> "LazyGauge":
        """Let the cluster multiply a few columns by both.

        Args:
            engine: of the cluster.
            A: shape (height, depth), lazy or not.
            B: shape (depth, width), lazy or not.
            dtype: of the product.
            rng: where the columns come from.
        """
        columns = draw_columns(B.shape[1], _COLUMNS, rng).astype(np.zeros(0, dtype).real.dtype)
        return cls(columns, _times(engine, A, _times(engine, B, columns)))

    def error(self, product: Array) -> float:
        """Relative Frobenius error, as the columns see it."""
        with np.errstate(all="ignore"):
            return self.error_seen(times_few(product, self.columns), lambda which: product[which])

    def error_seen(self, image: Array, rows_of: Callable[[Any], Array]) -> float:
        """As `error`, of a product that lies elsewhere: its image is enough."""
        size = norm(self.expected)
        return norm(self.expected - image) / (size or 1.0)


def _times(engine: Any, matrix: Any, columns: Array) -> Array:
    if not is_lazy(matrix):
        return times_few(matrix, columns)
    image: Array = np.asarray(engine.computed(matrix @ columns))
    return image
