"""Answers with wrong values: noisy, scaled, empty, not finite."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.faults import checks
from anyk.faults.base import Draw
from anyk.faults.corruption import Corrupting, reals

Array = NDArray[Any]


@dataclass(frozen=True)
class GaussianError(Corrupting):
    """Normal noise on a share of the answer's numbers.

    Args:
        size: standard deviation, relative to the root mean square of the answer (1 where that is 0).
        share: of the numbers hit, from 0 to 1; at least one number is.
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    Raises:
        InputError: a field outside these bounds.

    >>> fate = GaussianError(size=0.1, ranks=(0,)).fate(Draw(seed=0, round=0, rank=0))
    >>> bool(np.allclose(fate.corrupt[0](np.ones((2, 2)), None), 1.0, atol=1e-3))
    False
    """

    size: float = 1.0
    share: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number(self, "size", remedy="As large as the answer itself is size=1.")
        checks.probability(self, "share")

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Add the noise."""
        rng, numbers = draw.harm(), reals(answer)
        places = _share(rng, numbers, self.share)
        usual = float(np.sqrt(np.mean(numbers.astype(np.float64) ** 2))) or 1.0
        numbers[places] += (self.size * usual * rng.standard_normal(places.size)).astype(numbers.dtype)
        return answer


@dataclass(frozen=True)
class PaperError(Corrupting):
    """As in the published experiments on coded training: uniform noise on 0.5 % of the numbers.

    Args:
        share: of the numbers hit, from 0 to 1; at least one number is.
        reach: the noise is uniform in (-reach, reach).
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    Raises:
        InputError: a field outside these bounds.

    Reference:
        Dutta et al., CodeNet (arXiv 1903.01042): errors added to 0.5 % of the entries of a block, uniform in (-5, 5).

    >>> fate = PaperError(ranks=(0,)).fate(Draw(seed=0, round=0, rank=0))
    >>> int(np.count_nonzero(fate.corrupt[0](np.zeros((20, 20)), None)))
    2
    """

    share: float = 0.005
    reach: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.probability(self, "share")
        checks.number(self, "reach", remedy="The experiments had reach=5.")

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Add the noise."""
        rng, numbers = draw.harm(), reals(answer)
        places = _share(rng, numbers, self.share)
        numbers[places] += rng.uniform(-self.reach, self.reach, places.size).astype(numbers.dtype)
        return answer


@dataclass(frozen=True)
class Scaled(Corrupting):
    """The answer times a factor: a lost scale, a wrong exponent, a sign.

    Args:
        factor: from -1e9 to 1e9.
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    Raises:
        InputError: a field outside these bounds.

    >>> Scaled(factor=-1.0, ranks=(0,)).fate(Draw(seed=0, round=0, rank=0)).corrupt[0](np.ones(2), None)
    array([-1., -1.])
    """

    factor: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number(self, "factor", -checks.LIMIT, remedy="Twice the answer is factor=2.")

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Scale it."""
        answer *= answer.dtype.type(self.factor)
        return answer


@dataclass(frozen=True)
class Zeros(Corrupting):
    """The answer is all zeros: a worker that never computed.

    Args:
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    >>> Zeros(ranks=(0,)).fate(Draw(seed=0, round=0, rank=0)).corrupt[0](np.ones(2), None)
    array([0., 0.])
    """

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Clear it."""
        return np.zeros_like(answer)


@dataclass(frozen=True)
class NonFinite(Corrupting):
    """Some numbers of the answer are NaN or infinite.

    Args:
        value: NaN, inf or -inf, written as text: ``"nan"``, ``"inf"``, ``"-inf"``.
        share: of the numbers hit, from 0 to 1; at least one number is.
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    Raises:
        InputError: a field outside these bounds.

    >>> NonFinite(share=1.0, ranks=(0,)).fate(Draw(seed=0, round=0, rank=0)).corrupt[0](np.ones(2), None)
    array([nan, nan])
    """

    value: str = "nan"
    share: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value not in ("nan", "inf", "-inf"):
            checks.refuse(self, "value", self.value, "'nan', 'inf' or '-inf'", "The default is 'nan'.")
        checks.probability(self, "share")

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Put the values in."""
        numbers = reals(answer)
        numbers[_share(draw.harm(), numbers, self.share)] = float(self.value)
        return answer


def _share(rng: np.random.Generator, numbers: Array, share: float) -> NDArray[np.intp]:
    count = min(numbers.size, max(1, round(share * numbers.size)))
    return np.arange(numbers.size) if count == numbers.size else rng.choice(numbers.size, count, replace=False)
