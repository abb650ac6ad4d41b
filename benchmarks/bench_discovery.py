"""Discovery: a sweep of alternating minimization against a loop over survivor sets; what a search costs and gains."""

import time
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import anyk
from anyk.discovery.alternating import Alternating
from anyk.discovery.objective import errors, slope
from anyk.discovery.tables import drawn
from benchmarks.measure import Contender, Row, in_turns, ratios, spread

Array = NDArray[Any]

#: inner, results, workers; the last one has 12,870 survivor sets.
SWEPT = ((5, 7, 10), (6, 8, 12), (8, 8, 16))
#: One sweep of the published program on the last one, in seconds, as measured elsewhere; the target.
TARGET_SECONDS = {(8, 8, 16): 0.015}
SEARCHED = ((3, 4, 5), (5, 7, 10))


def run(tiny: bool) -> list[Row]:
    """Sweeps first, then whole searches."""
    with threadpool_limits(1):
        rows = [_swept(*case, turns=2 if tiny else 15) for case in (SWEPT[:1] if tiny else SWEPT)]
    return rows + [_searched(*case, budget=3 if tiny else 600) for case in (SEARCHED[:1] if tiny else SEARCHED)]


def _swept(inner: int, results: int, workers: int, turns: int) -> Row:
    sets = np.array(list(combinations(range(workers), results)))
    left, right = drawn(1, inner, 1, workers, np.random.default_rng(0))
    sweeps, noise = Alternating(sets, workers, 1e-3), 1e-3
    contenders = {
        "sweep": Contender(lambda: sweeps.sweep(left, right)),
        "loop": Contender(lambda: looped(left[0], right[:, 0], sets, noise)),
        "errors": Contender(lambda: errors(left, right, sets, noise)),
        "slope": Contender(lambda: slope(left, right, sets, noise)),
    }
    samples = in_turns(contenders, turns)
    wall = {name: [sample.wall for sample in taken] for name, taken in samples.items()}
    return {
        "inner, results, workers": f"{inner}, {results}, {workers}",
        "sets": len(sets),
        **{f"{name} s": spread(taken) for name, taken in wall.items()},
        "loop / sweep": ratios(wall["loop"], wall["sweep"]),
        "target s": TARGET_SECONDS.get((inner, results, workers)),
    }


def looped(a: Array, b: Array, sets: Array, noise: float) -> tuple[Array, Array]:
    """The same sweep, one survivor set after the other."""
    workers = a.shape[1]
    ridge = 1 + noise**2 * np.eye(workers)
    gram, goal = (a.T @ a) * (b.T @ b) * ridge, np.sum(a * b, axis=0)
    square, total = np.zeros((workers, workers)), np.zeros(workers)
    for tasks in sets:
        weights = np.linalg.solve(gram[np.ix_(tasks, tasks)], goal[tasks])
        square[np.ix_(tasks, tasks)] += np.outer(weights, weights)
        total[tasks] += weights
    a = np.linalg.solve(square * (b.T @ b) * ridge, (b * total).T).T
    b = np.linalg.solve(square * (a.T @ a) * ridge, (a * total).T).T
    return a, b


def _searched(inner: int, results: int, workers: int, budget: int) -> Row:
    began = time.process_time()
    found = anyk.discover(inner, workers, results, budget=budget, rng=0)
    return {
        "inner, results, workers": f"{inner}, {results}, {workers}",
        "iterations": found.iterations,
        "cpu s": time.process_time() - began,
        "closed form rms": found.history[0][1],
        "found rms": found.score.rms,
        "found worst": found.score.worst,
    }
