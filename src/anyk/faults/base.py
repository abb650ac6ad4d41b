"""What can happen to one piece of work, and how a model decides it.

A fault model is a value with one method, ``fate(draw)``. The same model drives the simulator (in virtual time) and
injection into real workers (in real time), and because every number comes from ``draw``, both see the same fates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


@dataclass(frozen=True)
class Draw:
    """Where random numbers come from: one piece of work = (seed, round, rank).

    Args:
        seed: of the whole run.
        round: how many pieces of work this worker was given before (0, 1, …); one per product in a run without losses.
        rank: the worker's position in the code.
    """

    seed: int
    round: int
    rank: int

    def own(self) -> Generator:
        """A generator for this piece of work alone."""
        return np.random.default_rng([self.seed, 1, self.round, self.rank])

    def shared(self) -> Generator:
        """A generator that every worker sees alike in this round: for bursts that hit several at once."""
        return np.random.default_rng([self.seed, 2, self.round])

    def lasting(self) -> Generator:
        """A generator that stays the same for the whole run: for machines that are slow for good."""
        return np.random.default_rng([self.seed, 3])

    def harm(self) -> Generator:
        """A generator for how an answer is spoilt, apart from ``own``, which says whether."""
        return np.random.default_rng([self.seed, 5, self.round, self.rank])


class Corruption(Protocol):
    """How one answer comes out wrong without notice: a frozen value that travels to the worker and is applied there."""

    @property
    def remembers(self) -> bool:
        """Whether it needs the worker's last answer; engines then keep a copy of each."""
        ...

    def __call__(self, answer: NDArray[Any], last: NDArray[Any] | None) -> NDArray[Any]:
        """The wrong answer, of the same shape and dtype; ``last`` is the worker's right answer before this one."""
        ...


@dataclass(frozen=True)
class Fate:
    """What happens to one piece of work.

    Args:
        delay_seconds: extra time before its answer, at least 0.
        end: ``""`` it answers; ``"crash"`` the worker dies after the delay; ``"stop"`` it falls silent for good
            (SIGSTOP).
        slowdown: factor on the time of the work itself, at least 1; real workers sleep the difference.
        corrupt: what befalls its answer, one after the other; the worker notices nothing.
    """

    delay_seconds: float = 0.0
    end: Literal["", "crash", "stop"] = ""
    slowdown: float = 1.0
    corrupt: tuple[Corruption, ...] = ()


class FaultModel(Protocol):
    """Anything that decides fates; a frozen dataclass with its parameters as fields."""

    def fate(self, draw: Draw) -> Fate:
        """Decide what happens to one piece of work, from ``draw`` alone."""
        ...


#: A model already bound to a seed: (round, rank) -> Fate. Engines take this.
FateOf = Callable[[int, int], Fate]


def seeded(model: FaultModel | None, seed: int) -> FateOf:
    """Bind a model to a run's seed.

    >>> seeded(None, 0)(0, 3)
    Fate(delay_seconds=0.0, end='', slowdown=1.0, corrupt=())
    """
    if model is None:
        return lambda round, rank: Fate()
    return lambda round, rank: model.fate(Draw(seed, round, rank))
