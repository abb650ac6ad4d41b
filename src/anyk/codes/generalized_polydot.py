"""Generalized PolyDot: the family that bridges Polynomial and MatDot codes."""

from numpy.typing import DTypeLike

from anyk.code import Code
from anyk.codes._evaluation import evaluation_code
from anyk.partition import Partition


def generalized_polydot(
    rows: int, inner: int, cols: int, workers: int, *, basis: str = "trigonometric", dtype: DTypeLike = "float64"
) -> Code:
    r"""Generalized PolyDot code (also: entangled polynomial code), in real arithmetic and well conditioned.

    With $m, n, p$ = ``rows, inner, cols`` and angles $\theta_w = \pi w / P$, task $w$ multiplies
    $\sum_{ij} T_m^{np}(\theta_w)_i\,T_n^1(\theta_w)_j\,A_{ij}$ by $\sum_{jl}
    T_n^1(\theta_w)_j\,T_p^n(\theta_w)_l\,B_{jl}$; $C_{il}$ is the coefficient of $T_m^{np}{}_i\,T_p^n{}_l$ in the
    product. Neighbours' junk falls on junk, so $K = mnp + n - 1$.

    Args:
        rows: block rows m of A; at least 1.
        inner: block columns n of A and block rows of B; at least 1.
        cols: block columns p of B; at least 1.
        workers: number of tasks P; at least ``rows * inner * cols + inner - 1``.
        basis: ``"trigonometric"``, or for comparison ``"chebyshev"`` (where inner = 1 or rows = cols = 1),
            ``"monomial"``, ``"unit_circle"`` (complex: twice the memory, 3 to 4 times the work).
        dtype: precision in which the code must hold a relative error of 1e-3 on random survivor sets.

    Returns:
        A code with recovery threshold ``rows * inner * cols + inner - 1``.

    Raises:
        CodeError: too few workers, an unknown basis, or a basis that cannot work at this size in this dtype.

    Reference:
        Dutta, Bai, Jeong, Low, Grover, arXiv 1811.10751, Generalized PolyDot; the real trigonometric basis is anyk's
        own.

    >>> generalized_polydot(2, 2, 2, workers=12).recovery_threshold
    9
    """
    return evaluation_code(
        f"generalized_polydot(rows={rows}, inner={inner}, cols={cols}, workers={workers})",
        Partition(rows, inner, cols),
        workers,
        threshold=rows * inner * cols + inner - 1,
        basis=basis,
        dtype=dtype,
        reference="arXiv 1811.10751, Generalized PolyDot",
    )
