"""Approximate MatDot: fewer answers than an exact code needs, for a relative error that is known beforehand."""

from bisect import bisect_left
from functools import partial
from math import comb

import numpy as np
from numpy.typing import DTypeLike

from anyk.code import Code
from anyk.codes._levels import (
    THOROUGH,
    Candidate,
    Effort,
    candidates,
    ensure_integers,
    random_sets,
    ranked,
    refuse_if_copies_do,
)
from anyk.errors import CodeError
from anyk.partition import Partition
from anyk.weights import Sets, product_error

_PROFILES = ("staircase", "graceful")


def approximate_matdot(
    inner: int,
    workers: int,
    *,
    results: int | None = None,
    dtype: DTypeLike = "float64",
    profile: str = "staircase",
) -> Code:
    r"""Approximate MatDot code: any ``results`` answers give the product to about $\lambda^{1/L}$.

    $\lambda$ is the rounding of one answer in ``dtype`` and $L = \lceil m / (k - m + 1) \rceil$ the number of steps in
    the weights of the blocks, with $m$ = ``inner`` and $k$ = ``results``: accuracy is paid for with precision. In
    float64 half as many answers beyond m as an exact code needs give 1e-8 to 1e-5, m answers 2e-8 (m = 2), 1e-5 (3),
    3e-4 (4), 2e-3 (5).

    Several families (powers, Chebyshev, trigonometric, trigonometric with an anchor; staircase and geometric weights)
    are scored on random survivor sets, and the best is taken.

    Args:
        inner: number of blocks m along the inner dimension; at least 2.
        workers: number of tasks P; at least ``results``.
        results: how many answers must suffice, k: from ``inner`` (default) up to ``2 * inner - 2``.
        dtype: the workers' precision.
        profile: ``"staircase"``: the smallest error at ``results`` answers; ``"graceful"``: weights that fall steadily,
            a larger error there that keeps falling with every further answer.

    Returns:
        A code with recovery threshold ``results``; ``design_error`` is its root mean square expected error over fresh
        random survivor sets of that size.

    Raises:
        CodeError: ``results`` or ``workers`` out of range or no integer, an unknown profile, or an error no better than
            plain replication.

    Reference:
        Jeong, Devulapalli, Cadambe, Calmon, arXiv 2105.01973 (results = inner); the staircases are anyk's own.

    >>> code = approximate_matdot(inner=4, workers=8, results=5)
    >>> code.recovery_threshold, code.design_error < 1e-7
    (5, True)
    """
    return searched(inner, workers, inner if results is None else results, dtype, profile, THOROUGH)


def searched(inner: int, workers: int, needed: int, dtype: DTypeLike, profile: str, effort: Effort) -> Code:
    """`approximate_matdot`, with more or less effort."""
    call = f"approximate_matdot(inner={inner}, workers={workers}, results={needed})"
    _check(call, inner, workers, needed, profile)
    partition = Partition(1, inner, 1)
    noise = product_error(dtype)
    last = min(2 * inner - 1, workers)
    score = partial(_graceful, noise=noise, last=last) if profile == "graceful" else partial(_tailed, noise=noise)
    best = ranked(
        candidates(inner, needed, workers, noise, geometric=profile == "graceful"),
        lambda count: random_sets(workers, needed, count, seed=1),
        score,
        effort,
    )[0]
    error = _rms(best, random_sets(workers, needed, effort.fresh, seed=2), noise=noise)
    refuse_if_copies_do(call, partition, workers, needed, error, dtype)
    return Code(
        "approximate_matdot",
        partition,
        best.left[None] / np.linalg.norm(best.left, axis=0),
        best.right[:, None] / np.linalg.norm(best.right, axis=0),
        needed,
        exact_threshold=_exact_threshold(best, workers, last, noise, effort.exact),
        design_error=error,
        reference=f"arXiv 2105.01973, level codes; {best.words}",
    )


def _check(call: str, inner: int, workers: int, results: int, profile: str) -> None:
    if profile not in _PROFILES:
        raise CodeError(f"`{call}`: profile={profile!r} is unknown. Use 'staircase' or 'graceful'.")
    ensure_integers(call, inner=inner, workers=workers, results=results)
    if inner < 2:
        raise CodeError(f"`{call}` needs `inner` to be at least 2: one block needs no code.")
    if results < inner:
        raise CodeError(
            f"`{call}`: fewer than {inner} answers cannot tell {inner} blocks apart, whatever the code. "
            f"Use results={inner} or more, or fewer blocks."
        )
    if results >= 2 * inner - 1:
        raise CodeError(
            f"`{call}`: {2 * inner - 1} answers give the exact product. Use matdot(inner={inner}, workers={workers})."
        )
    if workers < results:
        raise CodeError(
            f"`{call}` cannot be decoded: {results} results are needed and {workers} workers exist. "
            f"Use {results} or more workers, or fewer blocks."
        )


def _rms(candidate: Candidate, sets: Sets, *, noise: float) -> float:
    return float(np.sqrt(np.mean(candidate.errors(sets, noise) ** 2)))


def _tailed(candidate: Candidate, sets: Sets, *, noise: float) -> float:
    """Root mean square, and where sets are only a sample, a quarter of it from the worst: errors have heavy tails."""
    errors = candidate.errors(sets, noise)
    mean = float(np.sqrt(np.mean(errors**2)))
    sampled = comb(candidate.left.shape[1], sets.shape[1]) > len(sets)
    return float(mean**0.75 * errors.max() ** 0.25) if sampled else mean


def _graceful(candidate: Candidate, sets: Sets, *, noise: float, last: int) -> float:
    """Mean logarithm of the error from the first useful number of answers to the last."""
    workers, first = candidate.left.shape[1], sets.shape[1]
    logs = [
        np.log(_rms(candidate, random_sets(workers, results, len(sets), seed=1), noise=noise))
        for results in range(first, last + 1)
    ]
    return float(np.mean(logs))


def _exact_threshold(candidate: Candidate, workers: int, last: int, noise: float, sets: int) -> int:
    """The number of answers that decode to rounding; one more than there are workers where none does.

    Errors fall with every answer, so strides that double from ``last`` on, then halve, find it.
    """

    def missed(results: int) -> bool:
        return _rms(candidate, random_sets(workers, results, sets, seed=3), noise=noise) > 100 * noise

    short, stride = last - 1, 1
    while missed(min(short + stride, workers)):
        if short + stride >= workers:
            return workers + 1
        short, stride = short + stride, 2 * stride
    enough = range(short + 1, min(short + stride, workers) + 1)
    return enough[bisect_left(enough, True, key=lambda results: not missed(results))]
