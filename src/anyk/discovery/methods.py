"""The ways to go down, as a table, and the noise they go down at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, log10
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from anyk.discovery import gradient, newton
from anyk.discovery.alternating import Alternating
from anyk.discovery.goal import Goal
from anyk.discovery.objective import Sets, errors
from anyk.discovery.tables import Tables

#: lambda at which a search begins, if it is larger than the one asked for, and by how many powers of ten it falls.
_COARSE, _DECADES = 3e-4, 0.8

#: Numbers in the Jacobian of all sets of an epoch.
_JACOBIAN = 6e6


@dataclass(frozen=True)
class Method:
    """One way to go down.

    Args:
        epoch: does the steps of one epoch: tables, sets, noise, power, number of steps, tick.
        steps: in one epoch.
        sets: at most so many survivor sets in one epoch, for (equations, unknowns) of the goal.
        falls: whether the noise begins coarse.
    """

    epoch: Callable[..., Tables]
    steps: int
    sets: Callable[[Goal], int]
    falls: bool = True

    def noises(self, goal: Goal) -> tuple[float, ...]:
        """Every lambda on the way."""
        if goal.noise >= _COARSE or not self.falls:
            return (goal.noise,)
        count = ceil(log10(_COARSE / goal.noise) / _DECADES)
        return (*np.geomspace(_COARSE, goal.noise, count + 1)[:-1].tolist(), goal.noise)


def _alternating(
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    sets: Sets,
    noise: float,
    power: float,
    steps: int,
    tick: Callable[[Tables], None],
) -> Tables:
    sweeps = Alternating(sets, left.shape[2], noise)
    for _ in range(steps):
        shares = None
        if power > 2:
            found = errors(left, right, sets, noise)
            shares = (found / found.max()) ** (power - 2)
        left, right = sweeps.sweep(left, right, shares)
        tick((left, right))
    return left, right


def _newton_sets(goal: Goal) -> int:
    """As many as a Jacobian has room for."""
    cut = goal.partition
    equations = cut.rows * cut.inner * cut.inner * cut.cols + goal.results
    unknowns = (cut.rows * cut.inner + cut.inner * cut.cols) * goal.workers
    return max(20, int(_JACOBIAN // (equations * cut.wanted * unknowns)))


#: How steps are made.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "alternating": Method(_alternating, 50, lambda goal: 20_000, falls=False),
        "gradient": Method(gradient.descended, 50, lambda goal: 1_000),
        "newton": Method(newton.descended, 40, _newton_sets),
    }
)
