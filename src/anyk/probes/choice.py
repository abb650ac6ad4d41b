"""A few rows out of many, the likelier the more there is to be seen in them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Choice:
    """Rows to look at in place of all.

    A sum over all rows is estimated, right in the mean, by the sum over the chosen ones of each one's term divided by
    its share.

    Args:
        which: numbers of different rows, rising, or all as a slice.
        shares: shape (n,): how often a row was to be expected at the places, divided by how often it was found there.
    """

    which: Array | slice
    shares: Array


def drawn_places(count: int, rng: Generator) -> Array:
    """Where to look along accumulated odds: at random in each of ``count`` equal parts of [0, 1)."""
    places: Array = (np.arange(count) + rng.random(count)) / count
    return places


def choose(places: Array, seen: Array, usual: Array) -> Choice:
    """Choose rows: half of them for what is seen there, a quarter for their usual size, a quarter blindly.

    Args:
        places: of `drawn_places`; where there are no more rows than places, all are chosen.
        seen: shape (length, r), finite: a row's odds are its square.
        usual: shape (length, r), likewise.
    """
    length = len(seen)
    if length <= len(places):
        return Choice(slice(None), np.ones(length))
    odds = np.full(length, 1 / length)
    for weight, profile in ((2.0, seen), (1.0, usual)):
        sizes = squares(profile, float(abs(profile).max())).sum(axis=1)
        odds += weight * sizes / (sizes.sum() or 1.0)
    reached = np.cumsum(odds)
    found = np.searchsorted(reached, places * reached[-1], side="right")
    which, times = np.unique(found, return_counts=True)
    return Choice(which, len(places) * odds[which] / (times * reached[-1]))


def squares(array: Array, unit: float) -> Array:
    """Squared absolute values, float64; in a unit that is not too far from their size, they stay finite."""
    scaled: Array = abs(array).astype(np.float64) / (unit or 1.0)
    return scaled * scaled
