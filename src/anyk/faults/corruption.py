"""What models of wrong answers share: whom they hit, and how the harm travels to the worker."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates
from anyk.faults.victims import hit, hits

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Corrupting(ABC):
    """A model of silent errors: the named ranks are hit for certain, every other one with a probability.

    Args:
        probability: for each piece of work, from 0 to 1.
        ranks: workers hit for certain.
        rounds: only in these rounds (0 is a worker's first piece of work), or None for all.

    Raises:
        InputError: a field outside these bounds.
    """

    probability: float = 0.0
    ranks: tuple[int, ...] = ()
    rounds: tuple[int, ...] | None = None

    #: Whether `spoil` needs the worker's last answer.
    remembers = False

    def __post_init__(self) -> None:
        checks.probability(self, "probability")
        checks.counts(self, "ranks")
        if self.rounds is not None:
            checks.counts(self, "rounds")

    def hits(self, draw: Draw) -> bool:
        """Whether this piece of work is answered wrongly."""
        return hit(draw, self.probability, self.ranks, self.rounds)

    def fate(self, draw: Draw) -> Fate:
        """A wrong answer for those it hits."""
        return Fate(corrupt=(Spoilt(self, draw),)) if self.hits(draw) else Fate()

    def fates(self, draws: Draws) -> Fates:
        """Which answers of many are wrong."""
        return Fates(wrong=hits(draws, self.probability, self.ranks, self.rounds))

    @abstractmethod
    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """The wrong answer.

        Args:
            answer: the right one, a contiguous copy that may be written to.
            draw: where randomness comes from: ``draw.harm()``, ``draw.shared()``.
            last: the worker's right answer before this one, where the model ``remembers`` and there is one.
        """


@dataclass(frozen=True)
class Spoilt:
    """One answer that a model spoils; see `anyk.faults.base.Corruption`.

    Args:
        model: which.
        draw: which piece of work.
    """

    model: Corrupting
    draw: Draw

    @property
    def remembers(self) -> bool:
        """Whether the model needs the worker's last answer."""
        return self.model.remembers

    @property
    def hits(self) -> bool:
        """Whether the answer is spoilt at all: a model that remembers also looks at those it spares."""
        return self.model.hits(self.draw)

    def __call__(self, answer: Array, last: Array | None) -> Array:
        """The wrong answer; where there is nothing to spoil, the right one."""
        with np.errstate(all="ignore"):
            return self.model.spoil(np.array(answer, order="C"), self.draw, last) if answer.size else answer.copy()


def reals(answer: Array) -> Array:
    """The numbers of an answer as one flat view; complex entries are two."""
    flat = answer.reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat
