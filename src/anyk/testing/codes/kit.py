"""What all parts of the kit share: the code under test, how much is asked of it, and what it is asked with."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray

from anyk.code import Code
from anyk.weights import product_error, survivor_sets

Array = NDArray[Any]
Sizes = tuple[int, int, int]


class Kit:
    """The code under test."""

    #: Smaller sets than the threshold usually decode, by design (replication): then it is the worst case that counts.
    smaller_sets_decode: bool = False
    #: Probability that a correct code passes one statistical test.
    confidence: float = 1 - 1e-6
    #: Survivor sets asked of the tables (all, where there are no more), and multiplied out.
    sets: int = 1000
    multiplied_sets: int = 8
    #: Products behind the mean of a statistical test.
    trials: int = 400

    def make(self) -> Code:
        """A code to test; called often, equal each time."""
        raise NotImplementedError("override make() to return the code under test")

    def _some_sets(self, code: Code) -> Array:
        """Random survivor sets of threshold size; the contiguous one is the last."""
        return survivor_sets(code.workers, code.recovery_threshold, self.multiplied_sets, new_rng())


def new_rng() -> Generator:
    """The same random numbers in every test."""
    return np.random.default_rng(20)


def normal(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Standard normal; complex entries of mean square 1."""
    if np.dtype(dtype).kind == "c":
        parts = rng.standard_normal((2, *shape)) * np.sqrt(0.5)
        drawn: Array = parts[0] + 1j * parts[1]
    else:
        drawn = rng.standard_normal(shape)
    return drawn.astype(dtype)


def decades(rng: Generator, shape: tuple[int, int]) -> Array:
    """Scales from 1e-6 to 1e6."""
    scales: Array = 10.0 ** rng.uniform(-6, 6, shape)
    return scales


def wide(matrix: Array) -> Array:
    """Extended precision, so that the reference's own rounding does not count."""
    return matrix.astype(np.result_type(matrix, np.longdouble))


def error_parts(code: Code, tasks: Array) -> tuple[float, float]:
    """Relative error from what a set cannot know, and from rounding in float64."""
    _, solution = code.solve(tasks)
    return float(solution.residual[0]), float(solution.amplification[0]) * product_error("float64")


def awkward_sizes(code: Code) -> Iterator[Sizes]:
    """Heights, depths and widths that a partition likes least."""
    cut = code.partition
    yield 1, 1, 1
    yield cut.rows + 1, cut.inner + 1, cut.cols + 1
    yield 2 * cut.rows - 1, 3 * cut.inner - 1, 1
    yield 1, 2 * cut.inner, 3 * cut.cols + 1
    yield 17, 19, 23
