"""The other product of the same encoded blocks: from A B to A^T Y."""

import numpy as np
from numpy.typing import NDArray

from anyk.bases import trigonometric
from anyk.code import WORST_USEFUL_ERROR, Code
from anyk.errors import CodeError
from anyk.partition import Partition

#: A task's table of A counts as separable when its second singular value is below this part of the first.
_SEPARABLE = 1e-12


def transposed(code: Code) -> Code:
    r"""The code of $A^T Y$ whose workers hold the very blocks of A that ``code`` puts there.

    Where every task's table of A is an outer product, left[i, j, w] = row[i, w] inner[j, w], the workers multiply their
    block's transpose by $\sum_i row_i Y_i$. For the trigonometric codes of partition m x n x 1 any 2mn - n answers then
    suffice (n for MatDot, 2m - 1 for MDS codes).

    Args:
        code: of A B; its ``cols`` do not matter.

    Returns:
        A code of partition (inner, rows, 1) with ``left`` the transposed table.

    Raises:
        CodeError: the tables are not separable, or there are too few workers for the transposed product.

    Reference:
        arXiv 1811.10751, backward product of coded training.

    >>> from anyk.codes import generalized_polydot
    >>> transposed(generalized_polydot(2, 2, 1, workers=8)).recovery_threshold
    6
    """
    rows, inner = code.partition.rows, code.partition.inner
    factors = _row_factors(code)
    exact = (2 * rows - 1) * inner
    smooth = code.positions is not None and np.allclose(factors, trigonometric(rows, inner, code.positions), atol=1e-9)
    for threshold in [exact] if smooth else [_rank(code, factors), code.recovery_threshold, code.workers]:
        if threshold <= code.workers:
            candidate = Code(
                f"{code.name}, transposed",
                Partition(inner, rows, 1),
                code.left.swapaxes(0, 1),
                factors[:, None],
                threshold,
                positions=code.positions if smooth else None,
                reference=code.reference,
            )
            errors = candidate.errors(threshold, sets=64)
            # A rank alone promises nothing about the worst set; the closed form does.
            if (np.median(errors) if smooth else errors.max()) <= WORST_USEFUL_ERROR:
                return candidate
    raise CodeError(
        f"`{code.name}` with {code.workers} workers has no transposed product on these blocks: {exact} answers would "
        "be needed. Use more workers, or place the transposed matrix as well."
    )


def _row_factors(code: Code) -> NDArray[np.float64]:
    """row[i, w] of a separable table of A, shape (rows, P)."""
    if code.positions is not None:
        inner = trigonometric(code.partition.inner, 1, code.positions)
        factors: NDArray[np.float64] = np.einsum("ijw,jw->iw", code.left, inner) / code.partition.inner
        return factors
    u, sizes, _ = np.linalg.svd(np.moveaxis(code.left, 2, 0), full_matrices=False)
    if sizes.shape[1] > 1 and (sizes[:, 1] > _SEPARABLE * sizes[:, 0]).any():
        raise CodeError(
            f"`{code.name}` has no transposed product on the same blocks: its table of A is not separable. "
            "Place the transposed matrix as well."
        )
    separated: NDArray[np.float64] = (u[:, :, 0] * np.sqrt(sizes[:, :1])).T
    return separated


def _rank(code: Code, factors: NDArray[np.float64]) -> int:
    """Independent answers the transposed product can have."""
    products = np.einsum("ijw,kw->ijkw", code.left, factors).reshape(-1, code.workers)
    return int(np.linalg.matrix_rank(products / np.linalg.norm(products, axis=0)))
