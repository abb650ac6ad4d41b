"""Plain replication: the baseline every code has to beat."""

import numpy as np

from anyk.bases import block_tables
from anyk.code import Code
from anyk.errors import CodeError
from anyk.partition import Partition


def replication(rows: int, inner: int, cols: int, copies: int) -> Code:
    """Replication: every block product is computed by ``copies`` workers; the first copy of each counts.

    Task w computes block product ``w % (rows * inner * cols)``, so that neighbours in rank hold different ones.

    Args:
        rows: block rows of A; at least 1.
        inner: block columns of A and block rows of B; at least 1.
        cols: block columns of B; at least 1.
        copies: copies c of each block product; at least 1.

    Returns:
        A code with ``copies * rows * inner * cols`` workers; any P - c + 1 results suffice, most smaller sets do.

    Raises:
        CodeError: a count is not an integer of at least 1.

    >>> replication(2, 1, 2, copies=2).recovery_threshold
    7
    """
    if not isinstance(copies, int) or copies < 1:
        raise CodeError(f"replication needs `copies` to be an integer of at least 1, not {copies!r}.")
    partition = Partition(rows, inner, cols)
    left, right = (np.tile(table, copies) for table in block_tables(rows, inner, cols))
    return Code("replication", partition, left, right, copies * partition.products - copies + 1)
