"""Who adds up what: the plan of a sum whose terms lie on many workers. No engine is asked anything here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from anyk.engines.base import Lane
from anyk.partition import Partition

Spot = tuple[slice, slice]


@dataclass(frozen=True)
class Part:
    """What one lane has of a sum.

    Args:
        lane: of the worker.
        terms: names of blocks there, each with its weight.
    """

    lane: Lane
    terms: tuple[tuple[str, complex], ...]


def leaves(holders: Sequence[tuple[Lane, str]], matrix: NDArray[Any], number: int) -> list[Part]:
    """Who has answers for one block of the product; in another order for each, to share out the work.

    Args:
        holders: of each answer, the lane and the name there.
        matrix: decoding weights, shape (blocks, answers).
        number: of the block.
    """
    terms: dict[Lane, list[tuple[str, complex]]] = {}
    for (lane, key), weight in zip(holders, matrix[number].tolist(), strict=True):
        terms.setdefault(lane, []).append((key, weight))
    parts = [Part(lane, tuple(each)) for lane, each in terms.items()]
    turn = number * len(parts) // len(matrix)
    return parts[turn:] + parts[:turn]


def pairs(parts: Sequence[Part]) -> list[list[Part]]:
    """One round: each of the first half adds up what it has and what one of the second half has."""
    half = (len(parts) + 1) // 2
    return [[parts[place], *parts[half + place : half + place + 1]] for place in range(half)]


def places(partition: Partition, shape: tuple[int, int]) -> list[Spot]:
    """Where each block of a product lies in it, row by row, without what the partition adds at the edges.

    >>> places(Partition(1, 3, 2), (4, 5))
    [(slice(0, 4, None), slice(0, 3, None)), (slice(0, 4, None), slice(3, 5, None))]
    """
    height, width = partition.result_block(shape)
    return [
        (_stretch(i * height, height, shape[0]), _stretch(l * width, width, shape[1]))
        for i in range(partition.rows)
        for l in range(partition.cols)
    ]


def shape_of(spot: Spot) -> tuple[int, int]:
    """Rows and columns.

    >>> shape_of((slice(2, 4), slice(0, 7)))
    (2, 7)
    """
    down, across = spot
    return down.stop - down.start, across.stop - across.start


def _stretch(start: int, length: int, end: int) -> slice:
    return slice(min(start, end), min(start + length, end))
