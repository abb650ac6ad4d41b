"""Polynomial codes: split A by rows and B by columns."""

from numpy.typing import DTypeLike

from anyk.code import Code
from anyk.codes._evaluation import evaluation_code
from anyk.partition import Partition


def polynomial(
    rows: int, cols: int, workers: int, *, basis: str = "trigonometric", dtype: DTypeLike = "float64"
) -> Code:
    r"""Polynomial code: each answer is another combination of the wanted blocks; any ``rows * cols`` suffice.

    With $m, p$ = ``rows, cols``, task $w$ multiplies $\sum_i T_m^p(\theta_w)_i A_i$ by $\sum_l T_p^1(\theta_w)_l B_l$.

    Args:
        rows: block rows m of A; at least 1.
        cols: block columns p of B; at least 1.
        workers: number of tasks P; at least ``rows * cols``.
        basis: ``"trigonometric"``, ``"chebyshev"`` (OrthoPoly), ``"monomial"`` or ``"unit_circle"``.
        dtype: precision in which the code must hold a relative error of 1e-3 on random survivor sets.

    Returns:
        A code with partition (rows, 1, cols) and recovery threshold ``rows * cols``.

    Raises:
        CodeError: too few workers, an unknown basis, or a basis that cannot work at this size in this dtype.

    Reference:
        Yu, Maddah-Ali, Avestimehr, arXiv 1705.10464, Polynomial codes; Chebyshev basis: Fahim, Cadambe, arXiv
        1903.08326.

    >>> polynomial(rows=4, cols=4, workers=18).recovery_threshold
    16
    """
    return evaluation_code(
        f"polynomial(rows={rows}, cols={cols}, workers={workers})",
        Partition(rows, 1, cols),
        workers,
        threshold=rows * cols,
        basis=basis,
        dtype=dtype,
        reference="arXiv 1705.10464, Polynomial codes",
    )
