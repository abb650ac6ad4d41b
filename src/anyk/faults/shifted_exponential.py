"""Shifted exponential delays: the textbook straggler."""

from dataclasses import dataclass

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates


@dataclass(frozen=True)
class ShiftedExponential:
    r"""A least time that everyone needs, plus an exponential wait.

    A task takes $a + X$ nominal task times, $X$ exponential of mean $1/\mu$; the mean is $a + 1/\mu$. Measured logs
    agree with it on the mean of the slowest worker, and have five times its tail: use `Bursts` where the tail matters.

    Args:
        shift: a, the time nobody beats, in nominal task times; at least 0.
        scale: 1/mu, the mean wait on top, in nominal task times; at least 0.
        unit_seconds: seconds of one nominal task time.

    Raises:
        InputError: a negative or infinite field.

    Reference:
        Lee et al., Speeding Up Distributed Machine Learning Using Codes (the run-time model).

    >>> calm = ShiftedExponential(shift=0.5, scale=0.0, unit_seconds=2.0)
    >>> calm.fate(Draw(seed=0, round=0, rank=3)).delay_seconds
    1.0
    """

    #: See `anyk.faults.many`.
    is_whole_time = True

    shift: float = 0.66
    scale: float = 0.35
    unit_seconds: float = 1.0

    def __post_init__(self) -> None:
        checks.number(self, "shift", remedy="A fit to measured tasks gave 0.66.")
        checks.number(self, "scale", remedy="A fit to measured tasks gave 0.35.")
        checks.unit(self)

    def fate(self, draw: Draw) -> Fate:
        """Late by the least time plus an exponential wait."""
        return Fate(self.unit_seconds * (self.shift + self.scale * draw.own().standard_exponential()))

    def fates(self, draws: Draws) -> Fates:
        """The same for many."""
        waits = draws.own().standard_exponential(draws.shape)
        return Fates(self.unit_seconds * (self.shift + self.scale * waits))
