r"""Evaluation points and bases, and the one formula that fills the tables of every exact code.

Legend: m = rows, n = inner, p = cols, P = workers, theta = angles of the half circle, K = recovery threshold.

For a size s and a unit u let $T_s^u$ be the s orthonormal real functions that span the frequencies
-(s-1)u, -(s-3)u, ..., (s-1)u. Task w sits at the angle theta_w, and

    left [i, j, w] = T_m^{rp}(theta_w)_i  T_n^1(theta_w)_j
    right[j, l, w] = T_n^1(theta_w)_j     T_p^r(theta_w)_l          with r = the stride.

$T_n^1(\theta)_j T_n^1(\theta)_{j'}$ is $\delta_{jj'}$ plus even frequencies 2k, 0 < |k| < n, so the wanted blocks sit
on their own frequencies of the product. Stride r = n lets the junk of neighbours fall on junk (Generalized PolyDot, K =
mnp + n - 1); r = 2n - 1 keeps it apart (PolyDot, K = mp(2n - 1)). The other bases put the same digits on powers or
Chebyshev polynomials.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.errors import CodeError

Positions = NDArray[np.intp]
Table = NDArray[Any]
Tables = tuple[Table, Table]


# --- evaluation points ------------------------------------------------------------------------------------------------


def scattered(count: int) -> Positions:
    """An order of 0 … count-1 that puts neighbours far apart.

    w -> g w mod count, with g coprime to count and near 0.618 count. Workers that fail together have neighbouring
    ranks; on the circle contiguous gaps decode worst.

    >>> scattered(8).tolist()
    [0, 5, 2, 7, 4, 1, 6, 3]
    """
    golden = 0.618 * count
    step = min((g for g in range(1, count + 1) if gcd(g, count) == 1), key=lambda g: (abs(g - golden), g))
    return np.arange(count) * step % count


def cosine(numerators: Positions, denominator: int) -> Table:
    """cos(pi * numerator / denominator), whole turns taken out first: accurate at every frequency."""
    return np.cos(np.pi * (numerators % (2 * denominator)) / denominator)


def sine(numerators: Positions, denominator: int) -> Table:
    """sin(pi * numerator / denominator), with the same care."""
    return np.sin(np.pi * (numerators % (2 * denominator)) / denominator)


# --- bases ------------------------------------------------------------------------------------------------------------


def trigonometric(size: int, unit: int, positions: Positions) -> Table:
    r"""The functions $T_s^u$ at the angles theta_w = pi positions[w] / P: orthonormal, real, centred.

    Args:
        size: number of functions s; at least 1.
        unit: integer factor u on every frequency; at least 1.
        positions: integers 0 … P-1 in any order, shape (P,).

    Returns:
        Shape (s, P). For s even: sqrt2 cos(f u theta), sqrt2 sin(f u theta) for f = 1, 3, …, s-1; for s odd: 1, then f
        = 2, 4, ….

    >>> np.round(trigonometric(3, 1, np.array([0, 1])), 4).tolist()
    [[1.0, 1.0], [1.4142, -1.4142], [0.0, 0.0]]
    """
    odd, count = size % 2, len(positions)
    table = np.ones((size, count))
    phases = np.outer(unit * np.arange(1 + odd, size, 2), positions)
    table[odd::2], table[odd + 1 :: 2] = np.sqrt(2) * cosine(phases, count), np.sqrt(2) * sine(phases, count)
    return table


@dataclass(frozen=True, eq=False)
class Frame:
    """Orthonormal bases of what P equispaced angles can answer, and of its complement: together an orthogonal matrix.

    Each is built when it is first asked for: with many workers the one is narrow and the other has about P^2 numbers.

    Args:
        threshold: dimension K of the product's frequencies -(K-1), …, K-1 in steps of 2.
        positions: all of 0 … P-1, in any order; P at least K.
    """

    threshold: int
    positions: Positions

    @cached_property
    def generator(self) -> Table:
        """What the answers can tell, shape (P, K)."""
        generator: Table = trigonometric(self.threshold, 1, self.positions).T / np.sqrt(len(self.positions))
        return generator

    @cached_property
    def checks(self) -> Table:
        """The parity checks, shape (P, P - K)."""
        count = len(self.positions)
        higher = np.outer(np.arange(self.threshold + 1, count, 2), self.positions)
        checks = [cosine(higher, count) * np.sqrt(2), sine(higher, count) * np.sqrt(2)]
        if (count - self.threshold) % 2:
            # the highest frequency lives on these angles as a single alternating sign
            checks.append(cosine(count * self.positions[None], count))
        table: Table = np.concatenate(checks).T / np.sqrt(count)
        return table


# --- the tables of codes without algebra ------------------------------------------------------------------------------


def block_tables(m: int, n: int, p: int) -> Tables:
    """One block product per task, in the order (i, j, l): left (m, n, mnp) and right (n, p, mnp), zeros and ones."""
    count = m * n * p
    i, j, el = np.unravel_index(np.arange(count), (m, n, p))
    left, right = np.zeros((m, n, count)), np.zeros((n, p, count))
    left[i, j, np.arange(count)] = right[j, el, np.arange(count)] = 1
    return left, right


# --- the tables of every evaluation code ------------------------------------------------------------------------------


def digit_tables(
    m: int, n: int, p: int, workers: int, *, stride: int, basis: str
) -> tuple[Table, Table, Positions | None]:
    """The two encoding tables of a code with partition (m, n, p), in one of the `BASES`.

    Args:
        m: rows.
        n: inner.
        p: cols.
        workers: number of evaluation points P.
        stride: distance of neighbouring outer digits: n (Generalized PolyDot) or 2n - 1 (PolyDot).
        basis: a key of `BASES`.

    Returns:
        left (m, n, P), right (n, p, P), and the positions on the circle where the basis is trigonometric, else None.

    Raises:
        CodeError: no such basis, or the basis has no code for this partition.
    """
    if basis not in BASES:
        raise CodeError(f"basis={basis!r} is unknown. Use one of {', '.join(BASES)}.")
    positions = scattered(workers)
    return (*BASES[basis](m, n, p, stride, positions), positions if basis == "trigonometric" else None)


def _trigonometric(m: int, n: int, p: int, stride: int, positions: Positions) -> Tables:
    inner = trigonometric(n, 1, positions)
    left = np.einsum("iw,jw->ijw", trigonometric(m, stride * p, positions), inner)
    return left, np.einsum("jw,lw->jlw", inner, trigonometric(p, stride, positions))


def _exponents(m: int, n: int, p: int, stride: int) -> tuple[Positions, Positions]:
    """A_ij on x^(j + stride i), B_jl on x^(n-1-j + stride m l); C_il then belongs to x^(n-1 + stride (i + m l))."""
    i, j, el = np.arange(m), np.arange(n), np.arange(p)
    return stride * i[:, None] + j, n - 1 - j[:, None] + stride * m * el


def _monomial(m: int, n: int, p: int, stride: int, positions: Positions) -> Tables:
    points = cosine(2 * positions + 1, 2 * len(positions))
    left, right = _exponents(m, n, p, stride)
    return points ** left[..., None], points ** right[..., None]


def _unit_circle(m: int, n: int, p: int, stride: int, positions: Positions) -> Tables:
    def powers(exponents: Positions) -> Table:
        turns = 2 * exponents[..., None] * positions
        return cosine(turns, len(positions)) + 1j * sine(turns, len(positions))

    left, right = _exponents(m, n, p, stride)
    return powers(left), powers(right)


def _chebyshev(m: int, n: int, p: int, stride: int, positions: Positions) -> Tables:
    """Orthonormal Chebyshev polynomials as cosines: OrthoPoly for inner = 1, OrthoMatDot for rows = cols = 1."""
    if n > 1 and m * p > 1 and stride < 2 * n - 1:
        raise CodeError(
            f"basis='chebyshev' has no Generalized PolyDot code for partition {m} x {n} x {p}: neighbours overlap. "
            "Use basis='trigonometric', or `polydot`, whose digits are further apart."
        )

    def polynomials(size: int, unit: int) -> Table:
        values: Table = np.sqrt(2) * cosine(unit * np.outer(np.arange(size), 2 * positions + 1), 2 * len(positions))
        values[0] = 1
        return values

    inner = polynomials(n, 1)
    left = np.einsum("iw,jw->ijw", polynomials(m, stride), inner)
    return left, np.einsum("jw,lw->jlw", inner, polynomials(p, stride * m))


#: basis name -> how it fills the tables. The first is the default everywhere; the others exist for comparison.
BASES: dict[str, Callable[[int, int, int, int, Positions], Tables]] = {
    "trigonometric": _trigonometric,
    "chebyshev": _chebyshev,
    "monomial": _monomial,
    "unit_circle": _unit_circle,
}
