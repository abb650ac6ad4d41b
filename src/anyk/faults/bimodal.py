"""Two-valued delays: normal, or a straggler."""

from dataclasses import dataclass

import numpy as np

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates


@dataclass(frozen=True)
class Bimodal:
    """One nominal task time, or ``factor`` of them with a given probability.

    Args:
        probability: of being a straggler, from 0 to 1, for each piece of work alone.
        factor: how many nominal task times a straggler takes; at least 1.
        unit_seconds: seconds of one nominal task time.

    Raises:
        InputError: a field outside these bounds.

    >>> Bimodal(probability=1.0, factor=8.0).fate(Draw(seed=0, round=0, rank=3)).delay_seconds
    8.0
    """

    #: See `anyk.faults.many`.
    is_whole_time = True

    probability: float
    factor: float
    unit_seconds: float = 1.0

    def __post_init__(self) -> None:
        checks.probability(self, "probability")
        checks.number(self, "factor", 1.0, remedy="A straggler is at least as slow as the others, for example 8.")
        checks.unit(self)

    def fate(self, draw: Draw) -> Fate:
        """Late by one unit, or by ``factor`` units."""
        straggles = draw.own().random() < self.probability
        return Fate(self.unit_seconds * (self.factor if straggles else 1.0))

    def fates(self, draws: Draws) -> Fates:
        """Late by one unit, or by ``factor`` units, each piece of work alone."""
        straggles = draws.own().random(draws.shape) < self.probability
        return Fates(np.where(straggles, self.unit_seconds * self.factor, self.unit_seconds))
