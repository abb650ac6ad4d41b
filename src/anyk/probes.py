r"""Random probes: the measured error of a product, without computing it again.

For a random sign matrix $\Omega$ with r columns, $A(B\Omega) - \hat{C}\Omega = (AB - \hat{C})\Omega$, and each entry of
$E\Omega$ has the variance of a row norm of E. So its norm estimates that of the error, whatever the error looks like.
Six columns keep it within a factor 2 even if E has rank one: the square of the estimate is then chi-squared with 6
degrees of freedom, outside [1/4, 4] of its mean with probability 0.041; for errors of higher rank it is much closer.
The error is relative to AB, whose norm is that of the product at hand but for the error. The estimate includes the
probes' own rounding: of a product as exact as a plain multiplication it says two to three times too much (measured at
most 3.4), of coded products, which are less exact, mostly less than a tenth.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import norm, times_few

#: Columns of the default probe.
COLUMNS = 6

#: Rows of each block, and combinations of its columns, that decoding weights are fitted to.
_SAMPLED_ROWS, _SAMPLED_COLUMNS = 128, 16

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Probe:
    """Random signs and what the true product makes of them.

    Args:
        signs: Omega transposed, shape (r, width): entries +1 and -1, or the identity where the product is narrower than
            r.
        expected: (A B Omega) transposed, shape (r, height).
    """

    signs: Array
    expected: Array

    @classmethod
    def draw(cls, A: Array, B: Array, rng: Generator, *, columns: int = COLUMNS) -> "Probe":
        """Probe the product of A (height, depth) and B (depth, width): one pass over each.

        Args:
            A: left factor.
            B: right factor, of the same working dtype.
            rng: where the signs come from.
            columns: number of probes r; products narrower than that are probed by the identity, that is: fully.
        """
        width, dtype = B.shape[1], np.result_type(A, B)
        signs = np.eye(width) if width <= columns else rng.integers(0, 2, (columns, width)) * 2.0 - 1
        signs = signs.astype(dtype)
        return cls(signs, times_few(A, times_few(B, signs.T)).T)

    def of_rows(self, rows: slice) -> "Probe":
        """The probe of some rows of the product."""
        return Probe(self.signs, self.expected[:, rows])

    @property
    def size(self) -> float:
        """Estimated Frobenius norm of the product, times the square root of the number of columns r."""
        return _norm(self.expected)

    def error(self, product: Array) -> float:
        """Estimated relative Frobenius error of a product, shape (height, width); NaN or inf if it holds such values.

        The estimate is relative to the true product; a product that should vanish and does has error 0.
        """
        return _relative(self.expected - times_few(product, self.signs.T).T, self.expected, product, self.signs)


@dataclass(frozen=True, eq=False)
class Sketch:
    """Random signs for the products of one matrix that stays: measured again and again without touching the matrix.

    Args:
        signs: Psi, shape (r, height): entries +1 and -1.
        image: Psi A, shape (r, depth).
    """

    signs: Array
    image: Array

    @classmethod
    def draw(cls, A: Array, rng: Generator, *, columns: int = COLUMNS) -> "Sketch":
        """Sketch A, shape (height, depth): one pass over it."""
        signs = (rng.integers(0, 2, (columns, A.shape[0])) * 2.0 - 1).astype(A.dtype)
        return cls(signs, signs @ A)

    def of(self, B: Array) -> "SketchedProduct":
        """What the true product A B looks like through the signs; B has shape (depth, width)."""
        return SketchedProduct(self.signs, times_few(B.T, self.image.T).T)


@dataclass(frozen=True, eq=False)
class SketchedProduct:
    """A gauge for one product of a sketched matrix.

    Args:
        signs: Psi, shape (r, height).
        expected: Psi A B, shape (r, width).
    """

    signs: Array
    expected: Array

    def error(self, product: Array) -> float:
        """Estimated relative Frobenius error of a product, shape (height, width); see `Probe.error`.

        A single narrow product is measured by r numbers only: the estimate is then within a factor 2 of the truth in 96
        % of cases for each column, and better for wider products.
        """
        return _relative(self.expected - times_few(product.T, self.signs.T).T, self.expected, product, self.signs)


def _relative(difference: Array, expected: Array, product: Array, signs: Array) -> float:
    # What one unit of error adds to its image: r signs, or the identity's single one.
    gain = float(np.sqrt(np.square(signs.real).sum(dtype=np.float64) / signs.shape[1]))
    error, formed = _norm(difference) / gain, _norm(product)
    # Of a product of low rank the probes may see too much or too little; its own norm is right to within the error.
    size = min(max(_norm(expected) / gain, formed - error), formed + error)
    return error / size if size else error


def _norm(array: Array) -> float:
    """Frobenius norm, also where squares of the entries overflow or underflow."""
    limits = np.finfo(array.dtype)
    with np.errstate(over="ignore"):
        plain = norm(array)
    if np.sqrt(limits.tiny) / limits.eps < plain < np.inf:
        return plain
    largest = float(abs(array).max(initial=0.0))
    return largest * norm(array / largest) if 0 < largest < np.inf else largest


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
