"""Random Khatri-Rao codes: random tables, which stand many missing workers."""

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from anyk.code import Code, refuse_if_useless
from anyk.errors import CodeError, InputError
from anyk.partition import Partition


def random_khatri_rao(
    rows: int, cols: int, workers: int, *, rng: Generator | int, dtype: DTypeLike = "float64"
) -> Code:
    """Random Khatri-Rao code: Gaussian combinations of the rows of A and of the columns of B.

    With few workers missing roots of unity (`polynomial`) are better conditioned; with many missing, random tables are,
    by orders of magnitude.

    Args:
        rows: block rows of A; at least 1.
        cols: block columns of B; at least 1.
        workers: number of tasks P; at least ``rows * cols``.
        rng: a generator, or a seed for one.
        dtype: precision in which the code must hold a relative error of 1e-3 on random survivor sets.

    Returns:
        A code with partition (rows, 1, cols); any ``rows * cols`` results suffice with probability 1.

    Raises:
        CodeError: too few workers, or a size at which random tables cannot work in this dtype.

    Reference:
        Subramaniam, Heidarzadeh, Narayanan, arXiv 1907.05965.

    >>> random_khatri_rao(2, 3, workers=9, rng=0).recovery_threshold
    6
    """
    call = f"random_khatri_rao(rows={rows}, cols={cols}, workers={workers})"
    partition = Partition(rows, 1, cols)
    if type(workers) is not int:
        raise CodeError(f"`{call}` needs `workers` to be an integer, not {workers!r}.")
    if workers < partition.wanted:
        raise CodeError(
            f"`{call}` cannot be decoded: {partition.wanted} results are needed and {workers} workers exist. "
            f"Use {partition.wanted} or more workers, or a coarser partition."
        )
    if not (isinstance(rng, Generator) or (isinstance(rng, int | np.integer) and rng >= 0)):
        raise InputError(f"`{call}` needs `rng` to be a numpy Generator or a seed of at least 0, not {rng!r}.")
    draw = np.random.default_rng(rng)
    left, right = draw.standard_normal((rows, 1, workers)), draw.standard_normal((1, cols, workers))
    code = Code("random_khatri_rao", partition, left, right, partition.wanted, reference="arXiv 1907.05965")
    return refuse_if_useless(code, call, dtype, "Use `polynomial`, or fewer blocks.")
