"""Both operands as the blocks that the workers multiply."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anyk.arrays import combine
from anyk.errors import InputError

if TYPE_CHECKING:
    from anyk.code.value import Code

Blocks = list[NDArray[Any]]


def encoded(code: "Code", A: ArrayLike, B: ArrayLike) -> tuple[Blocks, Blocks]:
    """The P encoded blocks of A and of B; see `anyk.code.Code.encode`."""
    a, b = np.asarray(A), np.asarray(B)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise InputError(f"encode(A, B) needs matrices that can be multiplied, not shapes {a.shape} and {b.shape}.")
    cut = code.partition
    return (
        _blocks(code, code.left, a, cut.left_block(a.shape)),
        _blocks(code, code.right, b, cut.right_block(b.shape)),
    )


def _blocks(code: "Code", table: NDArray[Any], matrix: NDArray[Any], shape: tuple[int, int]) -> Blocks:
    coded = [np.empty(shape, code.coded_dtype(matrix.dtype)) for _ in range(code.workers)]
    combine(table, matrix, coded)
    return coded
