"""Weights from those of all answers, corrected through the generator: the way of frames with far more tasks than K."""

import numpy as np

from anyk.weights.sets import Sets
from anyk.weights.tables import Solution, Table

#: A second application of the pseudo-inverse takes out what the rounding of the first left.
_REFINEMENTS = 2


class Generated:
    """The same weights as `anyk.weights.correction.Correction`, from a system of K equations for each set.

    Answers can tell K combinations, the columns of G. Weights d decode exactly where G^T d is what the weights of all
    answers have it be; of those d the shortest is taken. Nothing here is larger than P x K.

    Args:
        scale: norm of the target.
        full: weights of all answers, shape (P, rows * cols), normalized.
        generator: shape (P, K), orthonormal columns that span what the tasks can tell.
        told: shape (K, K); see `anyk.weights.framed.Framed.told`.
    """

    def __init__(self, scale: float, full: Table, generator: Table, told: Table) -> None:
        self._scale, self._full, self._generator, self._told = scale, full, generator, told

    def solve(self, sets: Sets) -> Solution:
        """Weights of survivor sets of one size, shape (S, k)."""
        generator, full, scale = self._generator, self._full, self._scale
        system = generator[sets].swapaxes(1, 2)
        inverse = np.linalg.pinv(system, rcond=1e-14)
        weights, goal = full[sets], generator.T @ full
        for _ in range(_REFINEMENTS):
            weights = weights + inverse @ (goal - system @ weights)
        residual = np.linalg.norm(self._told @ (system @ weights - goal), axis=(1, 2))
        return Solution(weights, residual / scale, np.linalg.norm(weights, axis=(1, 2)) / scale)
