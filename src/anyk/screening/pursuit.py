r"""Rank-aware erasure pursuit: who is wrong, found one after the other.

The syndromes of all words span the rows of H that belong to the wrong answers. As long as they leave a direction free,
an answer whose row lies in that span is wrong, and any other one is not (MUSIC). The pursuit throws out the answer
whose row fits best, takes the parity checks of the rest, and looks again: errors far smaller than the one just removed
now stand out. It ends when the rest agrees, or when no free direction is left: then nobody can be named.

Each answer thrown out is then tried once more against those that agree. Whoever agrees with them comes back, so an
unlucky choice on the way does no harm, and of each that stays out the error itself is known.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.screening.syndrome import Evidence, Flags, Syndrome

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Explanation:
    """A set of answers that agree, and the errors of all others.

    Args:
        believed: which answers agree, shape (P,).
        errors: of the finite others, in units of the believed answers' rounding, shape (t, W).
        limits: how large a clean answer's error could be in the same place, shape (t, W).
        syndrome: of the believed.
        noise: relative error of one clean answer.
    """

    believed: Flags
    errors: Array
    limits: NDArray[np.float64]
    syndrome: Syndrome
    noise: float

    @property
    def count(self) -> int:
        """How many answers are wrong, those that are not finite left aside."""
        return len(self.errors)

    @property
    def rank(self) -> int:
        """How many of the errors are independent of the others, beyond rounding."""
        if not self.count:
            return 0
        sizes = np.sqrt((abs(self.errors) ** 2).sum(axis=1))
        triangle = np.linalg.qr((self.errors / sizes[:, None]).T, mode="r")
        rounding = max(100 * self.noise, float((self.limits.max(axis=1) / sizes).max()))
        return int((np.linalg.svd(triangle, compute_uv=False) > min(0.5, rounding)).sum())

    @property
    def unseen(self) -> float:
        """The largest error of a believed answer that would not show, relative to the size of its row; may be inf."""
        least = float(np.linalg.norm(self.syndrome.checks[self.believed], axis=1).min(initial=np.inf))
        return self.syndrome.limit * self.noise / least if least > _HIDDEN else float("inf")


#: An answer whose row of parity checks is shorter than this takes part in none of them.
_HIDDEN = 1e-9


def pursue(evidence: Evidence) -> Explanation | None:
    """Throw out wrong answers until the rest agrees.

    Returns:
        Who agrees and how wrong the others are; None if nobody can be named.
    """
    believed = evidence.finite.copy()
    while not (seen := evidence.syndrome(believed)).agrees:
        span = seen.span()
        if span.shape[1] >= len(span):
            return None
        believed[_closest(seen.checks, span)] = False
    return explain(evidence, believed)


def explain(evidence: Evidence, believed: Flags) -> Explanation | None:
    """Take back whoever agrees with the believed, and work out the errors of the others; None if they disagree."""
    believed = believed.copy()
    agreed = evidence.syndrome(believed)
    if not agreed.agrees:
        return None
    errors, limits = [], []
    for suspect in np.flatnonzero(evidence.finite & ~believed):
        believed[suspect] = True
        seen = evidence.syndrome(believed)
        if seen.agrees:
            agreed = seen
            continue
        believed[suspect] = False
        row = seen.checks[suspect]
        size = float(np.linalg.norm(row))
        errors.append(row.conj() @ seen.words / size**2 * seen.units)
        limits.append(seen.limit / size * seen.units)
    shape = len(errors), evidence.words
    return Explanation(
        believed,
        np.array(errors).reshape(shape) / agreed.units,
        np.array(limits).reshape(shape) / agreed.units,
        agreed,
        evidence.noise,
    )


def _closest(checks: Array, span: Array) -> int:
    """The answer whose row of the checks lies nearest to the span."""
    sizes = np.linalg.norm(checks, axis=1)
    rows = (checks / np.where(sizes > 0, sizes, 1)[:, None]).T
    outside = np.linalg.norm(rows - span @ (span.conj().T @ rows), axis=0)
    return int(np.where(sizes > _HIDDEN, outside, np.inf).argmin())
