"""Weights from those of all answers, corrected for who is missing: the way of tables that come with a frame."""

import numpy as np

from anyk.weights.sets import Sets, complements
from anyk.weights.tables import Solution, Table, Tables

#: A pseudo-inverse applied once leaves about the residual of one rounding of the answers, a second time five times
#: less; a third gains nothing more (measured up to 155 tasks, the contiguous sets included).
_REFINEMENTS = 2


class Correction:
    """Exact decoding, as far as it goes.

    Args:
        tables: whose columns all have one norm.
        full: weights of all answers, shape (P, rows * cols), normalized.
        checks: parity checks, shape (P, P - K), with orthonormal columns that span what no task can tell.
    """

    def __init__(self, tables: Tables, full: Table, checks: Table) -> None:
        self._tables, self._full, self._checks = tables, full, checks

    def solve(self, sets: Sets) -> Solution:
        """Weights of survivor sets of one size, shape (S, k)."""
        checks, full, scale = self._checks, self._full, self._tables.scale
        missing = complements(sets, len(full))
        # N_E c = -d_E, least squares of least norm; what stays unsolved are answers that would still be needed
        system, unsolved = checks[missing], full[missing]
        inverse = np.linalg.pinv(system, rcond=1e-14)
        correction = np.zeros((len(sets), checks.shape[1], full.shape[1]))
        for _ in range(_REFINEMENTS):
            correction -= inverse @ unsolved
            unsolved = full[missing] + system @ correction
        weights = full[sets] + checks[sets] @ correction
        residual = np.linalg.norm(self._tables.combined(missing, unsolved), axis=(1, 2))
        return Solution(weights, residual / scale, np.linalg.norm(weights, axis=(1, 2)) / scale)
