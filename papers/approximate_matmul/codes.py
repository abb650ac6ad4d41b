"""The paper's codes as two tables, shape (m, P), and ours on the same footing.

m inner blocks, P workers, k answers; points x_w = cos(pi (2w + 1) / (2P)) / divisor. The larger the divisor, the
smaller the radius: the paper's "MatDot", "scaled MatDot" and "approximate MatDot" differ in nothing else.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import anyk

Array = NDArray[Any]
Tables = tuple[Array, Array]


def points(workers: int, divisor: float = 1.0) -> Array:
    """Chebyshev nodes, drawn together."""
    return np.cos(np.pi * (2 * np.arange(workers) + 1) / (2 * workers)) / divisor


def matdot(inner: int, workers: int, divisor: float = 1.0) -> Tables:
    """Powers: A_a on x^a, B_b on x^(m-1-b)."""
    left = points(workers, divisor) ** np.arange(inner)[:, None]
    return left, left[::-1]


def orthomatdot(inner: int, workers: int) -> Tables:
    """Chebyshev polynomials, orthonormal on the nodes, for both."""
    table = np.cos(np.arange(inner)[:, None] * np.arccos(points(workers)))
    table[0] /= np.sqrt(2)
    return table, table


def ours(inner: int, workers: int, results: int, **settings: Any) -> Tables:
    """anyk's code for so many answers; an exact one where they suffice for it."""
    if results >= 2 * inner - 1:
        code = anyk.codes.matdot(inner, workers)
    else:
        code = anyk.codes.approximate_matdot(inner, workers, results=results, **settings)
    return np.asarray(code.left[0]), np.asarray(code.right[:, 0])
