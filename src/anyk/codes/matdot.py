"""MatDot: split the inner dimension only."""

from numpy.typing import DTypeLike

from anyk.code import Code
from anyk.codes._evaluation import evaluation_code
from anyk.partition import Partition


def matdot(inner: int, workers: int, *, basis: str = "trigonometric", dtype: DTypeLike = "float64") -> Code:
    r"""MatDot code: split the inner dimension, decode one coefficient of a polynomial product.

    With $m$ = ``inner``, task $w$ multiplies $\sum_j T_m(\theta_w)_j A_j$ by $\sum_j T_m(\theta_w)_j B_j$; the mean of
    the product over the circle is $AB$. With every answer in, decoding is a plain average.

    Args:
        inner: number of blocks m along the inner dimension; at least 1.
        workers: number of tasks P; at least ``2 * inner - 1``.
        basis: ``"trigonometric"``, ``"chebyshev"`` (OrthoMatDot), ``"monomial"`` or ``"unit_circle"``.
        dtype: precision in which the code must hold a relative error of 1e-3 on random survivor sets.

    Returns:
        A code with partition (1, inner, 1) and recovery threshold ``2 * inner - 1``.

    Raises:
        CodeError: too few workers, an unknown basis, or a basis that cannot work at this size in this dtype.

    Reference:
        Dutta, Fahim, Haddadpour, Jeong, Cadambe, Grover, arXiv 1801.10292, MatDot; Chebyshev basis: Fahim, Cadambe,
        arXiv 1903.08326.

    >>> matdot(inner=3, workers=8).recovery_threshold
    5
    """
    return evaluation_code(
        f"matdot(inner={inner}, workers={workers})",
        Partition(1, inner, 1),
        workers,
        threshold=2 * inner - 1,
        basis=basis,
        dtype=dtype,
        reference="arXiv 1801.10292, MatDot",
    )
