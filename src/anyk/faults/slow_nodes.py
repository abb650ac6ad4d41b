"""Machines that are slow for good."""

from dataclasses import dataclass

import numpy as np

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates


@dataclass(frozen=True)
class SlowNodes:
    """The same few workers take ``factor`` times as long in every round.

    The named ranks are slow; every other rank is slow with probability ``fraction``, decided once per run. Ranks decide
    independently, so the model needs no number of workers and adding workers changes nobody's luck; how many are slow
    varies from seed to seed. Name the ranks where it must not.

    The factor is on the time of the work itself, so there is no ``unit_seconds`` here, and delays of other models in a
    combination are not stretched.

    Args:
        fraction: probability of each rank to be slow, from 0 to 1.
        factor: how many times as long a slow worker takes; at least 1.
        ranks: workers that are slow for certain.

    Raises:
        InputError: a field outside these bounds.

    >>> slow = SlowNodes(ranks=(3,), factor=2.5)
    >>> [slow.fate(Draw(seed=0, round=9, rank=rank)).slowdown for rank in (2, 3)]
    [1.0, 2.5]
    """

    fraction: float = 0.0
    factor: float = 2.5
    ranks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        checks.probability(self, "fraction")
        checks.number(self, "factor", 1.0, remedy="2.5 means two and a half times as long.")
        checks.counts(self, "ranks")

    def fate(self, draw: Draw) -> Fate:
        """Slow if this rank is one of the slow ones."""
        slow = draw.rank in self.ranks or self._unlucky(draw)
        return Fate(slowdown=self.factor if slow else 1.0)

    def _unlucky(self, draw: Draw) -> bool:
        """The rank's number in one list that all ranks share: the first numbers do not depend on how many follow."""
        return bool(draw.lasting().random(draw.rank + 1)[-1] < self.fraction)

    def fates(self, draws: Draws) -> Fates:
        """The same for many: the very ranks that are slow on an engine with this seed."""
        slow = draws.lasting().random(draws.places.max(initial=-1) + 1) < self.fraction
        slow[[rank for rank in self.ranks if rank < slow.size]] = True
        return Fates(slowdown=np.where(slow, self.factor, 1.0)[draws.places])
