"""Samples of a product at hand, for decoding weights to be fitted to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import norm

#: Rows of each block, and combinations of its columns, that decoding weights are fitted to.
_SAMPLED_ROWS, _SAMPLED_COLUMNS = 128, 16

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sample:
    """Some entries of the true product, mixed by random signs: what decoding weights can be fitted to.

    Args:
        rows: row numbers within a block, shape (s,).
        signs: entries +1 and -1, shape (width of a block, q).
        goals: the wanted blocks' sampled rows times the signs, shape (s * q, rows * cols).
        unit: size of a random block product's sample, by which rows and goals are divided.
    """

    rows: NDArray[np.intp]
    signs: Array
    goals: Array
    unit: float

    @classmethod
    def draw(
        cls,
        A: Array,
        B: Array,
        grid: tuple[int, int, int],
        rng: Generator,
        *,
        means: tuple[Array, Array] | None = None,
    ) -> "Sample":
        """Sample the product of A (height, depth) and B (depth, width): one pass over B, a few rows of A.

        Args:
            A: left factor.
            B: right factor.
            grid: (rows, inner, cols) of the partition.
            rng: where rows and signs come from.
            means: row means of A (height, 1) and column means of B (1, width): the product of what is left of them is
                sampled instead.
        """
        height, width = -(-A.shape[0] // grid[0]), -(-B.shape[1] // grid[2])
        rows = np.sort(rng.permutation(height)[:_SAMPLED_ROWS])
        signs = (rng.integers(0, 2, (width, min(width, _SAMPLED_COLUMNS))) * 2.0 - 1).astype(A.dtype)
        goals = np.zeros((grid[0], grid[2], len(rows), signs.shape[1]), A.dtype)
        for el in range(grid[2]):
            part = B[:, el * width : (el + 1) * width]
            mixed = part @ signs[: part.shape[1]]
            for i in range(grid[0]):
                there = rows[rows + i * height < A.shape[0]]
                goals[i, el, : len(there)] = A[there + i * height] @ mixed
                if means is not None:
                    middle = means[1][:, el * width : (el + 1) * width] @ signs[: part.shape[1]]
                    goals[i, el, : len(there)] -= A.shape[1] * means[0][there + i * height] @ middle
        blocks = grid[0] * grid[1] * grid[2] * A.shape[1]
        share = len(rows) / height * signs.shape[1]
        unit = _size(A, means and means[0]) * _size(B, means and means[1]) * (share / blocks) ** 0.5
        return cls(rows, signs, goals.reshape(grid[0] * grid[2], -1).T / (unit or 1.0), unit or 1.0)

    def of(self, answer: Array) -> Array:
        """What one answer shows of the sample, shape (s * q,)."""
        shown: Array = (answer[self.rows] @ self.signs).ravel() / self.unit
        return shown

    def suffices(self, answers: int) -> bool:
        """There is much more evidence than there are weights to fit."""
        return len(self.goals) >= 20 * answers


def _size(matrix: Array, means: Array | None) -> float:
    """Frobenius norm of a matrix, less its means along the other axis."""
    whole = norm(matrix)
    if means is None:
        return whole
    rest: float = max(0.0, whole**2 - float(np.linalg.norm(means)) ** 2 * matrix.size / means.size) ** 0.5
    return rest
