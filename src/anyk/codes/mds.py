"""MDS code over the rows of A: for products with a vector or a narrow B."""

from numpy.typing import DTypeLike

from anyk.code import Code
from anyk.codes._evaluation import evaluation_code
from anyk.partition import Partition


def mds(rows: int, workers: int, *, basis: str = "trigonometric", dtype: DTypeLike = "float64") -> Code:
    r"""MDS code: A is cut into rows and coded, B goes to every worker as it is; any ``rows`` answers suffice.

    With $m$ = ``rows``, task $w$ multiplies $\sum_i T_m^1(\theta_w)_i A_i$ by $B$.

    Args:
        rows: block rows m of A; at least 1.
        workers: number of tasks P; at least ``rows``.
        basis: ``"trigonometric"``, ``"chebyshev"``, ``"monomial"`` or ``"unit_circle"``.
        dtype: precision in which the code must hold a relative error of 1e-3 on random survivor sets.

    Returns:
        A code with partition (rows, 1, 1) and recovery threshold ``rows``.

    Raises:
        CodeError: too few workers, an unknown basis, or a basis that cannot work at this size in this dtype.

    Reference:
        Lee, Lam, Pedarsani, Papailiopoulos, Ramchandran, arXiv 1512.02673, Coded matrix multiplication.

    >>> mds(rows=4, workers=6).recovery_threshold
    4
    """
    return evaluation_code(
        f"mds(rows={rows}, workers={workers})",
        Partition(rows, 1, 1),
        workers,
        threshold=rows,
        basis=basis,
        dtype=dtype,
        reference="arXiv 1512.02673, MDS-coded products",
    )
