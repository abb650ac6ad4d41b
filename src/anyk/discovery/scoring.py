"""How good tables are, on survivor sets that played no part in their making, and the code they become."""

from dataclasses import replace
from math import ceil, comb

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.code import Code
from anyk.discovery.found import Score
from anyk.discovery.goal import Goal
from anyk.discovery.objective import Sets, errors, mean
from anyk.discovery.tables import unit
from anyk.weights import System, survivor_sets

#: How many survivor sets score tables: all where there are no more.
_SCORERS = 2_000


def scored(
    goal: Goal, left: NDArray[np.float64], right: NDArray[np.float64], rng: Generator, sets: int = _SCORERS
) -> Score:
    """Errors of tables on all survivor sets, or on random ones."""
    asked = sets_of(goal, sets, rng)
    found = errors(left, right, asked, goal.noise)
    system = System(*unit(left, right))
    gain = np.concatenate([system.solve(part, goal.noise).amplification for part in _parts(asked)])
    return Score(
        rms=mean(found, 2.0),
        median=float(np.median(found)),
        worst=float(found.max()),
        amplification=mean(gain, 2.0),
        sets=len(asked),
        all_sets=len(asked) == comb(goal.workers, goal.results),
    )


def as_code(goal: Goal, left: NDArray[np.float64], right: NDArray[np.float64], reference: str) -> Code:
    """The code with these tables, and what it promises of itself."""
    error = scored(goal, left, right, np.random.default_rng(0), 400).rms
    return Code(
        goal.name,
        goal.partition,
        left,
        right,
        goal.results,
        exact_threshold=_exact_threshold(goal, left, right),
        design_error=error,
        reference=reference,
    )


def sets_of(goal: Goal, most: int, rng: Generator) -> Sets:
    """All survivor sets where there are no more than this, else random ones without the contiguous one."""
    if comb(goal.workers, goal.results) <= most:
        return survivor_sets(goal.workers, goal.results, most, rng)
    return survivor_sets(goal.workers, goal.results, most, rng)[:-1]


def _exact_threshold(goal: Goal, left: NDArray[np.float64], right: NDArray[np.float64]) -> int:
    """The number of answers that decode to rounding; one more than there are workers where none does."""
    for results in range(goal.results, goal.workers + 1):
        sets = sets_of(replace(goal, results=results), 40, np.random.default_rng(0))
        if mean(errors(left, right, sets, goal.noise), 2.0) <= 100 * goal.noise:
            return results
    return goal.workers + 1


def _parts(sets: Sets) -> list[Sets]:
    return np.array_split(sets, ceil(len(sets) / 500))
