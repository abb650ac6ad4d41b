"""The road from Polynomial to MatDot: codes that give every worker the same share of the work, cut ever deeper.

With N block products in all and n of them along the inner dimension, any N + n - 1 answers do, each n / N of the
product's size. More cuts inside: smaller operands to send and to hold, more and larger answers to wait for.
"""

from dataclasses import dataclass

import numpy as np

from anyk.planning.costs import CostModel
from anyk.planning.drafts import KINDS, Drafts
from anyk.planning.kinds import PLAIN
from anyk.planning.prediction import counted
from anyk.planning.request import Request

#: A number with many divisors; the road is long enough.
_MOST = 360


@dataclass(frozen=True)
class Crossing:
    """One code on the way.

    Args:
        family: mds or polynomial, generalized_polydot, matdot.
        rows: blocks m.
        inner: blocks n.
        cols: blocks p; m n p is the same for all.
        needed: recovery threshold.
        fits: whether the stragglers, the wrong answers and the memory allow it.
        memory: bytes of one worker.
        upload: bytes to all workers.
        download: bytes of the awaited answers.
    """

    family: str
    rows: int
    inner: int
    cols: int
    needed: int
    fits: bool
    memory: float
    upload: float
    download: float


def bridge(request: Request, costs: CostModel) -> tuple[Crossing, ...]:
    """The codes on all workers with one common share of the work, from Polynomial to MatDot; () where there are none.

    The number of block products is the one with most divisors whose MatDot code still is within reach.

    >>> request = Request((1000, 1000), (1000, 1000), workers=10, stragglers=2)
    >>> [(each.family, each.needed) for each in bridge(request, CostModel())]
    [('polynomial', 4), ('generalized_polydot', 5), ('matdot', 7)]
    """
    counts = range(2, min((request.most_needed + 1) // 2, _MOST) + 1)
    products = max(counts, key=lambda count: (len(_divisors(count)), count), default=0)
    found = (_crossing(inner, products // inner, request, costs) for inner in _divisors(products))
    return tuple(crossing for crossing in found if crossing is not None)


def _crossing(inner: int, outer: int, request: Request, costs: CostModel) -> Crossing | None:
    """The grid that sends least, for this depth."""
    grids = [(rows, outer // rows) for rows in _divisors(outer)]
    grids = [(m, p) for m, p in grids if m <= request.height and p <= request.width and inner <= request.depth]
    if not grids:
        return None
    m, p = (np.array(column, np.int64) for column in zip(*grids, strict=True))
    n = np.full_like(m, inner)
    kind = np.array([_kind(*cut) for cut in zip(m.tolist(), n.tolist(), p.tolist(), strict=True)])
    needed = m * n * p + n - 1
    drafts = Drafts(kind, m, n, p, needed, np.full_like(m, request.workers), np.ones_like(m))
    counts = counted(drafts, request, costs)
    at = int(np.argmin(counts.upload))
    roomy = request.memory_per_worker is None or counts.memory[at] <= request.memory_per_worker
    return Crossing(
        KINDS[kind[at]].name,
        int(m[at]),
        inner,
        int(p[at]),
        int(needed[at]),
        bool(needed[at] <= request.most_needed and roomy),
        float(counts.memory[at]),
        float(counts.upload[at]),
        float(counts.download[at]),
    )


def _kind(m: int, n: int, p: int) -> int:
    cut = (np.array(m), np.array(n), np.array(p))
    return next(KINDS.index(kind) for kind in PLAIN if kind.fits(*cut))


def _divisors(count: int) -> list[int]:
    return [part for part in range(1, count + 1) if count % part == 0]
