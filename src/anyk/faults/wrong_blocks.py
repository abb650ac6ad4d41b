"""Answers wrong as a whole: parts in the wrong place, an old answer, errors with one cause."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.corruption import Corrupting, Spoilt

Array = NDArray[Any]


@dataclass(frozen=True)
class SwappedBlocks(Corrupting):
    """Two bands of rows of the answer change places.

    Args:
        bands: into how many bands of equal height the answer is cut; at least 2. Rows left over stay.
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    Raises:
        InputError: a field outside these bounds.

    >>> fate = SwappedBlocks(ranks=(0,)).fate(Draw(seed=0, round=0, rank=0))
    >>> fate.corrupt[0](np.arange(4.0), None)
    array([2., 3., 0., 1.])
    """

    bands: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.whole(self, "bands", 2, "Two halves change places with bands=2.")

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Exchange them."""
        height = len(answer) // self.bands
        first, second = (slice(at * height, (at + 1) * height) for at in draw.harm().permutation(self.bands)[:2])
        answer[first], answer[second] = answer[second].copy(), answer[first].copy()
        return answer


@dataclass(frozen=True)
class Stale(Corrupting):
    """The worker answers with the result of its last product (zeros where there is none of this shape).

    Args:
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    >>> fate = Stale(ranks=(0,)).fate(Draw(seed=0, round=1, rank=0))
    >>> fate.corrupt[0](np.ones(2), np.array([7.0, 8.0]))
    array([7., 8.])
    """

    remembers = True

    def fate(self, draw: Draw) -> Fate:
        """Every answer passes by here, for those that are right must be remembered."""
        return Fate(corrupt=(Spoilt(self, draw),))

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """The last answer, for those it hits."""
        if not self.hits(draw):
            return answer
        fits = last is not None and last.shape == answer.shape and last.dtype == answer.dtype
        return np.array(last) if fits else np.zeros_like(answer)


@dataclass(frozen=True)
class LowRank(Corrupting):
    """Errors with one cause: what is wrong with the answers of one round are combinations of a few shared matrices.

    Args:
        rank: number of shared matrices; at least 1. With 1 all errors are alike but for their size.
        size: of the error, relative to the root mean square of the answer (1 where that is 0).
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    Raises:
        InputError: a field outside these bounds.

    >>> model = LowRank(ranks=(0, 1))
    >>> fates = [model.fate(Draw(seed=0, round=0, rank=rank)) for rank in (0, 1)]
    >>> wrong = [fate.corrupt[0](np.ones((3, 4)), None).ravel() - 1 for fate in fates]
    >>> int(np.linalg.matrix_rank(wrong))
    1
    """

    rank: int = 1
    size: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.whole(self, "rank", 1, "One cause is rank=1.")
        checks.number(self, "size", remedy="As large as the answer itself is size=1.")

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Add a combination of the shared matrices."""
        causes = draw.shared().standard_normal((self.rank, *answer.shape))
        error = np.tensordot(draw.harm().standard_normal(self.rank), causes, axes=1)
        usual = float(np.sqrt(np.mean(abs(answer.astype(np.complex128)) ** 2))) or 1.0
        answer += (self.size * usual * error).astype(answer.dtype)
        return answer
