"""What a worker does where blocks are sparse."""

from typing import Any

import numpy as np

from anyk.engines.base import Array
from anyk.engines.work import checkpoint

Shape = tuple[int, int]

#: Operations of a panel: sparse products are some ten times slower than dense ones.
PANEL_OPERATIONS = 5e6


def multiply_sparse(a_shape: Shape | None, b_shape: Shape | None, *parts: Array) -> Array | None:
    """The product of two blocks of which one is sparse, or both; dense, in panels, with a checkpoint before each.

    Args:
        a_shape: of A's block where it is sparse: it comes as its values, columns and row starts. None: it is dense, and
            comes as it is.
        b_shape: likewise.
        *parts: both blocks; and, if there is one more, where the product goes.

    Returns:
        The product, or None if it was written.

    Raises:
        Cancelled: cancelled between two panels.
    """
    left, rest = _taken(a_shape, parts)
    right, rest = _taken(b_shape, rest)
    product = rest[0] if rest else np.empty((left.shape[0], right.shape[1]), np.result_type(left.dtype, right.dtype))
    stored = [block.nnz for block in (left, right) if not isinstance(block, np.ndarray)]
    operations = 2.0 * max(stored) * max(1, min(product.shape)) / max(1, len(product))
    rows = max(1, int(PANEL_OPERATIONS / max(operations, 1.0)))
    for start in range(0, len(product), rows):
        checkpoint()
        panel: Any = left[start : start + rows] @ right
        product[start : start + rows] = panel if isinstance(panel, np.ndarray) else panel.toarray()
    return None if rest else product


def multiply_sparse_transposed(shape: Shape, *parts: Array) -> Array | None:
    """The product of a sparse block's transpose and a dense block, added up over panels of rows, with checkpoints.

    Args:
        shape: of the sparse block (k, m): it comes as its values, columns and row starts.
        *parts: those; the dense block, shape (k, n); and, if there is one more, where the product goes, shape (m, n).

    Returns:
        The product, or None if it was written.

    Raises:
        Cancelled: cancelled between two panels.
    """
    block, (right, *rest) = _taken(shape, parts)
    product = rest[0] if rest else np.empty((shape[1], right.shape[1]), np.result_type(block.dtype, right.dtype))
    # Each panel adds to the whole product: only where it has about as many entries is that worth the look.
    panels = min(2.0 * block.nnz * right.shape[1] / PANEL_OPERATIONS, block.nnz / max(1, shape[1]))
    rows = max(1, int(shape[0] / max(1.0, panels)))
    product[...] = 0
    for start in range(0, shape[0], rows):
        checkpoint()
        product += block[start : start + rows].T @ right[start : start + rows]
    return None if rest else product


def _taken(shape: Shape | None, parts: tuple[Array, ...]) -> tuple[Any, tuple[Array, ...]]:
    if shape is None:
        return parts[0], parts[1:]
    from scipy.sparse import csr_array

    return csr_array(parts[:3], shape=shape), parts[3:]
