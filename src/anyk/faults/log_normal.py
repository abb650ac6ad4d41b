"""Log-normal delays: many small influences multiplied."""

import math
from dataclasses import dataclass

import numpy as np

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates


@dataclass(frozen=True)
class LogNormal:
    r"""Delays whose logarithm is normal; the median is one nominal task time.

    A task takes $\min(e^{\sigma Z}, c)$ nominal task times, $Z$ standard normal.

    Args:
        sigma: the spread of the logarithm, from 0 to 10; 0.12 is a quiet cluster, 0.2 uneven training steps.
        ceiling: c, the longest time, in nominal task times, or None for no limit.
        unit_seconds: seconds of one nominal task time.

    Raises:
        InputError: a field outside these bounds.

    >>> LogNormal(sigma=0.0, unit_seconds=0.5).fate(Draw(seed=0, round=0, rank=3)).delay_seconds
    0.5
    """

    #: See `anyk.faults.many`.
    is_whole_time = True

    sigma: float
    ceiling: float | None = None
    unit_seconds: float = 1.0

    def __post_init__(self) -> None:
        checks.number(self, "sigma", 0.0, 10.0, remedy="A quiet cluster has 0.12.")
        if self.ceiling is not None:
            checks.number(self, "ceiling", remedy="Leave it out for no limit.")
        checks.unit(self)

    def fate(self, draw: Draw) -> Fate:
        """Late by a log-normal wait, at most the ceiling."""
        wait = math.exp(self.sigma * draw.own().standard_normal())
        return Fate(self.unit_seconds * (wait if self.ceiling is None else min(wait, self.ceiling)))

    def fates(self, draws: Draws) -> Fates:
        """The same for many."""
        waits = np.exp(self.sigma * draws.own().standard_normal(draws.shape))
        return Fates(self.unit_seconds * (waits if self.ceiling is None else np.minimum(waits, self.ceiling)))
