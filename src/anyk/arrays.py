"""The only kernels that touch big blocks: one combines blocks into coded ones, one combines answers into the result.

Both walk over the matrices once, tile by tile. A tile of every block is gathered in a buffer that fits the processor's
cache, one small matrix product forms all combinations of it, and the results go straight to their final place. Nothing
is padded or copied as a whole; edges that a partition adds are zeros in the buffer only. Tiles of large matrices are
shared out among a few cores.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anyk.sharing import share_out
from anyk.sparse import is_sparse
from anyk.tiles import LONG_ROW, SMALL_OPERATIONS, Buffers, Tile, length, shifted, tiles

Array = NDArray[Any]

#: Entries that are added up at a time where the result is one block. Longer stretches would be shared out by BLAS among
#: threads, which costs more than it saves.
_STRETCH = 10_000

#: Entries of a matrix that is multiplied by one vector without waking BLAS' threads.
_SMALL_MATRIX = 160_000

#: Entries of one answer that are read before the next answer's turn: long, so that memory streams, and short enough for
#: the sum to stay in the cache (15 answers of 2000 x 2000 float64: 28 ms, against 35 ms one stretch at a time).
_RUN = 12 * _STRETCH

#: Results with fewer entries are not worth loading SciPy's BLAS for.
_LARGE = 1 << 17


def combine(
    table: Array, matrix: Array, outs: Sequence[Array], *, shift: Array | None = None, threads: int = 1
) -> None:
    """Write ``outs[w] = sum_ij table[i, j, w] * block_ij`` for every w, in one pass over the matrix.

    Args:
        table: encoding coefficients, shape (a, b, P).
        matrix: shape (height, width), any strides; cut into a x b blocks.
        outs: P arrays of shape (ceil(height / a), ceil(width / b)), dtype of the coded blocks; overwritten.
        shift: subtracted from the matrix on the way, shape (height, 1) or (1, width).
        threads: that may share the work.
    """
    a, b, count = table.shape
    height, width = outs[0].shape
    dtype = outs[0].dtype
    coefficients = np.ascontiguousarray(table.reshape(a * b, count).T, dtype=_factor_dtype(table, dtype))
    shift = None if shift is None else np.broadcast_to(shift, matrix.shape)

    def form(tiles: Sequence[Tile]) -> None:
        buffers = Buffers(coefficients, dtype)
        for down, across in tiles:
            for index, part in enumerate(buffers.tile(down, across)):
                i, j = divmod(index, b)
                _gather(matrix, shift, shifted(down, i * height), shifted(across, j * width), part)
            for out, coded in zip(outs, buffers.combined(), strict=True):
                out[down, across] = coded

    share_out(tiles(height, width, sum(coefficients.shape) * dtype.itemsize), form, matrix.nbytes, threads)


def recombine(weights: Array, answers: Sequence[Array], grid: tuple[int, int], out: Array, *, threads: int = 1) -> None:
    """Write block (i, l) of ``out`` as ``sum_s weights[i * cols + l, s] * answers[s]``, in one pass over the answers.

    Args:
        weights: decoding weights, shape (rows * cols, k).
        answers: k arrays of one shape (height, width).
        grid: (rows, cols) of the result's blocks.
        out: the result, any strides, its shape within the grid times (height, width); overwritten. Real where the
            product is real: imaginary parts left over by complex codes are dropped.
        threads: that may share the work.
    """
    height, width = answers[0].shape
    dtype = np.result_type(*answers)
    factors = np.ascontiguousarray(weights, dtype=_factor_dtype(weights, dtype))
    if len(factors) == 1 and height * width >= _LARGE and _are_plain([out, *answers], factors):
        return _add_up(factors[0], answers, out, threads)
    if grid[1] > 1 and out.dtype == dtype == factors.dtype and _takes_rows(out, grid[1] * width):
        return _row_by_row(factors.reshape(*grid, -1), answers, out, threads)

    def form(tiles: Sequence[Tile]) -> None:
        buffers = Buffers(factors, dtype)
        for down, across in tiles:
            for answer, part in zip(answers, buffers.tile(down, across), strict=True):
                part[...] = answer[down, across]
            for index, block in enumerate(buffers.combined()):
                i, l = divmod(index, grid[1])
                place = out[shifted(down, i * height), shifted(across, l * width)]
                part = block[: place.shape[0], : place.shape[1]]
                place[...] = part.real if np.iscomplexobj(part) and not np.iscomplexobj(place) else part

    share_out(
        tiles(height, width, sum(factors.shape) * dtype.itemsize), form, sum(each.nbytes for each in answers), threads
    )
    return None


def times_few(matrix: Array, columns: Array) -> Array:
    """``matrix @ columns`` for a few columns, at the speed of reading the matrix, with BLAS' threads asleep.

    BLAS rearranges operands before it multiplies, except for small products; for a few columns that takes longer than
    the product itself. So the matrix is taken in panels: of rows (2000 x 2000 by 6: 1.8 instead of 3.7 ms), where it
    lies transposed in memory of columns (by 1: 1.4 instead of 2.1 ms); a complex one as the pairs of reals it consists
    of (by 6: 7 instead of 16 ms).

    Args:
        matrix: shape (height, depth); sparse ones multiply in their own way.
        columns: shape (depth, r).
    """
    few = np.ascontiguousarray(columns)
    if is_sparse(matrix):
        return np.asarray(matrix @ few)
    out = np.empty((len(matrix), few.shape[1]), np.result_type(matrix, few))
    if np.iscomplexobj(matrix):
        factor, result = of_pairs(few), pairs(out)
        for rows in _panels(len(matrix), *factor.shape):
            np.matmul(pairs(matrix[rows]), factor, out=result[rows])
    elif matrix.flags.c_contiguous or not matrix.flags.f_contiguous:
        for rows in _panels(len(matrix), *few.shape):
            np.matmul(matrix[rows], few, out=out[rows])
    else:
        out[...] = 0
        for rows in _panels(len(few), *out.shape):
            out += matrix[:, rows] @ few[rows]
    return out


def _panels(length: int, across: int, columns: int) -> Iterator[slice]:
    """Cut a length so that BLAS multiplies each piece of ``length`` x ``across`` by ``columns`` columns as it is."""
    step = max(1, min(SMALL_OPERATIONS // max(1, across * columns), _SMALL_MATRIX // max(1, across)))
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def pairs(matrix: Array) -> Array:
    """A complex matrix as a real one, shape (height, 2 * width): real and imaginary parts in turn; a view if plain."""
    real: Array = np.ascontiguousarray(matrix).view(matrix.real.dtype)
    return real


def of_pairs(columns: Array) -> Array:
    """The real matrix that does to pairs what these columns do to complex numbers, shape (2 * depth, 2 * r).

    >>> a, x = np.array([[1 + 2j]]), np.array([[3 + 4j]])
    >>> (pairs(a) @ of_pairs(x)).tolist(), (a @ x).tolist()
    ([[-5.0, 10.0]], [[(-5+10j)]])
    """
    depth, count = columns.shape
    real = np.empty((depth, 2, count, 2), columns.real.dtype)
    real[:, 0, :, 0] = real[:, 1, :, 1] = columns.real
    real[:, 0, :, 1], real[:, 1, :, 0] = columns.imag, -columns.imag
    return real.reshape(2 * depth, 2 * count)


def norm(array: Array) -> float:
    """Frobenius norm; like all kernels here it leaves BLAS' threads asleep."""
    flat = array.ravel(order="K")
    pieces = (flat[start : start + _STRETCH] for start in range(0, flat.size, _STRETCH))
    return float(sum(np.vdot(piece, piece).real.item() for piece in pieces) ** 0.5)


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


def _are_plain(arrays: Sequence[Array], factors: Array) -> bool:
    """Each is one stretch of memory that BLAS can work on as it is, with these factors, and all are alike."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    known = dtype.isnative and dtype.char in "fdFD" and (dtype.kind == "c" or not np.iscomplexobj(factors))
    alike = all(array.shape == shape and array.dtype == dtype for array in arrays)
    flat = all(array.flags.c_contiguous and array.flags.aligned and array.size < 1 << 30 for array in arrays)
    return known and alike and flat


def _add_up(factors: Array, answers: Sequence[Array], out: Array, threads: int) -> None:
    """``out = sum_s factors[s] * answers[s]`` of plain arrays.

    With a single result, gathering would cost as much as the sum itself; so answers are added where they are.
    """
    from scipy.linalg.blas import get_blas_funcs

    total, *flat = (array.reshape(-1) for array in (out, *answers))
    if np.iscomplexobj(total) and not np.iscomplexobj(factors):
        total, *flat = (array.view(array.real.dtype) for array in (total, *flat))
    axpy = get_blas_funcs("axpy", (total,))
    first, *others = zip(factors.tolist(), flat, strict=True)

    def add(runs: Sequence[int]) -> None:
        for begin in runs:
            end = min(begin + _RUN, total.size)
            np.multiply(first[1][begin:end], first[0], out=total[begin:end])
            for factor, answer in others:
                for start in range(begin, end, _STRETCH):
                    axpy(answer, total, min(_STRETCH, end - start), factor, start, 1, start, 1)

    share_out(range(0, total.size, _RUN), add, sum(each.nbytes for each in answers), threads)


def _takes_rows(out: Array, width: int) -> bool:
    """BLAS can write whole rows of ``out``, and they are as long as all blocks side by side."""
    return out.shape[1] == width >= LONG_ROW and out.strides[1] == out.itemsize


def _row_by_row(factors: Array, answers: Sequence[Array], out: Array, threads: int) -> None:
    """`recombine` where products of small matrices can be formed in their final place.

    A row of the result is ``cols`` pieces that stand one after the other: a small matrix of its own, the product of the
    factors, shape (rows, cols, k), and the same row of every answer, gathered one below the other.
    """
    (height, width), (_, cols, count) = answers[0].shape, factors.shape

    def form(tiles: Sequence[Tile]) -> None:
        gathered = np.empty((0, count, 0), out.dtype)
        for down, across in tiles:
            size = length(down), length(across)
            if not gathered.size:  # the first piece is the largest
                gathered = np.empty((size[0], count, size[1]), out.dtype)
            tile = gathered[: size[0], :, : size[1]]
            for s, answer in enumerate(answers):
                tile[:, s] = answer[down, across]
            for i, factor in enumerate(factors):
                place = out[shifted(down, i * height)]
                np.matmul(factor, tile[: len(place)], out=place.reshape(-1, cols, width)[:, :, across])

    share_out(tiles(height, width, 2 * count * out.itemsize), form, sum(each.nbytes for each in answers), threads)


def _gather(matrix: Array, shift: Array | None, down: slice, across: slice, out: Array) -> None:
    """Copy one piece of the matrix, less its shift; beyond the matrix' edge are zeros."""
    part = matrix[down, across]
    if part.shape != out.shape:
        out[...] = 0
    inside = out[: part.shape[0], : part.shape[1]]
    if shift is None:
        inside[...] = part
    else:
        np.subtract(part, shift[down, across], out=inside)
