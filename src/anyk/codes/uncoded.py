"""No redundancy: every block product on its own worker."""

import numpy as np

from anyk.code import Code
from anyk.partition import Partition


def uncoded(rows: int, inner: int, cols: int) -> Code:
    """Uncoded: each of the ``rows * inner * cols`` block products is one task, and all of them are needed.

    Args:
        rows: block rows of A; at least 1.
        inner: block columns of A and block rows of B; at least 1.
        cols: block columns of B; at least 1.

    Returns:
        A code with ``rows * inner * cols`` workers and as many results needed.

    Raises:
        CodeError: a count is not an integer of at least 1.

    >>> uncoded(2, 1, 3).recovery_threshold
    6
    """
    partition = Partition(rows, inner, cols)
    i, j, el = np.unravel_index(np.arange(partition.products), (rows, inner, cols))
    left, right = np.zeros((rows, inner, partition.products)), np.zeros((inner, cols, partition.products))
    left[i, j, np.arange(partition.products)] = 1
    right[j, el, np.arange(partition.products)] = 1
    return Code("uncoded", partition, left, right, partition.products)
