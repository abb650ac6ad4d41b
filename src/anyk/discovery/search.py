"""The search: rounds of epochs of one method, at a noise that falls to the one asked for, the best so far kept.

An epoch is a fixed number of steps on one collection of survivor sets: all of them where there are few, else fresh
random ones in every epoch. All that is random is drawn from (seed, purpose, epoch), so a search that is stopped after
an epoch and continued does what it would have done without a stop.

The Newton and gradient methods begin at a coarse noise, where valleys are wide, and follow the code down: each epoch
asks a smaller lambda of it, until the one of the workers' precision is reached. A round that gains nothing more, or
that is clearly worse than an earlier one while the noise is still coarse, makes room for the next, which starts from
random tables.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, comb, inf

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.code import Code
from anyk.discovery.found import Discovery, Score, State
from anyk.discovery.goal import Goal
from anyk.discovery.methods import METHODS, Method
from anyk.discovery.objective import Sets, errors, mean
from anyk.discovery.tables import Tables, drawn, rescaled, unit
from anyk.weights import System, survivor_sets

#: How many survivor sets judge a search, and how many score its end: all where there are no more.
_JUDGES, _SCORERS = 1_000, 2_000

#: Random change of a given start, relative: a symmetric code may stand on a ridge.
_JITTER = 0.02

#: The noise falls, and at last the round ends, when so many epochs in a row gain less than this: one where every epoch
#: sees all sets, more where each sees others.
_PATIENCE, _GAIN = {True: 1, False: 3}, 3e-3

#: A round is given up when at the coarse noise it is so many times worse than an earlier one.
_HOPELESS = 1.2

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
        round: how often the search has begun anew.
    """

    iteration: int
    budget: int | None
    error: float
    noise: float
    round: int


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
    """Search until the budget is spent, or Ctrl-C.

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
        code=_as_code(
            goal, *run.best, f"found by search: {method} from {words if not run.found_in else 'random tables'}"
        ),
        goal=goal,
        score=scored(goal, *run.best, np.random.default_rng([seed, 3])),
        history=tuple(run.history),
        method=method,
        start=words,
        seed=seed,
        found_in=run.found_in,
        iterations=run.iterations,
        reason=reason,
        state=run.state,
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
        all_sets = comb(goal.workers, goal.results) <= min(method.sets(goal), _JUDGES)
        self._patience, self._powers = _PATIENCE[all_sets], (2.0,) if goal.objective == "rms" else _POWERS
        self.iterations = self.found_in = 0
        self.history: list[tuple[int, float]] = []
        self.best: Tables | None = None
        self.error = inf

    def begin(self, start: Tables | None) -> None:
        """From tables, which count as a find, or from random ones."""
        if start is None:
            self._next_round(0, None)
            return
        rng = self._random(0, 0)
        self.best, self.error = unit(*start), self._aim(unit(*start), self._goal.noise)
        self.history.append((0, self.error))
        left, right = rescaled(*unit(*start), self._goal.noise, self._noises[0])
        jittered = unit(*(each * (1 + _JITTER * rng.standard_normal(each.shape)) for each in (left, right)))
        self.state = State(*jittered, round=0, epoch=0, level=0, idle=0, least=None)

    def resume(self, after: Discovery) -> None:
        """From where an earlier search stopped."""
        self.best = after.code.left, after.code.right
        self.error, self.found_in = self._aim(self.best, self._goal.noise), after.found_in
        self.state, self.history, self.iterations = after.state, list(after.history), after.iterations

    def go(self) -> str:
        """Epoch after epoch, round after round; why it ended."""
        try:
            while True:
                self._check()
                self._epoch()
        except _Over:
            reason = "budget"
        except KeyboardInterrupt:
            reason = "interrupted"
        if not self.history or self.iterations > self.history[-1][0]:
            self._judge()
        return reason

    def _next_round(self, number: int, least: float | None) -> None:
        cut = self._goal.partition
        tables = drawn(cut.rows, cut.inner, cut.cols, self._goal.workers, self._random(0, number))
        self.state = State(*tables, round=number, epoch=0, level=0, idle=0, least=least)

    def _epoch(self) -> None:
        state, noise = self.state, self._noise()
        sets = _sets(self._goal, self._method.sets(self._goal), self._random(2, state.round, state.epoch))
        power = self._powers[min(state.epoch, len(self._powers) - 1)]
        before = self._aim(state.tables, noise)
        left, right = self._method.epoch(*state.tables, sets, noise, power, self._method.steps, self._tick)
        self.state = replace(state, left=left, right=right)
        self._judge()
        gained = before > (1 + _GAIN) * self._aim((left, right), noise)
        self.state = replace(self.state, epoch=state.epoch + 1, idle=0 if gained else state.idle + 1)
        if self.state.idle >= self._patience and self.state.epoch >= len(self._powers):
            self._fall()

    def _fall(self) -> None:
        """To the next noise; from the last one, or from the first one without hope, to the next round."""
        state, noise = self.state, self._noise()
        if state.level == 0 and len(self._noises) > 1:
            error = self._aim(state.tables, noise)
            state = replace(state, least=error if state.least is None else min(error, state.least))
            if state.least is not None and error > _HOPELESS * state.least:
                return self._next_round(state.round + 1, state.least)
        if state.level + 1 == len(self._noises):
            return self._next_round(state.round + 1, state.least)
        left, right = rescaled(*state.tables, noise, self._noises[state.level + 1])
        self.state = replace(state, left=left, right=right, level=state.level + 1, idle=0)

    def _judge(self) -> None:
        """Judge the tables as they are at the noise that is asked for."""
        tables, present = self.state.tables, self._noise()
        error = self._keep(tables if present == self._goal.noise else rescaled(*tables, present, self._goal.noise))
        self.history.append((self.iterations, error))

    def _keep(self, tables: Tables) -> float:
        error = self._aim(tables, self._goal.noise)
        if self.best is None or error < self.error:
            self.best, self.error, self.found_in = tables, error, self.state.round
        return error

    def _aim(self, tables: Tables, noise: float) -> float:
        return mean(errors(*tables, self._judges, noise), 2.0 if self._goal.objective == "rms" else inf)

    def _tick(self, tables: Tables) -> None:
        self._check()  # a step too many is thrown away: only so does an epoch know that it has ended before
        self.iterations += 1
        self.state = replace(self.state, left=tables[0], right=tables[1])
        if self._progress is not None:
            self._progress(Step(self.iterations, self._budget, self.error, self._noise(), self.state.round))

    def _check(self) -> None:
        if self._is_over() or (self._budget is not None and self.iterations >= self._budget):
            raise _Over

    def _noise(self) -> float:
        return self._noises[self.state.level]

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
    """All survivor sets where there are no more than this, else random ones without the contiguous one."""
    if comb(goal.workers, goal.results) <= most:
        return survivor_sets(goal.workers, goal.results, most, rng)
    return survivor_sets(goal.workers, goal.results, most, rng)[:-1]


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
