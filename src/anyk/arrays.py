"""The only kernels that touch big blocks: one combines blocks into coded ones, one combines answers into the result.

Both walk over the matrices once, tile by tile. A tile of every block is gathered in a buffer that fits the processor's
cache, one small matrix product forms all combinations of it, and the results go straight to their final place. Nothing
is padded or copied as a whole; edges that a partition adds are zeros in the buffer only.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]

#: Bytes of the gathering buffer: small enough for a second-level cache, large enough to hide the loop around it.
_BUFFER_BYTES = 1 << 21


def combine(table: Array, matrix: Array, outs: Sequence[Array]) -> None:
    """Write ``outs[w] = sum_ij table[i, j, w] * block_ij`` for every w, in one pass over the matrix.

    Args:
        table: encoding coefficients, shape (a, b, P).
        matrix: shape (height, width), any strides; cut into a x b blocks.
        outs: P arrays of shape (ceil(height / a), ceil(width / b)), dtype of the coded blocks; overwritten.
    """
    a, b, count = table.shape
    height, width = outs[0].shape
    dtype = outs[0].dtype
    coefficients = np.ascontiguousarray(table.reshape(a * b, count).T, dtype=_factor_dtype(table, dtype))
    for down, across in _tiles(height, width, (a * b + count) * dtype.itemsize):
        tile = np.zeros((a * b, _length(down), _length(across)), dtype)
        for index in range(a * b):
            _gather(matrix, divmod(index, b), (height, width), down, across, tile[index])
        for out, coded in zip(outs, _product(coefficients, tile), strict=True):
            out[down, across] = coded


def recombine(weights: Array, answers: Sequence[Array], grid: tuple[int, int], out: Array) -> None:
    """Write block (i, l) of ``out`` as ``sum_s weights[i * cols + l, s] * answers[s]``, in one pass over the answers.

    Args:
        weights: decoding weights, shape (rows * cols, k).
        answers: k arrays of one shape (height, width).
        grid: (rows, cols) of the result's blocks.
        out: the result, any strides, its shape within the grid times (height, width); overwritten. Real where the
            product is
            real: imaginary parts left over by complex codes are dropped.
    """
    height, width = answers[0].shape
    dtype = np.result_type(*answers)
    factors = np.ascontiguousarray(weights, dtype=_factor_dtype(weights, dtype))
    for down, across in _tiles(height, width, sum(weights.shape) * dtype.itemsize):
        tile = np.empty((len(answers), _length(down), _length(across)), dtype)
        for answer, part in zip(answers, tile, strict=True):
            part[...] = answer[down, across]
        for index, block in enumerate(_product(factors, tile)):
            i, j = divmod(index, grid[1])
            place = out[_shift(down, i * height), _shift(across, j * width)]
            part = block[: place.shape[0], : place.shape[1]]
            place[...] = part.real if np.iscomplexobj(part) and not np.iscomplexobj(place) else part


def working_dtype(*dtypes: DTypeLike) -> np.dtype[Any]:
    """The floating dtype products of these are computed in: half precision and integers are widened, the rest is kept.

    >>> working_dtype("float32", "float32"), working_dtype("int32", "int8")
    (dtype('float32'), dtype('float64'))
    """
    dtype = np.result_type(*dtypes)
    return np.result_type(dtype, np.float32) if dtype.kind in "fc" else np.dtype(np.float64)


def _factor_dtype(table: Array, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Precision of the blocks, real where the table is: so that real codes cost complex data nothing extra."""
    real = np.zeros(0, dtype).real.dtype
    return np.result_type(real, np.complex64) if np.iscomplexobj(table) else real


def _product(factors: Array, tile: Array) -> Array:
    """``factors @ tile`` over the tile's first axis; complex tiles under real factors are treated as pairs of reals."""
    flat = tile.reshape(len(tile), -1)
    if np.iscomplexobj(flat) and not np.iscomplexobj(factors):
        combined: Array = (factors @ flat.view(flat.real.dtype)).view(flat.dtype)
    else:
        combined = factors @ flat
    return combined.reshape(-1, *tile.shape[1:])


def _tiles(height: int, width: int, bytes_per_entry: int) -> Iterator[tuple[slice, slice]]:
    """Cut a block into pieces of whole row stretches that fit the buffer."""
    entries = max(1, _BUFFER_BYTES // bytes_per_entry)
    across = max(1, min(width, entries))
    down = max(1, entries // across)
    for top in range(0, height, down):
        for start in range(0, width, across):
            yield slice(top, min(top + down, height)), slice(start, min(start + across, width))


def _gather(
    matrix: Array, index: tuple[int, int], shape: tuple[int, int], down: slice, across: slice, out: Array
) -> None:
    """Copy one tile of one block of the matrix; beyond the matrix' edge ``out`` keeps its zeros."""
    part = matrix[_shift(down, index[0] * shape[0]), _shift(across, index[1] * shape[1])]
    out[: part.shape[0], : part.shape[1]] = part


def _shift(piece: slice, by: int) -> slice:
    return slice(piece.start + by, piece.stop + by)


def _length(piece: slice) -> int:
    return int(piece.stop - piece.start)
