"""The fates of many pieces of work at once, for simulations of thousands of workers.

A model may have a second method, ``fates(draws)``: arrays over rounds and pieces of work, of the same law as its
``fate`` (the contract tests compare them). A model without one is asked for every fate alone, which is a thousand times
as slow. A model whose delay is the whole time of a task of nominal size says so: ``is_whole_time = True``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.faults.base import Draw, FaultModel


@dataclass(frozen=True, eq=False)
class Draws:
    """Where random numbers come from: a block of work, so many pieces in each of several rounds. See `Draw`.

    Args:
        seed: of the whole run.
        rounds: consecutive rounds.
        ranks: who works: the workers 0, 1, … up to this number, or others in each round, shape (rounds, pieces).
    """

    seed: int
    rounds: range
    ranks: int | NDArray[np.intp]

    @property
    def places(self) -> NDArray[np.intp]:
        """The rank of each piece of work, shape (1, pieces) or (rounds, pieces)."""
        return np.arange(self.ranks)[None] if isinstance(self.ranks, int) else self.ranks

    @property
    def shape(self) -> tuple[int, int]:
        """(rounds, pieces)."""
        return len(self.rounds), self.places.shape[1]

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
        places = np.broadcast_to(self.places, self.shape).tolist()
        return (Draw(self.seed, round, rank) for round, row in zip(self.rounds, places, strict=True) for rank in row)


@dataclass(frozen=True)
class Fates:
    """Fates of a block of work; every field is a number or an array that broadcasts to (rounds, pieces).

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


def is_whole_time(model: FaultModel | None) -> bool:
    """Whether a model's delay is the whole time of a task, and not added to it.

    >>> from anyk.faults import Crash, Pareto, combine
    >>> is_whole_time(combine(Crash(probability=0.1), Pareto())), is_whole_time(Crash(probability=0.1))
    (True, False)
    """
    return bool(getattr(model, "is_whole_time", False))


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
