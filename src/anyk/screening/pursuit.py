r"""Rank-aware erasure pursuit: who is wrong, found one after the other.

The syndromes of all words span the rows of H that belong to the wrong answers. As long as they leave a direction free,
an answer whose row lies in that span is wrong, and any other one is not (MUSIC). The pursuit throws out the answer
whose row fits best, takes the parity checks of the rest, and looks again: errors far smaller than the one just removed
now stand out. Where no row lies in the span, two errors may share one direction of it (two workers, wrong in the same
entry): then it is a pair of rows whose plane meets the span. It ends when the rest agrees, or when no free direction is
left: then nobody can be named.

Each answer thrown out is then tried once more against those that agree. Whoever agrees with them comes back, so an
unlucky choice on the way does no harm, and of each that stays out the error itself is known.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.screening.syndrome import Evidence, Flags, Span, Syndrome
from anyk.screening.thresholds import HIDDEN, unseen

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Explanation:
    """A set of answers that agree, and the errors of all others.

    Args:
        believed: which answers agree, shape (P,).
        errors: of the finite others, in units of the believed answers' rounding, shape (t, W).
        limits: how large a clean answer's error could be in the place of each, shape (t, 1).
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
        """How many of the errors are independent of one another, beyond rounding."""
        return self._dependence[0]

    @property
    def entangled(self) -> int:
        """How many of the errors are combinations of others; whoever is not one of them is wrong for certain."""
        return self._dependence[1]

    @cached_property
    def _dependence(self) -> tuple[int, int]:
        if not self.count:
            return 0, 0
        # Words in which nobody is louder than rounding tell nothing, unless there are no others.
        heard = (abs(self.errors) > self.limits).any(axis=0)
        errors = self.errors[:, heard] if heard.any() else self.errors
        sizes = np.sqrt((abs(errors) ** 2).sum(axis=1, keepdims=True))
        triangle = np.linalg.qr((errors / sizes).T, mode="r")
        rounding = min(0.5, max(100 * self.noise, float((self.limits * np.sqrt(errors.shape[1]) / sizes).max())))
        _, spread, mixtures = np.linalg.svd(triangle)
        rank = int((spread > rounding).sum())
        # What vanishes when errors are mixed so; rounding puts a little of everybody into each mixture.
        vanishing = np.linalg.norm(mixtures[rank:], axis=0)
        return rank, int((vanishing > rounding).sum())

    @property
    def unseen(self) -> float:
        """The largest error that a believed answer can have, relative to the size of an answer; inf: any."""
        seen = self.syndrome
        least = float(np.linalg.norm(seen.checks[self.believed], axis=1).min(initial=np.inf))
        return unseen(seen.together, seen.words.shape[1], self.noise, least)


#: Smaller angles between a pair's plane and the span are not resolved.
_UNRESOLVED = 1e-6


def pursue(evidence: Evidence) -> Explanation | None:
    """Throw out wrong answers until the rest agrees.

    Returns:
        Who agrees and how wrong the others are; None if nobody can be named.
    """
    believed = evidence.finite.copy()
    seen = evidence.syndrome(believed)
    while not seen.agrees:
        # The loudest rows tell who is wrong; all rows are asked again once those agree.
        part = evidence.loudest(seen)
        heard = _thrown_out(part, believed, seen if part is evidence else part.syndrome(believed, seen.checks))
        if heard is None:
            return None
        seen = heard if part is evidence else evidence.syndrome(believed, heard.checks)
    return _explanation(evidence, believed, seen)


def _thrown_out(evidence: Evidence, believed: Flags, seen: Syndrome) -> Syndrome | None:
    """Throw out at least one, and more until this evidence agrees, by changing ``believed``.

    Returns:
        What those who are left say of one another; None if nobody can be named.
    """
    while True:
        span = seen.span()
        if span.is_full:
            return None
        betrayed = _betrayed(seen, span)
        believed[betrayed] = False
        seen = evidence.syndrome(believed, seen.checks_without(betrayed))
        if seen.agrees:
            return seen


def explain(evidence: Evidence, believed: Flags) -> Explanation | None:
    """An explanation by which these are right, and whoever agrees with them; None if they disagree."""
    agreed = evidence.syndrome(believed)
    return _explanation(evidence, believed.copy(), agreed) if agreed.agrees else None


def _explanation(evidence: Evidence, believed: Flags, agreed: Syndrome) -> Explanation:
    """Take back whoever agrees with the believed, and work out the errors of the others."""
    while True:
        suspects = np.flatnonzero(evidence.finite & ~believed)
        errors, lengths = evidence.errors(believed, suspects, agreed.units)
        loudness = abs(errors).max(axis=1, initial=0.0) * lengths
        for place in np.argsort(loudness):
            # Beside those who agree, an answer shows by its own error alone.
            if loudness[place] > agreed.limit:
                return Explanation(believed, errors, agreed.limit / lengths[:, None], agreed, evidence.noise)
            believed[suspects[place]] = True
            seen = evidence.syndrome(believed)
            if seen.agrees:
                agreed = seen
                break
            believed[suspects[place]] = False
        else:
            return Explanation(believed, errors, agreed.limit / lengths[:, None], agreed, evidence.noise)


def _betrayed(seen: Syndrome, span: Span) -> NDArray[np.intp]:
    """The answer whose row of the checks lies nearest to the span; two of them if no single one lies in it."""
    sizes = np.linalg.norm(seen.checks, axis=1)
    heard = np.flatnonzero(sizes > HIDDEN)
    rows = seen.checks[heard] / sizes[heard, None]
    shares = rows @ span.basis.conj()
    outside = np.linalg.norm(rows - shares @ span.basis.T, axis=1)
    closest = int(outside.argmin())
    turned = max(_UNRESOLVED, float(np.linalg.norm(shares[closest] * span.doubts)))
    if outside[closest] > turned and span.rank + 2 <= len(span.basis):
        first, second, apart = _closest_pair(rows, shares)
        if apart < outside[closest]:
            return heard[[first, second]]
    return heard[[closest]]


def _closest_pair(rows: Array, shares: Array) -> tuple[int, int, float]:
    """The two rows whose plane comes nearest to the span, and how near (the sine of an angle).

    Args:
        rows: unit rows, shape (n, c).
        shares: what each has in the span, shape (n, rank).
    """
    # In the plane of rows i and j lie row i and q, which is row j less its part along row i, made a unit vector. The
    # largest share that a unit vector of the plane has in the span is the larger eigenvalue of the shares' Gram matrix.
    overlap = rows @ rows.conj().T
    lengths = np.sqrt(np.maximum(1 - abs(overlap) ** 2, np.finfo(float).eps))
    second = (shares[None] - overlap.T[:, :, None] * shares[:, None]) / lengths[:, :, None]
    along = (abs(shares) ** 2).sum(axis=1)[:, None]
    across = (abs(second) ** 2).sum(axis=2)
    mixed = abs((shares.conj()[:, None] * second).sum(axis=2)) ** 2
    largest = (along + across) / 2 + np.sqrt((along - across) ** 2 / 4 + mixed)
    np.fill_diagonal(largest, 0)
    best = int(largest.argmax())
    return best // len(rows), best % len(rows), float(np.sqrt(max(0.0, 1 - largest.flat[best])))
