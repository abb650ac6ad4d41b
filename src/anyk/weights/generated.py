"""Weights from those of all answers, corrected through the generator: the way of frames with far more tasks than K."""

from functools import cached_property

import numpy as np

from anyk.weights.sets import Sets
from anyk.weights.tables import Solution, Table, Tables

#: A second application of the pseudo-inverse takes out what the rounding of the first left.
_REFINEMENTS = 2


class Generated:
    """The same weights as `anyk.weights.correction.Correction`, from a system of K equations for each set.

    Answers can tell K combinations, the columns of G. Weights d decode exactly where G^T d is what the weights of all
    answers have it be; of those d the shortest is taken. Nothing here is larger than P x K.

    Args:
        tables: whose columns all have one norm.
        full: weights of all answers, shape (P, rows * cols), normalized.
        generator: shape (P, K), orthonormal columns that span what the tasks can tell.
    """

    def __init__(self, tables: Tables, full: Table, generator: Table) -> None:
        self._tables, self._full, self._generator = tables, full, generator

    @cached_property
    def _told(self) -> Table:
        """M G, shape (rows of M, K): how much of what M holds a combination of answers is off by, for G^T d - goal."""
        left, right = self._tables.left, self._tables.right / self._tables.norms
        flat = right.reshape(-1, right.shape[2])
        return np.concatenate([(flat * row) @ self._generator for row in left.reshape(-1, left.shape[2])])

    def solve(self, sets: Sets) -> Solution:
        """Weights of survivor sets of one size, shape (S, k)."""
        generator, full, scale = self._generator, self._full, self._tables.scale
        system = generator[sets].swapaxes(1, 2)
        inverse = np.linalg.pinv(system, rcond=1e-14)
        weights, goal = full[sets], generator.T @ full
        for _ in range(_REFINEMENTS):
            weights = weights + inverse @ (goal - system @ weights)
        residual = np.linalg.norm(self._told @ (system @ weights - goal), axis=(1, 2))
        return Solution(weights, residual / scale, np.linalg.norm(weights, axis=(1, 2)) / scale)
