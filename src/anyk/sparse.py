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
