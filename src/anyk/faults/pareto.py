"""Pareto delays: a heavy tail."""

from dataclasses import dataclass

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates


@dataclass(frozen=True)
class Pareto:
    r"""Heavy-tailed delays: twice the wait is only $2^{-\alpha}$ times as likely.

    A task takes $X$ nominal task times with $P(X > x) = (m/x)^{\alpha}$ for $x \ge m$.

    Args:
        shape: alpha; at least 0.1. The mean is finite above 1, the variance above 2; clusters look like 1.5 to 2.5.
        scale: m, the least time, in nominal task times; at least 0.
        unit_seconds: seconds of one nominal task time.

    Raises:
        InputError: a field outside these bounds.

    >>> Pareto(shape=2.0).fate(Draw(seed=0, round=0, rank=3)).delay_seconds >= 1.0
    True
    """

    #: See `anyk.faults.many`.
    is_whole_time = True

    shape: float = 2.0
    scale: float = 1.0
    unit_seconds: float = 1.0

    def __post_init__(self) -> None:
        # Below 0.1 the longest possible draw (exp(44 / shape)) leaves the range of a float.
        checks.number(self, "shape", 0.1, remedy="Clusters look like 1.5 to 2.5.")
        checks.number(self, "scale", remedy="The least time is usually one nominal task time, 1.0.")
        checks.unit(self)

    def fate(self, draw: Draw) -> Fate:
        """Late by a Pareto wait."""
        return Fate(self.unit_seconds * self.scale * (1.0 + draw.own().pareto(self.shape)))

    def fates(self, draws: Draws) -> Fates:
        """The same for many."""
        return Fates(self.unit_seconds * self.scale * (1.0 + draws.own().pareto(self.shape, draws.shape)))
