"""Every code that meets the counts: partitions x families x bases x thresholds x numbers of workers, as columns.

Nothing is built here. A draft is one row of numbers; hundreds of thousands of them take milliseconds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from math import ceil, log

import numpy as np

from anyk.codes import archive
from anyk.planning.kinds import APPROXIMATE, EXACT, FOUND, REPLICATION, UNCODED, Ints, Kind
from anyk.planning.request import Request

#: Up to here every number of blocks is tried; beyond, steps of about a twentieth.
_EVERY = 64


@dataclass(frozen=True, eq=False)
class Drafts:
    """Columns of one length.

    Args:
        kind: index into ``kinds``.
        rows: blocks m.
        inner: blocks n.
        cols: blocks p.
        needed: recovery threshold K; with copies: the number of block products.
        workers: tasks.
        copies: of every block product; 1 except for replication.
    """

    kind: Ints
    rows: Ints
    inner: Ints
    cols: Ints
    needed: Ints
    workers: Ints
    copies: Ints

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, which: Ints) -> "Drafts":
        """Some rows."""
        return Drafts(*(getattr(self, field.name)[which] for field in fields(self)))


#: All kinds a draft can be of.
KINDS: tuple[Kind, ...] = (UNCODED, REPLICATION, *EXACT, *APPROXIMATE, FOUND)


def enumerated(request: Request, kinds: Iterable[Kind] = KINDS, *, all_workers: bool = False) -> Drafts:
    """All drafts that survive the stragglers and the wrong answers.

    Args:
        request: what is asked.
        kinds: families and bases to consider.
        all_workers: only codes with a task for every worker.
    """
    cuts = _cuts(request)
    parts = [part for kind in kinds for part in _of(kind, cuts, request, all_workers)]
    if not parts:
        return Drafts(*(np.zeros(0, np.int64) for _ in fields(Drafts)))
    return Drafts(*(np.concatenate(column) for column in zip(*parts, strict=True)))


_Columns = tuple[Ints, Ints, Ints, Ints, Ints, Ints, Ints]


def _of(kind: Kind, cuts: Sequence[Ints], request: Request, all_workers: bool) -> Iterator[_Columns]:
    m, n, p = (cut[kind.fits(*cuts)] for cut in cuts)
    index = KINDS.index(kind)
    if kind is UNCODED:
        if request.stragglers == request.extra == 0:
            # All workers: as many blocks as there are workers, or nearly, for primes have no good grid.
            least = -(-3 * request.workers // 4) if all_workers else 1
            yield _columns(index, (m, n, p), m * n * p, m * n * p, m * n * p >= least)
    elif kind is REPLICATION:
        least = max(2, request.stragglers + request.extra + 1)
        most = request.workers // (m * n * p)
        offers = (most,) if all_workers else (most, *(np.minimum(most, least + more) for more in range(3)))
        yield from (
            _columns(index, (m, n, p), m * n * p, copies * m * n * p, copies >= least, copies) for copies in offers
        )
    elif kind is FOUND:
        yield from _found(index, request)
    elif kind.is_approximate:
        yield from _approximate(index, kind, (m, n, p), request)
    else:
        yield from _with_spares(index, (m, n, p), kind.threshold(m, n, p), request, all_workers)


def _approximate(index: int, kind: Kind, cut: tuple[Ints, Ints, Ints], request: Request) -> Iterator[_Columns]:
    """One threshold for every number of steps L that the tolerance allows: the error is about lambda^(1/L) at best."""
    if request.tolerance is None or request.tolerance >= 1 or not len(cut[0]):
        return
    products, inner = cut[0] * cut[1] * cut[2], cut[1]
    for steps in range(2, 1 + int(log(request.noise) / log(request.tolerance))):
        wide = inner >= steps
        part = (cut[0][wide], inner[wide], cut[2][wide])
        yield from _with_spares(index, part, products[wide] - 1 + -(-inner[wide] // steps), request, False)


def _found(index: int, request: Request) -> Iterator[_Columns]:
    """Codes of the archive, whose errors are known."""
    for found in archive().values():
        enough = found.results + request.stragglers + request.extra <= found.workers <= request.workers
        fits = found.rows <= request.height and found.inner <= request.depth and found.cols <= request.width
        right = found.dtype == request.dtype and found.objective == "rms"
        if enough and fits and right and found.rms <= (request.tolerance or 0):
            numbers = (index, found.rows, found.inner, found.cols, found.results, found.workers, 1)
            kind, m, n, p, needed, workers, copies = (np.array([number]) for number in numbers)
            yield kind, m, n, p, needed, workers, copies


def _with_spares(
    index: int, cut: tuple[Ints, Ints, Ints], needed: Ints, request: Request, all_workers: bool
) -> Iterator[_Columns]:
    """With as few workers as may be, with all, and with a number between."""
    fewest = needed + request.stragglers + request.extra
    if not all_workers:
        yield _columns(index, cut, needed, fewest, fewest < request.workers)
        between = (fewest + request.workers) // 2
        yield _columns(index, cut, needed, between, (fewest < between) & (between < request.workers))
    yield _columns(index, cut, needed, np.full_like(needed, request.workers), fewest <= request.workers)


def _columns(
    index: int, cut: tuple[Ints, Ints, Ints], needed: Ints, workers: Ints, allowed: object, copies: Ints | None = None
) -> _Columns:
    copies = np.ones_like(needed) if copies is None else copies
    rows = (np.full_like(needed, index), *cut, needed, workers, copies)
    kind, m, n, p, least, tasks, times = (column[np.asarray(allowed)] for column in rows)
    return kind, m, n, p, least, tasks, times


# --- partitions -------------------------------------------------------------------------------------------------------


def _cuts(request: Request) -> tuple[Ints, Ints, Ints]:
    """All (m, n, p) with at most as many block products as there are answers to wait for."""
    most = request.workers
    sizes = [_counts(min(most, size)) for size in (request.height, request.depth, request.width)]
    found: list[tuple[Ints, Ints, Ints]] = []
    for inner in sizes[1]:
        m, p = np.meshgrid(sizes[0][sizes[0] * inner <= most], sizes[2][sizes[2] * inner <= most], indexing="ij")
        fits = m * p * inner <= most
        found.append((m[fits], np.full(int(fits.sum()), inner), p[fits]))
    m, n, p = (np.concatenate(column) for column in zip(*found, strict=True))
    return m, n, p


def _counts(most: int) -> Ints:
    """Numbers of blocks to try, up to ``most``.

    >>> _counts(4).tolist(), len(_counts(10_000))
    ([1, 2, 3, 4], 165)
    """
    counts = [*range(1, min(most, _EVERY) + 1)]
    while counts[-1] < most:
        counts.append(min(most, ceil(counts[-1] * 1.05)))
    return np.array(counts)
