"""Answers with wrong bits: flipped ones, and one that is stuck."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.errors import InputError
from anyk.faults import checks
from anyk.faults.base import Draw
from anyk.faults.corruption import Corrupting, reals

Array = NDArray[Any]


@dataclass(frozen=True)
class BitFlip(Corrupting):
    """Bits of some numbers of the answer are flipped.

    Works on every number format of 1, 2, 4 or 8 bytes; a bfloat16 is the upper half of a float32 (bits 16 to 31).

    Args:
        bits: flipped in each number hit, counted from the lowest (of a float32: 0 to 22 mantissa, 23 to 30 exponent, 31
            sign); empty: ``flips`` random ones.
        flips: how many random bits, where none are named; at least 1.
        numbers: how many random numbers are hit, where no places are named; at least 1.
        places: numbers hit, counted row by row (complex entries hold two).
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    Raises:
        InputError: a field outside these bounds; on the worker, a bit or place that the answer does not have.

    >>> fate = BitFlip(bits=(63,), places=(1,), ranks=(0,)).fate(Draw(seed=0, round=0, rank=0))
    >>> fate.corrupt[0](np.array([[1.0, 2.0, 3.0]]), None)
    array([[ 1., -2.,  3.]])
    """

    bits: tuple[int, ...] = ()
    flips: int = 1
    numbers: int = 1
    places: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.counts(self, "bits")
        checks.whole(self, "flips", 1, "A single-event upset is flips=1.")
        checks.whole(self, "numbers", 1, "One wrong number is numbers=1.")
        checks.counts(self, "places")

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Flip the bits of some numbers."""
        rng, words = draw.harm(), _words(answer)
        width = 8 * words.itemsize
        places = self.places or tuple(rng.permutation(words.size)[: self.numbers].tolist())
        _must_exist("places", places, words.size)
        _must_exist("bits", self.bits, width)
        for place in places:
            for bit in self.bits or rng.permutation(width)[: self.flips].tolist():
                words[place] ^= words.dtype.type(1) << words.dtype.type(bit)
        return answer


@dataclass(frozen=True)
class StuckBit(Corrupting):
    """One bit of every number of the answer is stuck.

    Args:
        bit: which, counted from the lowest.
        value: 0 or 1.
        probability: see `anyk.faults.corruption.Corrupting`, as for ``ranks`` and ``rounds``.

    Raises:
        InputError: a field outside these bounds; on the worker, a bit that the answer does not have.

    >>> fate = StuckBit(bit=63, value=1, ranks=(0,)).fate(Draw(seed=0, round=0, rank=0))
    >>> fate.corrupt[0](np.array([[1.0, -2.0]]), None)
    array([[-1., -2.]])
    """

    bit: int = 20
    value: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.whole(self, "bit", 0, "The lowest bit is bit=0.")
        checks.whole(self, "value", 0, "A bit is 0 or 1.")
        if self.value > 1:
            checks.refuse(self, "value", self.value, "0 or 1", "A bit is 0 or 1.")

    def spoil(self, answer: Array, draw: Draw, last: Array | None) -> Array:
        """Set or clear the bit everywhere."""
        words = _words(answer)
        _must_exist("bit", (self.bit,), 8 * words.itemsize)
        mask = words.dtype.type(1) << words.dtype.type(self.bit)
        words[...] = words | mask if self.value else words & ~mask
        return answer


def _words(answer: Array) -> Array:
    numbers = reals(answer)
    return numbers.view(np.dtype(f"u{numbers.itemsize}"))


def _must_exist(field: str, given: tuple[int, ...], count: int) -> None:
    if any(each >= count for each in given):
        raise InputError(f"`{field}={given}` names what an answer does not have: it has 0 … {count - 1}.")
