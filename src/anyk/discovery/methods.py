"""The ways to go down, as a table, and the noise they go down at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, log10
from types import MappingProxyType

import numpy as np

from anyk.discovery import gradient, newton
from anyk.discovery.alternating import Alternating
from anyk.discovery.goal import Goal
from anyk.discovery.objective import Loss, errors
from anyk.discovery.tables import Tables

#: lambda at which a search begins, if it is larger than the one asked for, and by how many powers of ten it falls.
_COARSE, _DECADES = 3e-4, 0.8

#: One epoch: tables, what to lower, at most how many steps, and what is told the tables after each and may raise.
Epoch = Callable[[Tables, Loss, int, Callable[[Tables], None]], Tables]

#: Numbers in the Jacobian of all sets of an epoch.
_JACOBIAN = 6e6


@dataclass(frozen=True)
class Method:
    """One way to go down.

    Args:
        epoch: does the steps of one epoch.
        steps: in one epoch.
        sets: at most so many survivor sets in one epoch, for (equations, unknowns) of the goal.
        falls: whether the noise begins coarse.
    """

    epoch: Epoch
    steps: int
    sets: Callable[[Goal], int]
    falls: bool = True

    def noises(self, goal: Goal) -> tuple[float, ...]:
        """Every lambda on the way."""
        if goal.noise >= _COARSE or not self.falls:
            return (goal.noise,)
        count = ceil(log10(_COARSE / goal.noise) / _DECADES)
        return (*np.geomspace(_COARSE, goal.noise, count + 1)[:-1].tolist(), goal.noise)


def _alternating(tables: Tables, loss: Loss, steps: int, tick: Callable[[Tables], None]) -> Tables:
    sweeps = Alternating(loss.sets, tables[0].shape[2], loss.noise)
    for _ in range(steps):
        shares = None
        if loss.power > 2:
            found = errors(*tables, loss.sets, loss.noise)
            shares = (found / found.max()) ** (loss.power - 2)
        tables = sweeps.sweep(*tables, shares)
        tick(tables)
    return tables


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
