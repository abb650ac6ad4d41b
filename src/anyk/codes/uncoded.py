"""No redundancy: every block product on its own worker."""

from anyk.bases import block_tables
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
    left, right = block_tables(rows, inner, cols)
    return Code("uncoded", partition, left, right, partition.products)
