r"""Small products to more digits than their dtype has, at the speed of ordinary ones.

A float64 number is cut in two, $x = x' + x''$: its eight leading bits, and the rest, hundreds of times smaller. Sums of
products of leading bits fit into the 53 bits there are, so nothing is rounded in $A'B'$; what is rounded in
$A'B'' + A''B$ is hundreds of times less than it would be in $AB$. Complex matrices are taken as the pairs of reals they
consist of.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk import sparse
from anyk.arrays import of_pairs, pairs, times_few

Array = NDArray[Any]

#: Two float64 arrays of one shape whose sum is meant, the second much smaller than the first.
Cut = tuple[Array, Array]

#: Sign, exponent and seven stored bits of the mantissa of a float64.
_LEADING = np.int64(-1 << 45)

#: Terms of a sum so much smaller than its largest do not lead: their bits would not fit beside those of the largest.
_NEGLIGIBLE = 2.0**-24

#: Entries of a matrix that are cut at a time, in whole rows or columns.
_PANEL = 160_000


def cut(real: Array) -> Cut:
    """Eight leading bits of each entry, and the rest."""
    whole = real.astype(np.float64, copy=False)
    leading = _leading(whole)
    return leading, whole - leading


def cut_anew(parts: Cut) -> Cut:
    """The same sum with eight leading bits in its first part."""
    leading = _leading(parts[0] + parts[1])
    return leading, (parts[0] - leading) + parts[1]


def product(left: Cut, right: Cut) -> Cut:
    """The product of two sums, as an exact part and a rest: good to some 60 bits of each row's largest terms.

    Args:
        left: shape (n, depth).
        right: shape (depth, m), m small.
    """
    terms = abs(left[0]) * abs(right[0]).max(axis=1, initial=0.0)
    leading = np.where(terms > _NEGLIGIBLE * terms.max(axis=1, keepdims=True, initial=0.0), left[0], 0.0)
    rest = left[1] + (left[0] - leading)
    return times_few(leading, right[0]), times_few(leading, right[1]) + times_few(rest, right[0] + right[1])


def signed_sums(signs: Array, matrix: Array) -> Cut:
    """``signs @ matrix`` as an exact part and a rest, in one pass over the matrix.

    Args:
        signs: shape (r, height), entries +1 and -1, float64.
        matrix: shape (height, width), real, dense or sparse.
    """
    if sparse.is_sparse(matrix):
        first, rest = (np.asarray((sparse.with_entries(matrix, part).T @ signs.T).T) for part in cut(matrix.data))
        return first, rest
    sums = np.zeros((2, len(signs), matrix.shape[1]))
    along_rows = matrix.flags.c_contiguous or not matrix.flags.f_contiguous
    length, other = matrix.shape if along_rows else matrix.shape[::-1]
    step = max(1, _PANEL // max(1, other))
    for top in range(0, length, step):
        there = slice(top, top + step)
        for total, part in zip(sums, cut(matrix[there] if along_rows else matrix[:, there]), strict=True):
            if along_rows:
                total += signs[:, there] @ part
            else:
                total[:, there] = signs @ part
    return sums[0], sums[1]


def difference(one: Cut, other: Cut) -> Array:
    """One sum less another of nearly the same value."""
    less: Array = (one[0] - other[0]) + (one[1] - other[1])
    return less


def residue(left: Array, right: Array, nearly: Array) -> tuple[Array, Array]:
    """What is wrong with a product that is nearly ``left @ right``, and the true product: float64 or complex128.

    Args:
        left: shape (n, depth).
        right: shape (depth, m), of the same dtype; m small.
        nearly: shape (n, m), of the same dtype.
    """
    if np.iscomplexobj(left):
        wrong, true = residue(pairs(left), of_pairs(right), pairs(nearly))
        return wrong.view(np.complex128), true.view(np.complex128)
    if left.dtype == np.float32:  # double precision is enough
        true = times_few(left.astype(np.float64), right.astype(np.float64))
        return nearly - true, true
    parts = product(cut(left), cut(right))
    return difference((nearly, np.zeros(())), parts), parts[0] + parts[1]


def as_reals(matrix: Array) -> Array:
    """For sums of rows: complex numbers are two columns of reals."""
    if matrix.dtype.kind != "c":
        return matrix
    return sparse.as_reals(matrix) if sparse.is_sparse(matrix) else pairs(matrix)


def _leading(real: Array) -> Array:
    bits: Array = real.view(np.int64) & _LEADING
    return bits.view(np.float64)
