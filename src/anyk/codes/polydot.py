"""PolyDot: Generalized PolyDot's predecessor, whose digits do not overlap."""

from numpy.typing import DTypeLike

from anyk.code import Code
from anyk.codes._evaluation import evaluation_code
from anyk.partition import Partition


def polydot(
    rows: int, inner: int, cols: int, workers: int, *, basis: str = "trigonometric", dtype: DTypeLike = "float64"
) -> Code:
    r"""PolyDot code: as Generalized PolyDot, with the outer digits $2n - 1$ apart, so that no two junk terms meet.

    Args:
        rows: block rows m of A; at least 1.
        inner: block columns n of A and block rows of B; at least 1.
        cols: block columns p of B; at least 1.
        workers: number of tasks P; at least ``rows * cols * (2 * inner - 1)``.
        basis: ``"trigonometric"``, ``"chebyshev"``, ``"monomial"`` or ``"unit_circle"``.
        dtype: precision in which the code must hold a relative error of 1e-3 on random survivor sets.

    Returns:
        A code with recovery threshold ``rows * cols * (2 * inner - 1)``.

    Raises:
        CodeError: too few workers, an unknown basis, or a basis that cannot work at this size in this dtype.

    Reference:
        Dutta, Fahim, Haddadpour, Jeong, Cadambe, Grover, arXiv 1801.10292, PolyDot.

    >>> polydot(2, 2, 1, workers=8).recovery_threshold
    6
    """
    return evaluation_code(
        f"polydot(rows={rows}, inner={inner}, cols={cols}, workers={workers})",
        Partition(rows, inner, cols),
        workers,
        threshold=rows * cols * (2 * inner - 1),
        stride=2 * inner - 1,
        basis=basis,
        dtype=dtype,
        reference="arXiv 1801.10292, PolyDot",
    )
