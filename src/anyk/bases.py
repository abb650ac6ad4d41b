r"""Evaluation points and bases, and the one formula that fills the tables of every exact code.

Legend: m = rows, n = inner, p = cols, P = workers, theta = angles of the half circle, K = recovery threshold.

For a size s and a unit u let $T_s^u$ be the s orthonormal real functions that span the frequencies
-(s-1)u, -(s-3)u, ..., (s-1)u. Task w sits at the angle theta_w, and

    left [i, j, w] = T_m^{rp}(theta_w)_i  T_n^1(theta_w)_j
    right[j, l, w] = T_n^1(theta_w)_j     T_p^r(theta_w)_l          with r = the stride.

$T_n^1(\theta)_j T_n^1(\theta)_{j'}$ is $\delta_{jj'}$ plus even frequencies 2k, 0 < |k| < n, so the wanted blocks sit on their own
frequencies of the product. Stride r = n lets the junk of neighbours fall on junk (Generalized PolyDot, K = mnp + n - 1);
r = 2n - 1 keeps it apart (PolyDot, K = mp(2n - 1)). The other bases put the same digits on powers or Chebyshev polynomials.
"""

from collections.abc import Callable
from math import gcd

import numpy as np
from numpy.typing import NDArray

from anyk.errors import CodeError

Points = NDArray[np.float64] | NDArray[np.complex128]
Tables = tuple[NDArray[np.generic], NDArray[np.generic]]


# --- evaluation points ----------------------------------------------------------------------------------------------------


def scattered(count: int) -> NDArray[np.intp]:
    """An order of 0 … count-1 that puts neighbours far apart: w -> g w mod count, g coprime to count and near 0.618 count.

    Workers that fail together have neighbouring ranks; on the circle contiguous gaps decode worst.

    >>> scattered(8).tolist()
    [0, 5, 2, 7, 4, 1, 6, 3]
    """
    golden = 0.618 * count
    step = min((g for g in range(1, count + 1) if gcd(g, count) == 1), key=lambda g: (abs(g - golden), g))
    return np.arange(count) * step % count


def half_circle(count: int) -> NDArray[np.float64]:
    """Equispaced angles pi w / count, neighbours in rank far apart."""
    return np.pi * scattered(count) / count


def chebyshev_points(count: int) -> NDArray[np.float64]:
    """Chebyshev nodes of [-1, 1] as angles phi (the point is cos phi), neighbours in rank far apart."""
    return np.pi * (2 * scattered(count) + 1) / (2 * count)


def roots_of_unity(count: int) -> NDArray[np.complex128]:
    """The count-th roots of unity, neighbours in rank far apart."""
    return np.exp(2j * np.pi * scattered(count) / count)


# --- bases ------------------------------------------------------------------------------------------------------------------


def trigonometric(size: int, unit: int, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""The functions $T_s^u$ at the given angles: orthonormal, real, centred.

    Args:
        size: number of functions s; at least 1.
        unit: integer factor u on every frequency; at least 1.
        angles: shape (P,), radians.

    Returns:
        Shape (s, P). For s even: sqrt2 cos(f u theta), sqrt2 sin(f u theta) for f = 1, 3, …, s-1; for s odd: 1, then f = 2, 4, ….

    >>> np.round(trigonometric(3, 1, np.array([0.0])), 4).ravel().tolist()
    [1.0, 1.4142, 0.0]
    """
    table = np.ones((size, len(angles)))
    odd = size % 2
    phases = unit * np.outer(np.arange(1 + odd, size, 2), angles)
    table[odd::2], table[odd + 1 :: 2] = np.sqrt(2) * np.cos(phases), np.sqrt(2) * np.sin(phases)
    return table


def trigonometric_frame(threshold: int, angles: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Orthonormal bases of what P equispaced angles can answer, and of its complement (the parity checks).

    Args:
        threshold: dimension K of the product's frequencies -(K-1), …, K-1 in steps of 2.
        angles: all P angles pi w / P, in any order; P at least K.

    Returns:
        Generator, shape (P, K), and parity checks, shape (P, P - K); together an orthogonal matrix.
    """
    count = len(angles)
    higher = np.outer(np.arange(threshold + 1, count, 2), angles)
    checks = [np.cos(higher) * np.sqrt(2), np.sin(higher) * np.sqrt(2)]
    if (count - threshold) % 2:
        # the highest frequency lives on these angles as a single alternating sign
        checks.append(np.cos(count * angles)[None])
    scale = 1 / np.sqrt(count)
    return trigonometric(threshold, 1, angles).T * scale, np.concatenate(checks).T * scale


# --- the tables of every evaluation code ------------------------------------------------------------------------------------


def digit_tables(m: int, n: int, p: int, workers: int, *, stride: int, basis: str) -> tuple[Tables, NDArray[np.float64] | None]:
    """The two encoding tables of a code with partition (m, n, p), in one of the `BASES`.

    Args:
        m: rows.
        n: inner.
        p: cols.
        workers: number of evaluation points P.
        stride: distance of neighbouring outer digits: n (Generalized PolyDot) or 2n - 1 (PolyDot).
        basis: a key of `BASES`.

    Returns:
        (left (m, n, P), right (n, p, P)), and the angles where the basis is trigonometric, else None.

    Raises:
        CodeError: no such basis, or the basis has no code for this partition.
    """
    if basis not in BASES:
        raise CodeError(f"basis={basis!r} is unknown. Use one of {', '.join(BASES)}.")
    return BASES[basis](m, n, p, workers, stride)


def _trigonometric(m: int, n: int, p: int, workers: int, stride: int) -> tuple[Tables, NDArray[np.float64] | None]:
    angles = half_circle(workers)
    inner = trigonometric(n, 1, angles)
    left = np.einsum("iw,jw->ijw", trigonometric(m, stride * p, angles), inner)
    return (left, np.einsum("jw,lw->jlw", inner, trigonometric(p, stride, angles))), angles


def _powers(points: Points, m: int, n: int, p: int, stride: int) -> Tables:
    """A_ij on x^(j + stride i), B_jl on x^(n-1-j + stride m l): C_il is the coefficient of x^(n-1 + stride (i + m l))."""
    i, j, el = np.arange(m)[:, None], np.arange(n), np.arange(p)
    left = points ** (stride * i + j)[..., None]
    return left, points ** (n - 1 - j[:, None] + stride * m * el)[..., None]


def _monomial(m: int, n: int, p: int, workers: int, stride: int) -> tuple[Tables, None]:
    return _powers(np.cos(chebyshev_points(workers)), m, n, p, stride), None


def _unit_circle(m: int, n: int, p: int, workers: int, stride: int) -> tuple[Tables, None]:
    return _powers(roots_of_unity(workers), m, n, p, stride), None


def _chebyshev(m: int, n: int, p: int, workers: int, stride: int) -> tuple[Tables, None]:
    """Orthonormal Chebyshev polynomials, evaluated as cosines: OrthoPoly for inner = 1, OrthoMatDot for rows = cols = 1."""
    if n > 1 and m * p > 1 and stride < 2 * n - 1:
        raise CodeError(
            f"basis='chebyshev' has no Generalized PolyDot code for partition {m} x {n} x {p}: neighbours overlap. "
            "Use basis='trigonometric', or `polydot`, whose digits are further apart."
        )
    phi = chebyshev_points(workers)

    def table(size: int, unit: int) -> NDArray[np.float64]:
        values = np.sqrt(2) * np.cos(unit * np.outer(np.arange(size), phi))
        values[0] = 1
        return values

    inner = table(n, 1)
    left = np.einsum("iw,jw->ijw", table(m, stride), inner)
    return (left, np.einsum("jw,lw->jlw", inner, table(p, stride * m))), None


_Filler = Callable[[int, int, int, int, int], tuple[Tables, NDArray[np.float64] | None]]

#: basis name -> how it fills the tables. The first is the default everywhere; the others exist for comparison.
BASES: dict[str, _Filler] = {
    "trigonometric": _trigonometric,
    "chebyshev": _chebyshev,
    "monomial": _monomial,
    "unit_circle": _unit_circle,
}
