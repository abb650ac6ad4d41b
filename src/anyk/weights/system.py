"""One code's tables, prepared to be asked about survivor sets."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anyk.bases import Frame
from anyk.weights.framed import Framed
from anyk.weights.least_squares import LeastSquares
from anyk.weights.sets import Sets
from anyk.weights.tables import Solution, Table, Tables

#: Expected errors below this come from an exact decoding and cannot gain from weighing noise against residual.
_CLEARLY_EXACT = 1e-6

#: Batches are cut so that one batch holds at most this many numbers.
_BATCH_NUMBERS = 4e6


class System:
    """One code's tables, prepared to be asked about survivor sets.

    Args:
        left: encoding table of A, shape (rows, inner, P).
        right: encoding table of B, shape (inner, cols, P).
        frame: of the angles, for tables whose columns all have one norm and that are trigonometric there; or None.
    """

    def __init__(self, left: Table, right: Table, frame: Frame | None = None) -> None:
        self._tables = Tables(left, right)
        self._exact = None if frame is None else Framed(self._tables, frame)
        self._ridge = LeastSquares(self._tables, None if self._exact is None else self._exact.equations)
        #: Norm of each task's tables: answers divided by it have the weights of this system (1 for useless tasks).
        self.norms = self._tables.norms

    def solve(self, sets: ArrayLike, noise: float) -> Solution:
        """Ridge weights of survivor sets of one size.

        Args:
            sets: task numbers, shape (S, k).
            noise: relative error of one answer (lambda), positive.
        """
        survivors = np.atleast_2d(np.asarray(sets, dtype=np.intp))
        if self._exact is None:
            return self._ridge.solve(survivors, noise)
        exact = self._exact.solve(survivors)
        doubtful = exact.error(noise) > _CLEARLY_EXACT
        return self._better(exact, survivors, doubtful, noise) if doubtful.any() else exact

    def _better(self, exact: Solution, sets: Sets, doubtful: NDArray[np.bool_], noise: float) -> Solution:
        """Where exact decoding is noisy or impossible, take the ridge weights if they are expected to do better."""
        ridge = self._ridge.solve(sets[doubtful], noise)
        gains = ridge.error(noise) < exact.error(noise)[doubtful]
        chosen = np.flatnonzero(doubtful)[gains]
        for mine, other in zip(
            (exact.weights, exact.residual, exact.amplification),
            (ridge.weights, ridge.residual, ridge.amplification),
            strict=True,
        ):
            mine[chosen] = other[gains]
        return exact

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
        return self._ridge.fitted(tasks, noise, rows, goals)

    def exact_error(self, survivors: Sets, noise: float) -> float:
        """Expected error of one set when decoded exactly, as far as it can be: cheap where the tables have a frame."""
        sets = np.atleast_2d(survivors)
        solution = self._ridge.solve(sets, noise) if self._exact is None else self._exact.solve(sets)
        return float(solution.error(noise)[0])

    def errors(self, sets: Sets, noise: float) -> NDArray[np.float64]:
        """Expected relative error of many survivor sets, shape (S, k), in batches that fit in memory; shape (S,)."""
        equations = min(len(self._tables.target), len(self.norms)) + sets.shape[1]
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
        if self._exact is None:
            return self._ridge.parity_checks(tasks, len(tasks) - threshold)
        vanishing = self._exact.parity_checks(tasks)
        return vanishing, np.zeros(vanishing.shape[1])

    def misfit(self) -> float:
        """How far the tables are from what their frame promises; see `anyk.weights.framed.Framed.misfit`."""
        assert self._exact is not None
        return self._exact.misfit()
