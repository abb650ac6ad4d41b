"""Exact decoding of tables that come with a frame: through the smaller of its two bases."""

from functools import cached_property

import numpy as np

from anyk.bases import Frame
from anyk.weights.correction import Correction
from anyk.weights.generated import Generated
from anyk.weights.sets import Sets
from anyk.weights.tables import Solution, Table, Tables

#: Up to so many numbers in the parity checks (some 250 tasks), what is missing is corrected for by them: beside each
#: other the two ways differ in time only, and this one has nothing to solve where nothing is missing.
_FEW_NUMBERS = 2**16

#: Of a table with a row and a column for each task, about so many numbers are held at once.
_HELD_NUMBERS = 2**20


class Framed:
    """Exact decoding, as far as it goes.

    Args:
        tables: whose columns all have one norm.
        frame: of their angles.
    """

    def __init__(self, tables: Tables, frame: Frame) -> None:
        self._tables, self._frame = tables, frame

    @cached_property
    def full(self) -> Table:
        """Discrete projection: sum_j left right / P is orthogonal to all junk; shape (P, rows * cols), normalized."""
        left, right = self._tables.left, self._tables.right
        inner, count = left.shape[1], left.shape[2]
        # T_n(theta)_j^2 summed over j is n at every angle, so sum_j left_ij right_jl / n is the wanted pair of outer
        # functions
        wanted: Table = np.einsum("ijw,jlw->wil", left, right) / inner
        scale: Table = self._tables.norms / count
        return wanted.reshape(count, -1) * scale[:, None]

    @cached_property
    def told(self) -> Table:
        """Root of (M G)^T (M G), shape (K, K): |told x| = |M G x| is how far off M d is where G^T d is off by x.

        M^T M is an entrywise product of two small Gram matrices, so that nobody forms the rows of M. Taking the root
        costs no digits that count: the singular values of M G lie within sqrt(inner) of each other.
        """
        left = self._tables.left.reshape(-1, self._tables.left.shape[2])
        right = (self._tables.right / self._tables.norms).reshape(-1, left.shape[1])
        generator = self._frame.generator
        gram = np.zeros((generator.shape[1],) * 2)
        for at in range(0, len(generator), step := max(1, _HELD_NUMBERS // len(generator))):
            some = slice(at, at + step)
            gram += generator[some].T @ (((left[:, some].T @ left) * (right[:, some].T @ right)) @ generator)
        values, vectors = np.linalg.eigh(gram)
        root: Table = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        return root

    def equations(self) -> tuple[Table, Table]:
        """M d = T in K equations, M G (G^T d) = M G (G^T d_all): shapes (K, P) and (K, rows * cols)."""
        generator = self._frame.generator
        return self.told @ generator.T, self.told @ (generator.T @ self.full)

    @cached_property
    def _way(self) -> Correction | Generated:
        count, told = len(self._frame.positions), self._frame.threshold
        if count - told <= told or count * (count - told) <= _FEW_NUMBERS:
            return Correction(self._tables, self.full, self._frame.checks)
        return Generated(self._tables.scale, self.full, self._frame.generator, self.told)

    def solve(self, sets: Sets) -> Solution:
        """Weights of survivor sets of one size, shape (S, k)."""
        return self._way.solve(sets)

    def parity_checks(self, tasks: Sets) -> Table:
        """Combinations of these tasks' answers, shape (k,), that vanish whatever A and B are: shape (k, c)."""
        missing = np.delete(self._frame.checks, tasks, axis=0)
        # N c vanishes on the missing tasks for every c orthogonal to their rows, and keeps its length elsewhere
        free = np.linalg.qr(missing.T, mode="complete")[0][:, len(missing) :]
        vanishing: Table = self._frame.checks[tasks] @ free
        return vanishing

    def misfit(self) -> float:
        """How far the tables are from what their frame promises, in units of rounding: below 1 for good ones.

        Promised are M d_all = T, and that no task can tell what the generator does not span, M (1 - G G^T) = 0; both
        are asked of one random combination.
        """
        tables, generator = self._tables, self._frame.generator
        count, draw = len(generator), np.random.default_rng(0)
        everyone = np.arange(count)[None]
        mixed = draw.standard_normal((tables.target.shape[1], 1)) / tables.scale
        junk = draw.standard_normal((count, 1)) / max(1, count - generator.shape[1]) ** 0.5
        junk = junk - generator @ (generator.T @ junk)
        wrong = tables.combined(everyone, (self.full @ mixed)[None])[0, 0] - tables.target @ mixed[:, 0]
        told = tables.combined(everyone, junk[None])
        rounding = np.finfo(np.float64).eps * np.sqrt(count)
        return float(np.hypot(np.linalg.norm(wrong), np.linalg.norm(told)) / rounding)
