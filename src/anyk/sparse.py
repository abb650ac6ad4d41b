"""Sparse matrices: what they are here, and their encoded blocks, which are sums of sparse blocks.

Whatever comes (any format of SciPy's, arrays of the ``sparse`` package) is held as compressed rows. Nothing as large as
a matrix is ever made dense.
"""

from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: A `scipy.sparse.csr_array`; SciPy ships no types.
Sparse = Any

#: A sum is nothing but rounding if it is at most so many epsilons of what was added up.
_ROUNDINGS = 32


def is_sparse(matrix: Any) -> TypeGuard[Sparse]:
    """Whether this is a sparse matrix: of SciPy's, or one that becomes such.

    >>> is_sparse(np.eye(2))
    False
    """
    return hasattr(matrix, "tocsr") or hasattr(matrix, "to_scipy_sparse")


def as_rows(matrix: Any, dtype: Any = None) -> Sparse:
    """A sparse matrix as compressed rows, of this dtype; a copy only where it has to be.

    Raises:
        ValueError: not two-dimensional.
    """
    from scipy.sparse import csr_array

    given = matrix.to_scipy_sparse() if hasattr(matrix, "to_scipy_sparse") else matrix
    rows = csr_array(given.tocsr())
    if len(rows.shape) != 2:
        raise ValueError(f"it has shape {rows.shape}")
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows if dtype is None else rows.astype(dtype, copy=False)


def dense(matrix: Any) -> Array:
    """A matrix as an array: for a few rows or columns of a sparse one."""
    array: Array = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    return array


def meeting(left: Any, right: Any) -> tuple[Array, Array]:
    """Two factors as arrays, without the inner places where the left one has no entries: few, if it is a few rows.

    >>> from scipy.sparse import eye_array
    >>> [each.shape for each in meeting(eye_array(1000).tocsr()[:2], np.ones((1000, 3)))]
    [(2, 2), (2, 3)]
    """
    if not is_sparse(left):
        return left, dense(right)
    there = np.unique(left.tocoo().col)
    return dense(left[:, there]), dense(right[there])


def entries(matrix: Any) -> Array:
    """The entries that are stored: all, or those of a sparse matrix that are not zero.

    >>> from scipy.sparse import eye_array
    >>> entries(eye_array(3).tocsr()).tolist()
    [1.0, 1.0, 1.0]
    """
    stored: Array = matrix.data if is_sparse(matrix) else matrix
    return stored


def combined(coefficients: Array, matrix: Sparse, block: tuple[int, int], dtype: Any) -> Sparse:
    """One encoded block, ``sum_ij coefficients[i, j] * block_ij``, in one pass over the stored entries.

    Args:
        coefficients: shape (a, b).
        matrix: cut into a x b blocks; shape (height, width).
        block: shape of a block, (ceil(height / a), ceil(width / b)).
        dtype: of the encoded block.

    >>> from scipy.sparse import eye_array
    >>> combined(np.array([[1.0, 2.0]]), eye_array(4).tocsr(), (4, 2), float).toarray()[3].tolist()
    [0.0, 2.0]
    """
    from scipy.sparse import coo_array, csr_array

    whole = matrix.tocoo()
    (i, row), (j, column) = np.divmod(whole.row, block[0]), np.divmod(whole.col, block[1])
    factors = coefficients[i, j]
    kept = np.flatnonzero(factors)
    values = (whole.data[kept] * factors[kept]).astype(dtype, copy=False)
    return csr_array(coo_array((values, (row[kept], column[kept])), shape=block))


def as_reals(matrix: Sparse) -> Sparse:
    """A complex sparse matrix as a real one, shape (height, 2 * width): real and imaginary parts in turn.

    >>> from scipy.sparse import csr_array
    >>> as_reals(csr_array([[0, 1 + 2j]])).toarray().tolist()
    [[0.0, 0.0, 1.0, 2.0]]
    """
    from scipy.sparse import csr_array

    rows = matrix.tocsr()
    columns = np.stack([2 * rows.indices, 2 * rows.indices + 1], axis=1).ravel()
    values = np.ascontiguousarray(rows.data).view(rows.data.real.dtype)
    return csr_array((values, columns, 2 * rows.indptr), shape=(rows.shape[0], 2 * rows.shape[1]))


def with_entries(matrix: Sparse, values: Array) -> Sparse:
    """A matrix with other entries in the same places; compressed rows or columns.

    Args:
        matrix: says where.
        values: shape (entries,).
    """
    return type(matrix)((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def recombined(weights: Array, blocks: list[Sparse]) -> Sparse:
    """``sum_s weights[s] * blocks[s]`` of compressed rows, without entries that are nothing but rounding.

    Args:
        weights: shape (n,).
        blocks: n of one shape and dtype.

    >>> from scipy.sparse import csr_array
    >>> recombined(np.array([3.0, -1.0]), [csr_array([[0.1, 1.0]]), csr_array([[0.3, 0.0]])]).nnz
    1
    """
    from scipy.sparse import coo_array, csr_array

    parts, dtype = [block.tocoo() for block in blocks], blocks[0].dtype
    row, column = (np.concatenate([getattr(part, axis) for part in parts]) for axis in ("row", "col"))
    values = np.concatenate([weight * part.data for weight, part in zip(weights, parts, strict=True)])
    order = np.lexsort((column, row))
    row, column, values = row[order], column[order], values[order]
    is_new = np.ones(len(row), bool)
    is_new[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    first = np.flatnonzero(is_new)
    sums, sizes = np.add.reduceat(values, first), np.add.reduceat(abs(values), first)
    kept = ~(abs(sums) <= _ROUNDINGS * np.finfo(dtype).eps * sizes)
    where = row[first][kept], column[first][kept]
    return csr_array(coo_array((sums[kept].astype(dtype), where), shape=blocks[0].shape))


def places(matrix: Sparse, which: Array) -> Array:
    """Rows and columns of some stored entries, shape (n, 2)."""
    whole = matrix.tocoo()
    return np.stack([whole.row[which], whole.col[which]], axis=1)


def fill_in(coded: list[Sparse], matrix: Sparse, blocks: int) -> float:
    """Stored entries of the fullest encoded block, over an even share of the matrix' own.

    A code that combines n blocks in each task makes this n, until entries meet: then it is less.

    Args:
        coded: encoded blocks.
        matrix: what they are of.
        blocks: that the matrix was cut into.
    """
    return float(max(each.nnz for each in coded) * blocks / max(1, matrix.nnz))
