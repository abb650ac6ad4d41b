"""The usual case, decided by a few numbers: nobody is wrong.

Nearly always all answers agree, and a training step of small layers has no time for more than that question. With the
parity checks of each set of tasks remembered it is one small product. `anyk.screening.locate` believes whatever is
believed here, by the same limits; it is asked where this says no.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.code import Code
from anyk.screening import UNSEEN, loudest_clean, unseen

Array = NDArray[np.float64]


#: Mean squares beyond these are left to the locator, which scales the numbers first.
_SMALLEST, _LARGEST = 1e-200, 1e200


@dataclass(frozen=True, eq=False)
class Checks:
    """The parity checks of one set of tasks.

    Args:
        table: orthonormal rows, for answers divided by their sizes; taken together with that division, shape (c, T).
        shares: of each task in the mean of squares, shape (T,).
        shortest: norm of one task's numbers in the orthonormal rows, the least: how well its errors show.
    """

    table: Array
    shares: Array
    shortest: float

    def agree(self, prints: NDArray[Any], noise: float) -> bool:
        """Whether all tasks' answers are right.

        Args:
            prints: fingerprints, shape (T, h, r).
            noise: relative error of one clean answer.
        """
        tasks, rows, columns = prints.shape
        words = prints.reshape(tasks, -1).astype(np.float64)
        with np.errstate(all="ignore"):
            squares = (self.shares @ (words * words)).reshape(rows, columns).mean(axis=1)
            syndromes = self.table @ words
            loudness = (syndromes * syndromes).sum(axis=0).reshape(rows, columns)
        usual = float(squares.mean())
        if not _SMALLEST < usual < _LARGEST:  # nor where it is no number
            return False
        loudness /= (noise**2 * (squares + usual))[:, None]
        if not loudness.max() <= loudest_clean(len(self.table), loudness.size) ** 2:
            return False
        return unseen(float(np.sqrt(loudness.sum())), loudness.size, noise, self.shortest) <= UNSEEN


@lru_cache(maxsize=256)
def checks_of(code: Code, tasks: tuple[int, ...], dtype: str) -> Checks:
    """The parity checks of some tasks' answers, from memory if they were asked for lately."""
    table, sizes = code.parity_checks(tasks, dtype), code.answer_sizes[list(tasks)]
    shortest = float(np.linalg.norm(table, axis=1).min())
    return Checks(np.ascontiguousarray((table / sizes[:, None]).T), 1 / (len(tasks) * sizes**2), shortest)
