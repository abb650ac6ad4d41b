"""Survivor sets: which tasks answered."""

from itertools import combinations
from math import comb

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.errors import InputError

Sets = NDArray[np.intp]


def survivor_sets(workers: int, results: int, sets: int | None, rng: Generator | None) -> Sets:
    """Survivor sets to score: all of them, or random ones together with the contiguous one.

    Args:
        workers: P.
        results: how many answers each set holds.
        sets: how many random sets; None for all when there are at most 10,000, else 2,000.
        rng: where random sets come from; None for a fixed seed.

    Returns:
        Shape (S, results), each row sorted; the last row of a random draw is ranks 0 … results-1 present.
    """
    if not 0 <= results <= workers:
        raise InputError(f"`results={results}` must lie between 0 and the {workers} tasks of the code.")
    total = comb(workers, results)
    if (sets is None and total <= 10_000) or (sets is not None and sets >= total):
        return np.array(list(combinations(range(workers), results)), dtype=np.intp).reshape(total, results)
    rng = np.random.default_rng(0) if rng is None else rng
    drawn = (rng.permutation(workers)[:results] for _ in range(sets or 2_000))
    return np.sort(np.array([*drawn, np.arange(results)], dtype=np.intp), axis=1)


def complements(sets: Sets, count: int) -> Sets:
    """What each survivor set misses; shape (S, P - k)."""
    missing = np.ones((len(sets), count), dtype=bool)
    np.put_along_axis(missing, sets, False, axis=1)
    return np.nonzero(missing)[1].reshape(len(sets), count - sets.shape[1])
