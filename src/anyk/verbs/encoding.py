"""Both operands of a product encoded, and buffers for the answers, for as long as the product takes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.code import Code
from anyk.engines.base import Engine
from anyk.engines.suspicion import distrusted
from anyk.sparse import is_sparse
from anyk.verbs.blocks import Blocks, Shelf, homes_of, shelf_of
from anyk.verbs.centering import Centre
from anyk.verbs.lazy import LazyBlocks, is_lazy
from anyk.verbs.sparse_blocks import SparseBlocks

Array = NDArray[Any]
#: Encoded blocks of A or of B.
Operand = Blocks | SparseBlocks | LazyBlocks


@contextmanager
def encoded(
    engine: Engine, code: Code, A: Array, B: Array, centre: Centre | None = None, *, rows: int | None = None
) -> Iterator[tuple[Operand, Operand, Blocks]]:
    """Both operands encoded, and buffers for the answers, for as long as one product takes.

    Args:
        engine: whose lanes.
        code: how to encode.
        A: shape (height, depth), dense or sparse (`anyk.sparse`).
        B: shape (depth, width), of the dtype of A, likewise.
        centre: taken out of both on the way; to be restored after decoding.
        rows: how many rows of A, the first ones, the buffers are for; default: all. `Blocks.encode` takes the next.
    """
    cut, dtype, shelf = code.partition, code.coded_dtype(A.dtype), shelf_of(engine)
    homes = homes_of(code, len(engine.lanes), distrusted(engine))
    band = A[:rows]
    shapes = (cut.left_block(band.shape), cut.right_block(B.shape), cut.result_block((band.shape[0], B.shape[1])))
    with ExitStack() as borrowed:
        a, b = (
            borrowed.enter_context(_room(engine, matrix, shelf, role, homes, shape, dtype))
            for role, matrix, shape in zip("AB", (A, B), shapes[:2], strict=True)
        )
        c = borrowed.enter_context(shelf.lent("C", homes, shapes[2], dtype))
        a.encode(code.left, band, None if centre is None else centre.left[:rows])
        b.encode(code.right, B, None if centre is None else centre.right)
        yield a, b, c


@contextmanager
def _room(
    engine: Engine,
    matrix: Any,
    shelf: Shelf,
    role: str,
    homes: tuple[int, ...],
    shape: tuple[int, int],
    dtype: np.dtype[Any],
) -> Iterator[Operand]:
    """Where the encoded blocks of a matrix go."""
    if not (is_sparse(matrix) or is_lazy(matrix)):
        with shelf.lent(role, homes, shape, dtype) as blocks:
            yield blocks
        return
    own = LazyBlocks(engine, shape, dtype) if is_lazy(matrix) else SparseBlocks(engine, shape, dtype)
    try:
        yield own
    finally:
        own.forget()
