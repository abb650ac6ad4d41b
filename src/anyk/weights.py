r"""Decoding weights of survivor sets and the error they lead to, one set or thousands at a time.

With the tables' columns normalized, column w of M is left_w (x) right_w, flattened, of unit length, and T holds the
wanted combinations C_il = sum_j A_ij B_jl. If every answer carries a relative error of lambda, the expected relative
Frobenius error of the product, on random matrices, from the answers S with weights d is

    sqrt((|M_S d - T|^2 + lambda^2 |d|^2) / (rows inner cols)).

Ridge weights are the d that minimize it. Two ways lead there:

*Correction.* Where the tables come with a frame (trigonometric codes), the weights of all P answers are known in closed
form and S misses the set E: d = d_all + N c with N the parity checks and N_E c = -d_all,E. That is a system of the size
of E. It is exact wherever S decodes exactly, below the threshold too.

*Least squares.* Otherwise M = Q R once, and [R_S; lambda I] d = [Q^H T; 0] by Householder QR for each set: in extended
precision for small systems, in float64 for large ones. Never by normal equations.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, DTypeLike, NDArray

from anyk.errors import InputError

Table = NDArray[Any]
Sets = NDArray[np.intp]

#: Relative error of one returned product, in machine epsilons of its dtype (measured 0.4 to 2.3 on sizes 120 to 480).
PRODUCT_ERROR_EPSILONS = 1.5

#: Expected errors below this come from an exact decoding and cannot gain from weighing noise against residual.
_CLEARLY_EXACT = 1e-6

#: A pseudo-inverse applied once leaves about the residual of one rounding of the answers, a second time five times
#: less; a third gains nothing more (measured up to 155 tasks, the contiguous sets included).
_REFINEMENTS = 2

#: Systems up to this many multiplications are solved in extended precision.
_EXTENDED_WORK = 2e5

#: Weight of what the tables promise beside samples of the product itself; anything from 0.03 to 0.3 does alike.
_TABLES_SHARE = 0.3

#: Combinations of normalized tables this small are zero.
_VANISHING = 1e-13

#: Batches are cut so that one batch holds at most this many numbers.
_BATCH_NUMBERS = 4e6

_EPSILONS = {"bfloat16": 2.0**-7}


def product_error(dtype: DTypeLike) -> float:
    """Lambda: the relative error to expect of one returned product computed in this dtype.

    Args:
        dtype: a floating or complex dtype, or the name ``"bfloat16"``; integers count as float64.

    >>> round(product_error("float32") * 1e7, 2)
    1.79
    """
    if isinstance(dtype, str) and dtype in _EPSILONS:
        return PRODUCT_ERROR_EPSILONS * _EPSILONS[dtype]
    try:
        given = np.dtype(dtype)
    except TypeError as problem:
        raise InputError(
            f"dtype={dtype!r} is not a floating dtype. Use 'float64', 'float32', 'float16' or 'bfloat16'."
        ) from problem
    return PRODUCT_ERROR_EPSILONS * float(np.finfo(given if given.kind in "fc" else np.float64).eps)


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights of a batch of survivor sets, in units of normalized tables.

    Args:
        weights: shape (S, k, rows * cols).
        residual: |M_S d - T| / sqrt(rows inner cols), shape (S,): the error without any rounding.
        amplification: |d| / sqrt(rows inner cols), shape (S,): relative error out per relative error in.
    """

    weights: Table
    residual: NDArray[np.float64]
    amplification: NDArray[np.float64]

    def error(self, noise: float) -> NDArray[np.float64]:
        """Expected relative error of each set when answers carry a relative error of ``noise``."""
        return np.hypot(self.residual, noise * self.amplification)


class System:
    """One code's tables, prepared to be asked about survivor sets.

    Args:
        left: encoding table of A, shape (rows, inner, P).
        right: encoding table of B, shape (inner, cols, P).
        frame: (generator (P, K), parity checks (P, P - K)) with orthonormal columns that span what all answers can tell
            and its complement, for tables whose columns all have one norm; or None.
    """

    def __init__(self, left: Table, right: Table, frame: tuple[Table, Table] | None = None) -> None:
        self._left, self._right, self._frame = left, right, frame
        rows, inner, cols = left.shape[0], left.shape[1], right.shape[1]
        self._scale = float(np.sqrt(rows * inner * cols))
        norms = np.linalg.norm(left, axis=(0, 1)) * np.linalg.norm(right, axis=(0, 1))
        #: Norm of each task's tables: answers divided by it have the weights of this system (1 for useless tasks).
        self.norms = np.where(norms > 0, norms, 1.0)

    def solve(self, sets: ArrayLike, noise: float) -> Solution:
        """Ridge weights of survivor sets of one size.

        Args:
            sets: task numbers, shape (S, k).
            noise: relative error of one answer (lambda), positive.
        """
        survivors = np.atleast_2d(np.asarray(sets, dtype=np.intp))
        if self._frame is None:
            return self._least_squares(survivors, noise)
        exact = self._corrected(survivors)
        doubtful = exact.error(noise) > _CLEARLY_EXACT
        return self._better(exact, survivors, doubtful, noise) if doubtful.any() else exact

    def fitted(self, tasks: Sets, noise: float, rows: Table, goals: Table) -> Table:
        """Weights of one survivor set that also fit what is known of this very product.

        The tables say what to expect of random matrices; ``rows`` and ``goals`` are samples of the product at hand. The
        samples weigh more: the tables' part keeps the weights sane where the samples do not tell.

        Args:
            tasks: shape (k,).
            noise: relative error of one answer.
            rows: what each answer shows of the samples, shape (e, k), e at least k; in units of random block products.
            goals: what the wanted blocks show of them, shape (e, rows * cols).

        Returns:
            Shape (k, rows * cols), in units of normalized tables.
        """
        triangle, target, _ = self._triangle
        parts = [_TABLES_SHARE * triangle[:, tasks], noise * np.eye(len(tasks)), rows]
        wanted = [_TABLES_SHARE * target, np.zeros((len(tasks), target.shape[1])), goals]
        matrix, goal = (np.concatenate(each).astype(triangle.dtype)[None] for each in (parts, wanted))
        fitted: Table = _rounded(_householder(matrix, goal))[0]
        return fitted

    def exact_error(self, survivors: Sets, noise: float) -> float:
        """Expected error of one set when decoded exactly, as far as it can be: cheap where the tables have a frame."""
        sets = np.atleast_2d(survivors)
        solution = self._least_squares(sets, noise) if self._frame is None else self._corrected(sets)
        return float(solution.error(noise)[0])

    def errors(self, sets: Sets, noise: float) -> NDArray[np.float64]:
        """Expected relative error of many survivor sets, shape (S, k), in batches that fit in memory; shape (S,)."""
        equations = min(len(self._target), self._left.shape[2]) + sets.shape[1]
        step = max(1, int(_BATCH_NUMBERS // (equations * max(1, sets.shape[1]))))
        return np.concatenate(
            [self.solve(sets[at : at + step], noise).error(noise) for at in range(0, len(sets), step)]
        )

    def parity_checks(self, tasks: Sets, threshold: int) -> tuple[Table, NDArray[np.float64]]:
        """Combinations of answers that vanish whatever A and B are.

        Args:
            tasks: who answered, shape (k,).
            threshold: K; beyond k - K, only combinations that vanish to rounding count (tables that repeat themselves).

        Returns:
            Orthonormal columns h, shape (k, c), with M_S h = 0, in units of normalized tables; and what is left of |M_S
            h|, shape (c,), which is not rounding where the code is approximate.
        """
        if self._frame is not None:
            missing = np.delete(self._frame[1], tasks, axis=0)
            # N c vanishes on the missing tasks for every c orthogonal to their rows, and keeps its length elsewhere
            free = np.linalg.qr(missing.T, mode="complete")[0][:, len(missing) :]
            return self._frame[1][tasks] @ free, np.zeros(free.shape[1])
        _, sizes, vectors = np.linalg.svd(_rounded(self._triangle[0])[:, tasks])
        leaks = np.concatenate([sizes, np.zeros(len(tasks) - len(sizes))])
        count = max(len(tasks) - threshold, int((leaks <= _VANISHING).sum()))
        return vectors.conj().T[:, len(tasks) - count :], leaks[len(tasks) - count :]

    # --- correction of the weights of all answers ---------------------------------------------------------------------

    @cached_property
    def _weights_of_all(self) -> Table:
        """Discrete projection: sum_j left right / P is orthogonal to all junk; shape (P, rows * cols), normalized."""
        inner, count = self._left.shape[1], self._left.shape[2]
        # T_n(theta)_j^2 summed over j is n at every angle, so sum_j left_ij right_jl / n is the wanted pair of outer
        # functions
        wanted: Table = np.einsum("ijw,jlw->wil", self._left, self._right) / inner
        scale: Table = self.norms / count
        return wanted.reshape(count, -1) * scale[:, None]

    def _corrected(self, sets: Sets) -> Solution:
        assert self._frame is not None
        checks, full = self._frame[1], self._weights_of_all
        missing = _complements(sets, len(full))
        # N_E c = -d_E, least squares of least norm; what stays unsolved are answers that would still be needed
        system, unsolved = checks[missing], full[missing]
        inverse = np.linalg.pinv(system, rcond=1e-14)
        correction = np.zeros((len(sets), checks.shape[1], full.shape[1]))
        for _ in range(_REFINEMENTS):
            correction -= inverse @ unsolved
            unsolved = full[missing] + system @ correction
        weights = full[sets] + checks[sets] @ correction
        residual = np.linalg.norm(self._combined(missing, unsolved), axis=(1, 2))
        return Solution(weights, residual / self._scale, np.linalg.norm(weights, axis=(1, 2)) / self._scale)

    def _combined(self, tasks: Sets, weights: Table) -> Table:
        """M_E u for weights u (S, |E|, c) on the tasks E (S, |E|) of each set; shape (S, c, rows of M)."""
        left = np.moveaxis(self._left.reshape(-1, self._left.shape[2])[:, tasks], 0, 1)
        right = np.moveaxis((self._right / self.norms).reshape(-1, self._right.shape[2])[:, tasks], 0, 1)
        # sum_w u_w left_w (x) right_w, one product of small matrices per set and column of weights
        sums = (left[:, None] * weights.swapaxes(1, 2)[:, :, None]) @ right[:, None].swapaxes(2, 3)
        return sums.reshape(*sums.shape[:2], -1)

    def misfit(self) -> float:
        """How far the tables are from what their frame promises, in units of rounding: below 1 for good ones.

        Promised are M d_all = T, and that no task can tell the parity checks, M N = 0; both are asked of one random
        combination.
        """
        assert self._frame is not None
        draw, everyone, checks = np.random.default_rng(0), np.arange(self._left.shape[2])[None], self._frame[1]
        mixed = draw.standard_normal((self._target.shape[1], 1)) / self._scale
        junk = draw.standard_normal((checks.shape[1], 1)) / max(1, checks.shape[1]) ** 0.5
        wrong = self._combined(everyone, (self._weights_of_all @ mixed)[None])[0, 0] - self._target @ mixed[:, 0]
        told = self._combined(everyone, (checks @ junk)[None])
        rounding = np.finfo(np.float64).eps * np.sqrt(self._left.shape[2])
        return float(np.hypot(np.linalg.norm(wrong), np.linalg.norm(told)) / rounding)

    def _better(self, exact: Solution, sets: Sets, doubtful: NDArray[np.bool_], noise: float) -> Solution:
        """Where exact decoding is noisy or impossible, take the ridge weights if they are expected to do better."""
        ridge = self._least_squares(sets[doubtful], noise)
        gains = ridge.error(noise) < exact.error(noise)[doubtful]
        chosen = np.flatnonzero(doubtful)[gains]
        for mine, other in zip(
            (exact.weights, exact.residual, exact.amplification),
            (ridge.weights, ridge.residual, ridge.amplification),
            strict=True,
        ):
            mine[chosen] = other[gains]
        return exact

    # --- least squares ------------------------------------------------------------------------------------------------

    @cached_property
    def _columns(self) -> Table:
        """M in extended precision: row (i, j, j', l), column w, unit columns."""
        wide = np.result_type(self._left, self._right, np.longdouble)
        products: Table = np.einsum("ijw,klw->ijklw", self._left.astype(wide), self._right.astype(wide))
        return products.reshape(-1, self._left.shape[2]) / np.where(self.norms > 0, self.norms, 1)

    @cached_property
    def _target(self) -> Table:
        rows, inner, cols = self._left.shape[0], self._left.shape[1], self._right.shape[1]
        target: Table = np.einsum("ir,jk,lc->ijklrc", np.eye(rows), np.eye(inner), np.eye(cols))
        return target.reshape(-1, rows * cols)

    @cached_property
    def _triangle(self) -> tuple[Table, Table, float]:
        """M = Q R and Q^H T, with the part of T that no weights reach: P equations say what all of M's rows say."""
        columns, target = self._columns, self._target.astype(self._columns.dtype)
        if len(columns) <= columns.shape[1]:
            return columns, target, 0.0
        if columns.size * (columns.shape[1] + target.shape[1]) <= 10 * _EXTENDED_WORK:
            matrix, goal = columns[None].copy(), target[None].copy()
            _triangulate(matrix, goal)
            count = columns.shape[1]
            rest = np.linalg.norm(goal[0, count:].astype(np.complex128))
            return np.triu(matrix[0, :count]), goal[0, :count], float(rest)
        q, r = np.linalg.qr(_rounded(columns))
        reached = q.conj().T @ self._target
        return r, reached, float(np.linalg.norm(self._target - q @ reached))

    def _least_squares(self, sets: Sets, noise: float) -> Solution:
        triangle, target, rest = self._triangle
        small = triangle.shape[0] * sets.shape[1] * (sets.shape[1] + target.shape[1]) <= _EXTENDED_WORK
        columns = np.moveaxis((triangle if small else _rounded(triangle))[:, sets], 0, 1)
        matrix, goal = _stacked(columns, target, noise)
        weights = (_householder if small else _lapack)(matrix, goal)
        residual = np.linalg.norm(_rounded(columns @ weights - target), axis=(1, 2))
        weights = _rounded(weights)
        amplification = np.linalg.norm(weights, axis=(1, 2))
        return Solution(weights, np.hypot(residual, rest) / self._scale, amplification / self._scale)


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


def _complements(sets: Sets, count: int) -> Sets:
    """What each survivor set misses; shape (S, P - k)."""
    missing = np.ones((len(sets), count), dtype=bool)
    np.put_along_axis(missing, sets, False, axis=1)
    return np.nonzero(missing)[1].reshape(len(sets), count - sets.shape[1])


def _stacked(columns: Table, target: Table, noise: float) -> tuple[Table, Table]:
    """[M_S; noise I] and [T; 0] for every set, writable and in the precision of the columns."""
    count, equations, unknowns = columns.shape
    matrix = np.zeros((count, equations + unknowns, unknowns), columns.dtype)
    goal = np.zeros((count, equations + unknowns, target.shape[1]), columns.dtype)
    matrix[:, :equations], goal[:, :equations] = columns, target
    matrix[:, equations + np.arange(unknowns), np.arange(unknowns)] = noise
    return matrix, goal


def _lapack(matrix: Table, goal: Table) -> Table:
    q, r = np.linalg.qr(matrix)
    return np.linalg.solve(r, q.conj().swapaxes(1, 2) @ goal)


def _rounded(table: Table) -> Table:
    """In double precision."""
    return table.astype(np.complex128 if np.iscomplexobj(table) else np.float64)


def _triangulate(matrix: Table, goal: Table) -> None:
    """Make every matrix of a batch upper triangular by Householder reflections, in place, in its own precision."""
    for at in range(matrix.shape[2]):
        for work in _reflections(matrix[:, at:, at].copy()):
            _reflect(matrix[:, at:, at:], work)
            _reflect(goal[:, at:], work)


def _householder(matrix: Table, goal: Table) -> Table:
    """Least squares for every matrix of a batch; both arguments are used up."""
    _triangulate(matrix, goal)
    unknowns = matrix.shape[2]
    solution = goal[:, :unknowns].copy()
    for at in reversed(range(unknowns)):
        solution[:, at] /= matrix[:, at, at, None]
        solution[:, :at] -= matrix[:, :at, at, None] * solution[:, at, None, :]
    return solution


def _reflections(column: Table) -> Iterator[Table]:
    """The unit vector whose reflection sends a column to a multiple of the first axis (none for a zero column)."""
    norm = np.sqrt((column.real**2 + column.imag**2).sum(axis=1))
    phase = np.where(column[:, 0] == 0, 1, column[:, 0] / np.where(column[:, 0] == 0, 1, abs(column[:, 0])))
    column[:, 0] += phase * norm
    length = np.sqrt((column.real**2 + column.imag**2).sum(axis=1))
    if (length > 0).any():
        yield column / np.where(length > 0, length, 1)[:, None]


def _reflect(part: Table, axis: Table) -> None:
    part -= 2 * axis[:, :, None] * np.einsum("sq,sqk->sk", axis.conj(), part)[:, None, :]
