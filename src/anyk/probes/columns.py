"""Random columns through which a matrix is looked at."""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[Any]


def draw_columns(width: int, columns: int, rng: Generator) -> Array:
    """Omega, shape (width, r): random signs times random sizes; the identity where that is not wider.

    One entry cannot hide behind such a column, and several in one row cancel only by chance.

    Args:
        width: of what is looked at.
        columns: r.
        rng: where they come from; keep it secret from whoever may lie.
    """
    if width <= columns:
        return np.eye(width)
    signs = rng.integers(0, 2, (width, columns)) * 2.0 - 1
    drawn: Array = signs * rng.uniform(0.5, 1.5, (width, columns))
    return drawn
