"""One code's tables as the matrix M and the target T of its decoding problem (see `anyk.weights`)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.weights.sets import Sets

Table = NDArray[Any]


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


@dataclass(frozen=True, eq=False)
class Tables:
    """Both encoding tables, and what follows from them.

    Args:
        left: of A, shape (rows, inner, P).
        right: of B, shape (inner, cols, P).
    """

    left: Table
    right: Table

    @cached_property
    def scale(self) -> float:
        """sqrt(rows inner cols): norm of the target."""
        rows, inner, cols = self.left.shape[0], self.left.shape[1], self.right.shape[1]
        return float(np.sqrt(rows * inner * cols))

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """Norm of each task's tables: answers divided by it have the weights of M (1 for useless tasks); shape (P,)."""
        norms = np.linalg.norm(self.left, axis=(0, 1)) * np.linalg.norm(self.right, axis=(0, 1))
        return np.where(norms > 0, norms, 1.0)

    @cached_property
    def columns(self) -> Table:
        """M in extended precision: row (i, j, j', l), column w, unit columns."""
        wide = np.result_type(self.left, self.right, np.longdouble)
        products: Table = np.einsum("ijw,klw->ijklw", self.left.astype(wide), self.right.astype(wide))
        return products.reshape(-1, self.left.shape[2]) / self.norms

    @cached_property
    def target(self) -> Table:
        """T: row (i, j, j', l), column (i, l)."""
        rows, inner, cols = self.left.shape[0], self.left.shape[1], self.right.shape[1]
        target: Table = np.einsum("ir,jk,lc->ijklrc", np.eye(rows), np.eye(inner), np.eye(cols))
        return target.reshape(-1, rows * cols)

    def combined(self, tasks: Sets, weights: Table) -> Table:
        """M_E u for weights u (S, |E|, c) on the tasks E (S, |E|) of each set; shape (S, c, rows of M)."""
        left = np.moveaxis(self.left.reshape(-1, self.left.shape[2])[:, tasks], 0, 1)
        right = np.moveaxis((self.right / self.norms).reshape(-1, self.right.shape[2])[:, tasks], 0, 1)
        # sum_w u_w left_w (x) right_w, one product of small matrices per set and column of weights
        sums = (left[:, None] * weights.swapaxes(1, 2)[:, :, None]) @ right[:, None].swapaxes(2, 3)
        return sums.reshape(*sums.shape[:2], -1)


def rounded(table: Table) -> Table:
    """In double precision."""
    return table.astype(np.complex128 if np.iscomplexobj(table) else np.float64)
