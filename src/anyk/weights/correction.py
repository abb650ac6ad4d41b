"""Weights from those of all answers, corrected for who is missing: the way of tables that come with a frame."""

from functools import cached_property

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
        checks: parity checks, shape (P, P - K), with orthonormal columns that span what no task can tell.
    """

    def __init__(self, tables: Tables, checks: Table) -> None:
        self._tables, self._checks = tables, checks

    @cached_property
    def _weights_of_all(self) -> Table:
        """Discrete projection: sum_j left right / P is orthogonal to all junk; shape (P, rows * cols), normalized."""
        left, right = self._tables.left, self._tables.right
        inner, count = left.shape[1], left.shape[2]
        # T_n(theta)_j^2 summed over j is n at every angle, so sum_j left_ij right_jl / n is the wanted pair of outer
        # functions
        wanted: Table = np.einsum("ijw,jlw->wil", left, right) / inner
        scale: Table = self._tables.norms / count
        return wanted.reshape(count, -1) * scale[:, None]

    def solve(self, sets: Sets) -> Solution:
        """Weights of survivor sets of one size, shape (S, k)."""
        checks, full, scale = self._checks, self._weights_of_all, self._tables.scale
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

    def parity_checks(self, tasks: Sets) -> Table:
        """Combinations of these tasks' answers, shape (k,), that vanish whatever A and B are: shape (k, c)."""
        missing = np.delete(self._checks, tasks, axis=0)
        # N c vanishes on the missing tasks for every c orthogonal to their rows, and keeps its length elsewhere
        free = np.linalg.qr(missing.T, mode="complete")[0][:, len(missing) :]
        vanishing: Table = self._checks[tasks] @ free
        return vanishing

    def misfit(self) -> float:
        """How far the tables are from what their frame promises, in units of rounding: below 1 for good ones.

        Promised are M d_all = T, and that no task can tell the parity checks, M N = 0; both are asked of one random
        combination.
        """
        tables, checks = self._tables, self._checks
        draw, everyone = np.random.default_rng(0), np.arange(tables.left.shape[2])[None]
        mixed = draw.standard_normal((tables.target.shape[1], 1)) / tables.scale
        junk = draw.standard_normal((checks.shape[1], 1)) / max(1, checks.shape[1]) ** 0.5
        wrong = tables.combined(everyone, (self._weights_of_all @ mixed)[None])[0, 0] - tables.target @ mixed[:, 0]
        told = tables.combined(everyone, (checks @ junk)[None])
        rounding = np.finfo(np.float64).eps * np.sqrt(tables.left.shape[2])
        return float(np.hypot(np.linalg.norm(wrong), np.linalg.norm(told)) / rounding)
