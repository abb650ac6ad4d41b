"""Delays as measured on serverless workers: calm, with rare stalls that sometimes hit several at once."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates


@dataclass(frozen=True)
class Bursts:
    r"""A narrow body, a few late, very few stalled, and rounds in which stalls come together.

    A task takes, in nominal task times,

    - $e^{\sigma Z}$, $Z$ standard normal, usually;
    - uniform in ``late_times`` with probability ``late``;
    - log-uniform in ``stall_times`` with probability ``stalled``, and, in a burst round (probability ``burst``, the
      same rounds for all workers), with probability ``burst_share`` more.

    The defaults follow 515 rounds of 256 AWS Lambda workers: every published percentile from 1 to 99.9 within 16 %.

    Args:
        sigma: spread of the body's logarithm, from 0 to 10.
        late: probability of a late task.
        late_times: its least and most time, in nominal task times; at least 0.
        stalled: probability of a stall.
        stall_times: its least and most time, in nominal task times; above 0.
        burst: probability that a round is a burst.
        burst_share: share of the workers that stall in a burst.
        unit_seconds: seconds of one nominal task time.

    Raises:
        InputError: a field outside these bounds, or ``late + stalled`` above 1.

    Reference:
        Delay logs published with "Sequential gradient coding" (ICLR 2023), refitted.

    >>> always = Bursts(burst=1.0, burst_share=1.0, unit_seconds=0.1)
    >>> 1.0 <= always.fate(Draw(seed=0, round=0, rank=3)).delay_seconds <= 3.0
    True
    """

    #: See `anyk.faults.many`.
    is_whole_time = True

    sigma: float = 0.12
    late: float = 0.08
    late_times: tuple[float, float] = (1.1, 1.9)
    stalled: float = 0.002
    stall_times: tuple[float, float] = (10.0, 30.0)
    burst: float = 0.01
    burst_share: float = 0.05
    unit_seconds: float = 1.0

    def __post_init__(self) -> None:
        checks.number(self, "sigma", 0.0, 10.0, remedy="The measured body has 0.12.")
        for field in ("late", "stalled", "burst", "burst_share"):
            checks.probability(self, field)
        checks.span(self, "late_times", 0.0)
        checks.span(self, "stall_times", 1e-9)
        checks.unit(self)
        if self.late + self.stalled > 1.0:
            rule = f"at most 1 - stalled = {1 - self.stalled:g}"
            checks.refuse(self, "late", self.late, rule, "Lower one of the two.")

    def fate(self, draw: Draw) -> Fate:
        """Late as measured: usually hardly, rarely very much, sometimes together."""
        own = draw.own()
        in_burst = draw.shared().random() < self.burst and own.random() < self.burst_share
        return Fate(self.unit_seconds * (self._stall(own) if in_burst else self._alone(own)))

    def fates(self, draws: Draws) -> Fates:
        """The same for many; a burst is one round's, for all workers."""
        own, shape = draws.own(), draws.shape
        together = draws.shared().random((shape[0], 1)) < self.burst
        which = own.random(shape)
        times = np.exp(self.sigma * own.standard_normal(shape))
        late = which < self.stalled + self.late
        times[late] = own.uniform(*self.late_times, np.count_nonzero(late))
        stalled = which < self.stalled
        if together.any():
            stalled |= together & (own.random(shape) < self.burst_share)
        least, most = self.stall_times
        times[stalled] = least * (most / least) ** own.random(np.count_nonzero(stalled))
        return Fates(self.unit_seconds * times)

    def _alone(self, own: Generator) -> float:
        """The time outside bursts."""
        which = own.random()
        if which < self.stalled:
            return self._stall(own)
        if which < self.stalled + self.late:
            return own.uniform(*self.late_times)
        return math.exp(self.sigma * own.standard_normal())

    def _stall(self, own: Generator) -> float:
        """Log-uniform between the two stall times."""
        least, most = self.stall_times
        return float(least * (most / least) ** own.random())
