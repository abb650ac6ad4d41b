r"""One thing against what it should look like through a few secret vectors: Freivalds' check, row by row.

An error E shows as $E \Omega$, whatever it is: entries of Omega are random signs times random sizes, so one wrong entry
cannot hide, and several in one row cancel in all r columns only by chance. The unit is that of
`anyk.screening.thresholds`.
"""

from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.screening.thresholds import FALSE_ALARM, MARGIN, UNIFORM
from anyk.sparse import dense

Array = NDArray[Any]

#: Entries of a row that differ by less than this many roundings are alike, and rounded alike.
_ALIKE = 30.0


def strange_rows(
    found: Array, expected: Array, *, noise: float, usual: float, looks: int = 1, of: Array | None = None
) -> NDArray[np.intp]:
    """Rows of an image that differ from what is expected by more than rounding.

    Args:
        found: image of what came, shape (h, r).
        expected: image of what should have come, shape (h, r).
        noise: relative error of what comes, if nothing is wrong (lambda).
        usual: size of an entry of the image where nothing cancels.
        looks: how many such images are looked at.
        of: what came, shape (h, width), dense or sparse: uniform rows of it may be off by more (see `UNIFORM`).

    >>> strange_rows(np.array([[1.0], [2.0]]), np.array([[1.0], [2.1]]), noise=1e-16, usual=1.0)
    array([1])
    """
    with np.errstate(all="ignore"):
        squares = (abs(expected) ** 2).mean(axis=1)
        units = noise * np.sqrt(squares + squares.mean() + usual**2)
        limit = MARGIN * (1 + sqrt(2 * log(max(1, found.size * looks) / FALSE_ALARM)))
        apart = abs(found - expected).max(axis=1, initial=0.0) / (limit * np.where(units > 0, units, 1.0))
    strange = np.flatnonzero(~(apart <= 1))
    if of is None or not strange.size or not (apart[strange] <= UNIFORM).all():
        return strange
    rows = dense(of[strange])
    uniform: NDArray[np.bool_] = abs(rows - rows[:, :1]).max(axis=1) <= _ALIKE * noise * abs(rows[:, 0])
    left: NDArray[np.intp] = strange[~uniform]
    return left


def gain(columns: Array) -> float:
    """How much larger than an entry the entries of its row's image are, by root mean square.

    Args:
        columns: shape (width, r).
    """
    return float(np.sqrt((abs(columns) ** 2).sum(axis=0).mean()))
