"""Order statistics of every row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.errors import InputError


def kth_smallest(times: NDArray[Any], k: int) -> NDArray[np.float64]:
    """When the k-th answer of each product is there.

    Args:
        times: shape (products, workers), seconds; infinite where an answer is lost. Left as it is.
        k: counted from 1; at most the number of workers.

    Returns:
        Shape (products,), seconds; infinite where fewer than k answers come.

    Raises:
        InputError: a ``k`` that no row has.

    >>> kth_smallest(np.array([[3.0, 1.0, 2.0], [np.inf, 5.0, np.inf]]), 2)
    array([ 2., inf])
    """
    times = np.asarray(times, np.float64)
    if times.ndim != 2 or not 1 <= k <= times.shape[1]:
        raise InputError(
            f"`kth_smallest(times of shape {times.shape}, k={k})` does not exist: times have a row per product and "
            "a column per worker, and k is from 1 to the number of workers."
        )
    if k == 1:
        return np.asarray(times.min(axis=1))
    if k == times.shape[1]:
        return np.asarray(times.max(axis=1))
    # One row at a time: a partition of a row stays in the cache, and no copy of the whole is made.
    return np.array([np.partition(row, k - 1)[k - 1] for row in times])
