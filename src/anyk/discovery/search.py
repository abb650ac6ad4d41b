"""The search: epochs of one method, at a noise that falls to the one asked for, the best so far kept.

An epoch is a fixed number of steps on one collection of survivor sets: all of them where there are few, else fresh
random ones in every epoch. All that is random is drawn from (seed, purpose, epoch), so a search that is stopped after
an epoch and continued does what it would have done without a stop.

The Newton and gradient methods begin at a coarse noise, where valleys are wide, and follow the code down: each epoch
asks a smaller lambda of it, until the one of the workers' precision is reached.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, comb, inf

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.code import Code
from anyk.discovery.found import Discovery, Score
from anyk.discovery.goal import Goal
from anyk.discovery.methods import METHODS, Method
from anyk.discovery.objective import Sets, errors, mean
from anyk.discovery.tables import Tables, drawn, rescaled, unit
from anyk.weights import System, survivor_sets

#: Survivor sets up to which all are asked; how many random ones judge a search; how many score its end.
_ENUMERATED, _JUDGES, _SCORERS = 10_000, 1_000, 2_000

#: Random change of a given start, relative: a symmetric code may stand on a ridge.
_JITTER = 0.02

#: A search has settled when so many epochs in a row gain less than this.
_PATIENCE, _GAIN = 3, 1e-3

#: p of the p-mean by which the worst set is approached, epoch by epoch.
_POWERS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Step:
    """What a progress callback is told.

    Args:
        iteration: steps so far.
        budget: steps in all; None where time decides.
        error: of the best code so far.
        noise: lambda of the present epoch.
    """

    iteration: int
    budget: int | None
    error: float
    noise: float


class _Over(Exception):
    """The budget is spent."""


def search(
    goal: Goal,
    *,
    method: str,
    seed: int,
    start: Tables | None = None,
    words: str = "random",
    after: Discovery | None = None,
    budget: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
    progress: Callable[[Step], None] | None = None,
) -> Discovery:
    """Search until the budget is spent, nothing is gained any more, or Ctrl-C.

    Args:
        goal: what for.
        method: a key of `METHODS`.
        seed: of everything random.
        start: tables to start from, real; None: random ones.
        words: where ``start`` comes from.
        after: an earlier search to continue, with the same goal, method and seed.
        budget: steps in all, those of ``after`` included; None: until ``is_over``.
        is_over: asked after every step.
        progress: told of every step.
    """
    run = _Run(goal, METHODS[method], seed, budget, is_over, progress)
    if after is not None:
        words = after.start
        run.resume(after)
    else:
        run.begin(start)
    reason = run.go()
    assert run.best is not None
    return Discovery(
        code=_as_code(goal, *run.best, reference=f"found by search: {method} from {words}, seed {seed}"),
        goal=goal,
        score=scored(goal, *run.best, np.random.default_rng([seed, 3])),
        history=tuple(run.history),
        method=method,
        start=words,
        seed=seed,
        iterations=run.iterations,
        epochs=run.epochs,
        reason=reason,
        state=run.tables,
    )


class _Run:
    """The state of one search between epochs."""

    def __init__(
        self,
        goal: Goal,
        method: Method,
        seed: int,
        budget: int | None,
        is_over: Callable[[], bool],
        progress: Callable[[Step], None] | None,
    ) -> None:
        self._goal, self._method, self._seed, self._budget = goal, method, seed, budget
        self._is_over, self._progress = is_over, progress
        self._judges = _sets(goal, _JUDGES, self._random(1))
        self._noises = method.noises(goal)
        self.iterations = self.epochs = 0
        self.history: list[tuple[int, float]] = []
        self.best: Tables | None = None
        self.error = inf

    def begin(self, start: Tables | None) -> None:
        """From tables, which count as a find, or from random ones."""
        cut, rng = self._goal.partition, self._random(0)
        if start is None:
            self.tables = drawn(cut.rows, cut.inner, cut.cols, self._goal.workers, rng)
        else:
            self.tables = unit(*start)
        self._keep(self.tables)
        if start is not None:
            left, right = rescaled(*self.tables, self._goal.noise, self._noises[0])
            self.tables = unit(*(each * (1 + _JITTER * rng.standard_normal(each.shape)) for each in (left, right)))
        self.history.append((0, self.error))

    def resume(self, after: Discovery) -> None:
        """From where an earlier search stopped."""
        self._keep(unit(after.code.left, after.code.right))
        self.tables, self.history = after.state, list(after.history)
        self.iterations, self.epochs = after.iterations, after.epochs

    def go(self) -> str:
        """Epoch after epoch; why it ended."""
        try:
            while not self._has_settled():
                self._check()
                self._epoch()
        except _Over:
            reason = "budget"
        except KeyboardInterrupt:
            reason = "interrupted"
        else:
            return "settled"
        if self.iterations > self.history[-1][0]:
            self._finish(self.tables)
        return reason

    def _epoch(self) -> None:
        noise = self._noise(self.epochs)
        tables = self._method.epoch(
            *self.tables,
            _sets(self._goal, self._method.sets(self._goal), self._random(2, self.epochs)),
            noise,
            2.0 if self._goal.objective == "rms" else _POWERS[min(self.epochs, len(_POWERS) - 1)],
            self._method.steps,
            self._tick,
        )
        self._finish(tables)
        self.epochs += 1
        self.tables = rescaled(*tables, noise, self._noise(self.epochs)) if self._method.falls else tables

    def _finish(self, tables: Tables) -> None:
        """Judge tables as they are at the noise that is asked for."""
        present = self._noise(self.epochs)
        error = self._keep(tables if present == self._goal.noise else rescaled(*tables, present, self._goal.noise))
        self.history.append((self.iterations, error))

    def _keep(self, tables: Tables) -> float:
        found = errors(*tables, self._judges, self._goal.noise)
        error = mean(found, 2.0 if self._goal.objective == "rms" else inf)
        if error < self.error:
            self.best, self.error = tables, error
        return error

    def _tick(self, tables: Tables) -> None:
        self.iterations += 1
        self.tables = tables
        if self._progress is not None:
            self._progress(Step(self.iterations, self._budget, self.error, self._noise(self.epochs)))
        self._check()

    def _check(self) -> None:
        if self._is_over() or (self._budget is not None and self.iterations >= self._budget):
            raise _Over

    def _has_settled(self) -> bool:
        """Nothing gained in the last epochs at the final noise, on sets that do not change."""
        finals = self.epochs - len(self._noises) + 1
        if finals <= _PATIENCE or (self._goal.objective != "rms" and self.epochs < len(_POWERS) + _PATIENCE):
            return False
        least = [error for _, error in self.history]
        return min(least[:-_PATIENCE]) <= (1 + _GAIN) * min(least[-_PATIENCE:])

    def _noise(self, epoch: int) -> float:
        return self._noises[min(epoch, len(self._noises) - 1)]

    def _random(self, *purpose: int) -> Generator:
        return np.random.default_rng([self._seed, *purpose])


def scored(
    goal: Goal, left: NDArray[np.float64], right: NDArray[np.float64], rng: Generator, sets: int = _SCORERS
) -> Score:
    """Errors of tables on all survivor sets, or on random ones."""
    asked = _sets(goal, sets, rng)
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


def _parts(sets: Sets) -> list[Sets]:
    return np.array_split(sets, ceil(len(sets) / 500))


def _sets(goal: Goal, most: int, rng: Generator) -> Sets:
    """All survivor sets where there are few, else random ones; never the contiguous one by force."""
    total = comb(goal.workers, goal.results)
    if total <= min(_ENUMERATED, max(most, 1)) or (total <= _ENUMERATED and most in (_JUDGES, _SCORERS)):
        return survivor_sets(goal.workers, goal.results, None, None)
    return survivor_sets(goal.workers, goal.results, min(most, total - 1), rng)[:-1]


def _as_code(goal: Goal, left: NDArray[np.float64], right: NDArray[np.float64], reference: str) -> Code:
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


def _exact_threshold(goal: Goal, left: NDArray[np.float64], right: NDArray[np.float64]) -> int:
    """The number of answers that decode to rounding; one more than there are workers where none does."""
    for results in range(goal.results, goal.workers + 1):
        sets = _sets(replace(goal, results=results), 40, np.random.default_rng(0))
        if mean(errors(left, right, sets, goal.noise), 2.0) <= 100 * goal.noise:
            return results
    return goal.workers + 1
