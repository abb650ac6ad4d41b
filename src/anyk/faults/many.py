"""The fates of many pieces of work at once, for simulations of thousands of workers.

A model may have a second method, ``fates(draws)``: arrays over rounds and ranks, of the same law as its ``fate`` (the
contract tests compare them). A model without one is asked for every fate alone, which is a thousand times as slow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.faults.base import Draw, FaultModel


@dataclass(frozen=True)
class Draws:
    """Where random numbers come from: a block of rounds and ranks. See `anyk.faults.base.Draw`.

    Args:
        seed: of the whole run.
        rounds: consecutive rounds.
        ranks: the workers 0, 1, … up to this number.
    """

    seed: int
    rounds: range
    ranks: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rounds, ranks)."""
        return len(self.rounds), self.ranks

    def own(self) -> Generator:
        """A generator for numbers of which every piece of work has its own."""
        return np.random.default_rng([self.seed, 6, self.rounds.start])

    def shared(self) -> Generator:
        """A generator for numbers that all workers see alike in a round."""
        return np.random.default_rng([self.seed, 7, self.rounds.start])

    def lasting(self) -> Generator:
        """The generator of ``Draw.lasting``: machines slow for good are the same ones here and on an engine."""
        return Draw(self.seed, 0, 0).lasting()

    def each(self) -> Iterator[Draw]:
        """Every piece of work alone, round after round."""
        return (Draw(self.seed, round, rank) for round in self.rounds for rank in range(self.ranks))


@dataclass(frozen=True)
class Fates:
    """Fates of a block of work; every field is a number or an array that broadcasts to (rounds, ranks).

    Args:
        delay_seconds: extra time before the answer, or until the end.
        crashes: whether the worker dies instead of answering.
        stops: whether it falls silent for good.
        slowdown: factor on the time of the work itself.
        wrong: whether the answer is spoilt without notice.
    """

    delay_seconds: NDArray[np.float64] | float = 0.0
    crashes: NDArray[np.bool_] | bool = False
    stops: NDArray[np.bool_] | bool = False
    slowdown: NDArray[np.float64] | float = 1.0
    wrong: NDArray[np.bool_] | bool = False


def ended(struck: NDArray[np.bool_], end: str, after_seconds: float) -> Fates:
    """The fates of workers that crash or stop, where struck, after so many seconds."""
    delays = np.where(struck, after_seconds, 0.0)
    return Fates(delays, crashes=struck) if end == "crash" else Fates(delays, stops=struck)


@runtime_checkable
class Batched(Protocol):
    """A fault model that decides many fates at once."""

    def fates(self, draws: Draws) -> Fates:
        """Decide what happens to a block of work, from ``draws`` alone."""
        ...


def fates_of(model: FaultModel, draws: Draws, *, alone: bool = False) -> Fates:
    """The fates of a block of work under any model.

    Args:
        model: with ``fates`` or without.
        draws: which block.
        alone: ask for every fate by itself, with the very numbers an engine draws from this seed.

    >>> from anyk.faults import Bimodal
    >>> fates_of(
    ...     Bimodal(probability=1.0, factor=8.0), Draws(seed=0, rounds=range(2), ranks=3)
    ... ).delay_seconds
    array([[8., 8., 8.],
           [8., 8., 8.]])
    """
    if isinstance(model, Batched) and not alone:
        return model.fates(draws)
    each = [model.fate(draw) for draw in draws.each()]
    return Fates(
        np.array([fate.delay_seconds for fate in each]).reshape(draws.shape),
        np.array([fate.end == "crash" for fate in each]).reshape(draws.shape),
        np.array([fate.end == "stop" for fate in each]).reshape(draws.shape),
        np.array([fate.slowdown for fate in each]).reshape(draws.shape),
        np.array([any(getattr(each, "hits", True) for each in fate.corrupt) for fate in each]).reshape(draws.shape),
    )
