"""The verb `discover`: search for a code that loses less than the closed forms."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray
from threadpoolctl import threadpool_limits

from anyk import codes
from anyk.bases import digit_tables
from anyk.code import Code
from anyk.discovery import METHODS, RANDOM, Discovery, Goal, Step, checked, either, search
from anyk.errors import CodeError, InputError
from anyk.partition import Partition

_UNITS = {"s": 1, "m": 60, "h": 3600}


def discover(
    inner: int,
    workers: int,
    results: int,
    *,
    rows: int = 1,
    cols: int = 1,
    dtype: DTypeLike = "float64",
    objective: Literal["rms", "worst"] = "rms",
    method: Literal["newton", "gradient", "alternating"] = "newton",
    start: str | Code = "structured",
    budget: int | str = 600,
    rng: Generator | int | None = None,
    progress: Callable[[Step], None] | None = None,
    resume: Discovery | str | Path | None = None,
) -> Discovery:
    """Search for real encoding tables from which any ``results`` of ``workers`` answers give the product.

    What is minimized is the expected relative error on random matrices, rounding in ``dtype`` included, over survivor
    sets. Ctrl-C ends the search and returns the best code so far.

    Args:
        inner: blocks along the inner dimension; at least 1.
        workers: number of tasks P; at least ``results``.
        results: how many answers must do; at least as many as A, B and C have blocks each.
        rows: block rows of A; at least 1.
        cols: block columns of B; at least 1.
        dtype: the workers' precision: a real floating dtype, or ``"bfloat16"``.
        objective: ``"rms"``: root mean square over survivor sets; ``"worst"``: the worst set.
        method: ``"newton"`` (damped Gauss-Newton steps; at small precisions the only one that moves), ``"gradient"``
            (L-BFGS) or ``"alternating"`` (decoding weights and tables in turn, as published).
        start: ``"structured"``: the closed form for these numbers; ``"random"``; or a real code to improve. When that
            gains nothing more, polished and then shaken, the next rounds begin at random.
        budget: iterations in all (the same seed then gives the same code, bit for bit, on one machine), or a time:
            ``"90s"``, ``"5m"``, ``"1h"``.
        rng: generator or seed; default: fresh randomness. The seed is kept in the result.
        progress: called with an `anyk.discovery.Step` after every iteration.
        resume: an earlier discovery, or its file, to go on from; its seed and start are kept, and a budget in
            iterations counts its own.

    Returns:
        A `Discovery`: the code, its errors on survivor sets that played no part in the search, the history.

    Raises:
        CodeError: numbers that no code can have, or an unknown objective, method or start.
        InputError: an unknown dtype or budget, or an earlier search for something else.

    Reference:
        Jeong, Devulapalli, Cadambe, Calmon, arXiv 2105.01973, alternating minimization.

    >>> found = discover(inner=2, workers=4, results=2, dtype="float32", budget=30, rng=0)
    >>> found.error < 6e-4, found.code.recovery_threshold
    (True, 2)
    """
    goal = checked(Goal(Partition(rows, inner, cols), workers, results, _name(dtype), objective))
    if method not in METHODS:
        raise CodeError(f"discover(method={method!r}) is unknown. Use {either(METHODS)}.")
    after = Discovery.load(resume) if isinstance(resume, str | Path) else resume
    steps, seconds = _budget(budget)
    settings: dict[str, Any] = {"method": method, "budget": steps, "progress": progress}
    # the matrices are small: a second thread costs more than it does, and sums would depend on how many there are
    with threadpool_limits(1, user_api="blas"):
        if after is not None:
            settings |= {"seed": _same(after, goal, method).seed, "after": after}
        else:
            words, tables = starting_tables(goal, start)
            settings |= {"seed": _seed(rng), "start": tables, "words": words}
        ends = None if seconds is None else time.monotonic() + seconds
        return search(goal, is_over=lambda: ends is not None and time.monotonic() >= ends, **settings)


def _name(dtype: DTypeLike) -> str:
    if dtype == "bfloat16":
        return "bfloat16"
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind.kind != "f":
        raise InputError(
            f"discover(dtype={dtype!r}): not a real floating dtype. Use 'float64', 'float32', 'float16' or 'bfloat16'."
        )
    return kind.name


def _seed(rng: Generator | int | None) -> int:
    """The number from which everything random is drawn."""
    if type(rng) is int and rng >= 0:
        return rng
    if rng is None or isinstance(rng, Generator):
        return int(np.random.default_rng(rng).integers(2**32))
    raise InputError(f"discover(rng={rng!r}): use a seed of at least 0, a numpy.random.Generator, or None.")


def _budget(budget: int | str) -> tuple[int | None, float | None]:
    """Iterations, or seconds."""
    if isinstance(budget, int) and not isinstance(budget, bool) and budget >= 0:
        return budget, None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget) if isinstance(budget, str) else None
    if found is None:
        raise InputError(f"discover(budget={budget!r}): use a number of iterations, or a time such as '90s' or '5m'.")
    return None, float(found[1]) * _UNITS[found[2]]


def _same(after: Discovery, goal: Goal, method: str) -> Discovery:
    """A search goes on only for what it was begun."""
    if after.goal != goal or after.method != method:
        raise InputError(
            f"discover(resume=…): that search was for {after.goal.name} by method={after.method!r}, "
            f"not for {goal.name} by method={method!r}."
        )
    return after


def starting_tables(
    goal: Goal, start: str | Code = "structured"
) -> tuple[str, tuple[NDArray[np.float64], NDArray[np.float64]] | None]:
    """Where to begin, in words and tables; None for random ones."""
    if isinstance(start, Code):
        if start.is_complex or (start.partition, start.workers) != (goal.partition, goal.workers):
            raise CodeError(
                f"discover(start=…): {start!r} is no real code of partition {goal.partition} for {goal.workers} workers"
            )
        return start.name, (start.left, start.right)
    if start == "random":
        return RANDOM, None
    if start != "structured":
        raise CodeError(f"discover(start={start!r}) is unknown. Use 'structured', 'random' or a code.")
    cut, closed = goal.partition, _approximate(goal)
    if closed is not None:
        return closed.reference, (closed.left, closed.right)
    left, right, _ = digit_tables(cut.rows, cut.inner, cut.cols, goal.workers, stride=cut.inner, basis="trigonometric")
    return "the trigonometric exact code", (left, right)


def _approximate(goal: Goal) -> Code | None:
    """The closed form in real tables for fewer answers than an exact code needs; None where there is none."""
    cut, workers, results, dtype = goal.partition, goal.workers, goal.results, goal.dtype
    if not cut.products <= results < cut.products + cut.inner - 1:
        return None
    try:
        if cut.wanted == 1:
            return codes.approximate_matdot(cut.inner, workers, results=results, dtype=dtype)
        return codes.approximate_polydot(
            cut.rows, cut.inner, cut.cols, workers, results=results, dtype=dtype, basis="chebyshev"
        )
    except CodeError:  # no better than replication; the exact code may still be a place to begin
        return None
