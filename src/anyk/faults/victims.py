"""Whom a fault hits, and workers that end for good."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates, ended


def hit(draw: Draw, probability: float, ranks: tuple[int, ...], rounds: tuple[int, ...] | None) -> bool:
    """The named ranks for certain, anyone else with a probability, in the named rounds only.

    >>> [hit(Draw(seed=0, round=round, rank=3), 0.0, ranks=(3,), rounds=(1,)) for round in range(3)]
    [False, True, False]
    """
    if rounds is not None and draw.round not in rounds:
        return False
    return draw.rank in ranks or bool(draw.own().random() < probability)


def hits(draws: Draws, probability: float, ranks: tuple[int, ...], rounds: tuple[int, ...] | None) -> NDArray[np.bool_]:
    """As `hit`, for many; shape (rounds, pieces).

    >>> hits(Draws(seed=0, rounds=range(3), ranks=2), 0.0, ranks=(1,), rounds=(1,)).tolist()
    [[False, False], [False, True], [False, False]]
    """
    struck = draws.own().random(draws.shape) < probability
    if ranks:
        struck |= np.isin(draws.places, ranks)
    if rounds is not None:
        struck[[round not in rounds for round in draws.rounds]] = False
    return struck


@dataclass(frozen=True)
class Ending(ABC):
    """A model of workers that end: the named ranks for certain, every other one with a probability.

    Args:
        probability: for each piece of work alone, from 0 to 1.
        ranks: workers hit for certain.
        rounds: only in these rounds (0 is a worker's first piece of work), or None for all. Rounds go on counting when
            a worker is replaced, so ``rounds=(0,)`` spares its successor.
        after_seconds: how long after receiving the work; at least 0.

    Raises:
        InputError: a field outside these bounds.
    """

    probability: float = 0.0
    ranks: tuple[int, ...] = ()
    rounds: tuple[int, ...] | None = None
    after_seconds: float = 0.0

    def __post_init__(self) -> None:
        checks.probability(self, "probability")
        checks.counts(self, "ranks")
        if self.rounds is not None:
            checks.counts(self, "rounds")
        checks.number(self, "after_seconds", remedy="0 means at once.")

    @property
    @abstractmethod
    def end(self) -> Literal["crash", "stop"]:
        """How a worker ends."""

    def fate(self, draw: Draw) -> Fate:
        """The end, after the delay, for those it hits."""
        struck = hit(draw, self.probability, self.ranks, self.rounds)
        return Fate(self.after_seconds, self.end) if struck else Fate()

    def fates(self, draws: Draws) -> Fates:
        """The same for many."""
        return ended(hits(draws, self.probability, self.ranks, self.rounds), self.end, self.after_seconds)
