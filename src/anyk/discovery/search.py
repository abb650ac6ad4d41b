"""The search: rounds of epochs of one method, at a noise that falls to the one asked for, the best so far kept.

An epoch is a fixed number of steps on one collection of survivor sets: all of them where there are few, else fresh
random ones in every epoch. All that is random is drawn from (seed, purpose, epoch), so a search that is stopped after
an epoch and continued does what it would have done without a stop.

Tables that are given are first polished as they are, at the noise that is asked for. Later rounds begin at a coarse
noise (those of the Newton and gradient methods do), where valleys are wide, and follow the code down: each epoch asks a
smaller lambda of it, until the one of the workers' precision is reached. The first of them starts from what was
polished, shaken a little; the others from random tables. A round that gains nothing more, or that is clearly worse than
an earlier one while the noise is still coarse, makes room for the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import comb, inf

import numpy as np
from numpy.random import Generator

from anyk.discovery.found import Discovery, State
from anyk.discovery.goal import Goal
from anyk.discovery.methods import METHODS, Method
from anyk.discovery.objective import Loss, errors, mean
from anyk.discovery.scoring import as_code, scored, sets_of
from anyk.discovery.tables import Tables, drawn, rescaled, unit

#: How many survivor sets judge a search: all where there are no more.
_JUDGES = 1_000

#: Random change of a given start after it was polished, relative: a symmetric code may stand on a ridge.
_JITTER = 0.02

#: Rounds that come from a given start: polished as it is, and shaken. Steps in an epoch of polishing.
_GIVEN_ROUNDS, _POLISHING = 2, 5

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


#: Where a search without a given start comes from.
RANDOM = "random tables"


class _Over(Exception):
    """The budget is spent."""


def search(
    goal: Goal,
    *,
    method: str,
    seed: int,
    start: Tables | None = None,
    words: str = RANDOM,
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
    if after is not None:
        words = after.start
    run = _Run(goal, METHODS[method], seed, budget, words != RANDOM, is_over, progress)
    if after is not None:
        run.resume(after)
    else:
        run.begin(start)
    reason = run.go()
    assert run.best is not None
    return Discovery(
        code=as_code(
            goal, *run.best, f"found by search: {method} from {words if run.found_in < _GIVEN_ROUNDS else RANDOM}"
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
        is_given: bool,
        is_over: Callable[[], bool],
        progress: Callable[[Step], None] | None,
    ) -> None:
        self._goal, self._method, self._seed, self._budget, self._is_given = goal, method, seed, budget, is_given
        self._is_over, self._progress = is_over, progress
        self._judges = sets_of(goal, _JUDGES, self._random(1))
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
        self.best, self.error = unit(*start), self._aim(unit(*start), self._goal.noise)
        self.history.append((0, self.error))
        self.state = State(*self.best, round=0, epoch=0, level=len(self._noises) - 1, idle=0, least=None)

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
        cut, rng = self._goal.partition, self._random(0, number)
        if self._is_given and number < _GIVEN_ROUNDS:
            coarse = rescaled(*self.state.tables, self._goal.noise, self._noises[0])
            tables = unit(*(each * (1 + _JITTER * rng.standard_normal(each.shape)) for each in coarse))
        else:
            tables = drawn(cut.rows, cut.inner, cut.cols, self._goal.workers, rng)
        self.state = State(*tables, round=number, epoch=0, level=0, idle=0, least=least)

    def _epoch(self) -> None:
        state, noise = self.state, self._noise()
        sets = sets_of(self._goal, self._method.sets(self._goal), self._random(2, state.round, state.epoch))
        power = self._powers[min(state.epoch, len(self._powers) - 1)]
        before, steps = self._aim(state.tables, noise), self.iterations
        most = _POLISHING if self._is_given and state.round == 0 else self._method.steps
        tables = self._method.epoch(state.tables, Loss(sets, noise, power), most, self._tick)
        if self.iterations == steps:  # no step gains: that too is paid for, or a search without a way down had no end
            self._tick(tables)
        self.state = replace(state, left=tables[0], right=tables[1])
        self._judge()
        gained = before > (1 + _GAIN) * self._aim(tables, noise)
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
