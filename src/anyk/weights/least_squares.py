"""Ridge weights by least squares: M = Q R once, then a small system for each survivor set."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anyk.weights.householder import householder, triangulate
from anyk.weights.sets import Sets
from anyk.weights.tables import Solution, Table, Tables, rounded

#: Systems up to this many multiplications are solved in extended precision.
_EXTENDED_WORK = 2e5

#: Weight of what the tables promise beside samples of the product itself; anything from 0.03 to 0.3 does alike.
_TABLES_SHARE = 0.3

#: Combinations of normalized tables this small are zero.
_VANISHING = 1e-13


class LeastSquares:
    """Ridge weights of any tables.

    Args:
        tables: of the code.
        fewer: a way to fewer equations that say the same, in double precision, for tables that are large.
    """

    def __init__(self, tables: Tables, fewer: Callable[[], tuple[Table, Table]] | None = None) -> None:
        self._tables, self._fewer = tables, fewer

    @cached_property
    def _triangle(self) -> tuple[Table, Table, float]:
        """M = Q R and Q^H T, with the part of T that no weights reach: few equations say what all of M's rows say.

        P of them, or K where a frame gives them; R is then no triangle.
        """
        (equations, wanted), count = self._tables.target.shape, len(self._tables.norms)
        large = equations * count * (count + wanted) > 10 * _EXTENDED_WORK
        if self._fewer is not None and large and equations > count:
            return *self._fewer(), 0.0
        columns = self._tables.columns
        target = self._tables.target.astype(columns.dtype)
        if equations <= count:
            return columns, target, 0.0
        if not large:
            matrix, goal = columns[None].copy(), target[None].copy()
            triangulate(matrix, goal)
            rest = np.linalg.norm(goal[0, count:].astype(np.complex128))
            return np.triu(matrix[0, :count]), goal[0, :count], float(rest)
        q, r = np.linalg.qr(rounded(columns))
        reached = q.conj().T @ self._tables.target
        return r, reached, float(np.linalg.norm(self._tables.target - q @ reached))

    def solve(self, sets: Sets, noise: float) -> Solution:
        """Ridge weights of survivor sets of one size, shape (S, k), at this relative error of one answer."""
        triangle, target, rest = self._triangle
        small = triangle.shape[0] * sets.shape[1] * (sets.shape[1] + target.shape[1]) <= _EXTENDED_WORK
        columns = np.moveaxis((triangle if small else rounded(triangle))[:, sets], 0, 1)
        if small:
            weights = householder(*_stacked(columns, target, noise))
        elif columns.shape[2] > columns.shape[1]:
            weights = _by_values(columns, rounded(target), noise)
        else:
            weights = _lapack(*_stacked(columns, target, noise))
        residual = np.linalg.norm(rounded(columns @ weights - target), axis=(1, 2))
        weights = rounded(weights)
        amplification = np.linalg.norm(weights, axis=(1, 2))
        scale = self._tables.scale
        return Solution(weights, np.hypot(residual, rest) / scale, amplification / scale)

    def fitted(self, tasks: Sets, noise: float, rows: Table, goals: Table) -> Table:
        """Weights of one survivor set that also fit samples of a product; see `anyk.weights.System.fitted`."""
        triangle, target, _ = self._triangle
        parts = [_TABLES_SHARE * triangle[:, tasks], noise * np.eye(len(tasks)), rows]
        wanted = [_TABLES_SHARE * target, np.zeros((len(tasks), target.shape[1])), goals]
        matrix, goal = (np.concatenate(each).astype(triangle.dtype)[None] for each in (parts, wanted))
        fitted: Table = rounded(householder(matrix, goal))[0]
        return fitted

    def parity_checks(self, tasks: Sets, least: int) -> tuple[Table, NDArray[np.float64]]:
        """Combinations of these tasks' answers that vanish nearly: ``least`` of them, or all that vanish to rounding.

        Returns:
            Orthonormal columns h, shape (k, c), and |M_S h|, shape (c,).
        """
        _, sizes, vectors = np.linalg.svd(rounded(self._triangle[0])[:, tasks])
        leaks = np.concatenate([sizes, np.zeros(len(tasks) - len(sizes))])
        count = max(least, int((leaks <= _VANISHING).sum()))
        return vectors.conj().T[:, len(tasks) - count :], leaks[len(tasks) - count :]


def _stacked(columns: Table, target: Table, noise: float) -> tuple[Table, Table]:
    """[M_S; noise I] and [T; 0] for every set, writable and in the precision of the columns."""
    count, equations, unknowns = columns.shape
    matrix = np.zeros((count, equations + unknowns, unknowns), columns.dtype)
    goal = np.zeros((count, equations + unknowns, target.shape[1]), columns.dtype)
    matrix[:, :equations], goal[:, :equations] = columns, target
    matrix[:, equations + np.arange(unknowns), np.arange(unknowns)] = noise
    return matrix, goal


def _by_values(columns: Table, target: Table, noise: float) -> Table:
    """More answers than equations: nothing of the size of answers squared, and no rounding shared among the idle."""
    left, values, right = np.linalg.svd(columns, full_matrices=False)
    reached = left.conj().swapaxes(1, 2) @ target
    weights: Table = right.conj().swapaxes(1, 2) @ (reached * (values / (values**2 + noise**2))[:, :, None])
    return weights


def _lapack(matrix: Table, goal: Table) -> Table:
    q, r = np.linalg.qr(matrix)
    return np.linalg.solve(r, q.conj().swapaxes(1, 2) @ goal)
