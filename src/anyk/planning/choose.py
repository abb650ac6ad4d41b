"""A code for a product when the caller names none: the planner on counts alone, in milliseconds."""

from functools import lru_cache

import numpy as np

from anyk.code import Code
from anyk.errors import CodeError
from anyk.partition import Shape
from anyk.planning.costs import CostModel
from anyk.planning.drafts import KINDS, enumerated
from anyk.planning.kinds import PLAIN, REPLICATION, UNCODED
from anyk.planning.prediction import counted
from anyk.planning.request import Request

#: Without a code, cutting the inner dimension must gain so much: its answers are sums to be formed, and larger.
_SUMS = 1.1

#: Remembered choices: products of one session come in a few shapes.
_REMEMBERED = 128


@lru_cache(maxsize=_REMEMBERED)
def choose(shape_a: Shape, shape_b: Shape, *, workers: int, stragglers: int = 0) -> Code:
    """A code for ``workers`` tasks that survives ``stragglers`` missing answers.

    The fastest by its counts, on workers that are alike, share memory, and have a core each; the round numbers of
    `CostModel`, so that everybody gets the same. The caller asked for workers and gets work for them: one machine is no
    choice, and codes have a task for every worker. `plan` knows more.

    Args:
        shape_a: (height, depth).
        shape_b: (depth, width).
        workers: number of tasks; at least 1.
        stragglers: answers that may be missing; at least 0 and below ``workers``.

    Raises:
        InputError: no answer would be left to decode from.

    >>> choose((2000, 2000), (2000, 2000), workers=10, stragglers=2)
    Code('polynomial', partition 4 x 1 x 2, any 8 of 10)
    """
    request = Request(shape_a, shape_b, workers, stragglers)
    kinds = (UNCODED,) if stragglers == 0 else (REPLICATION, *PLAIN)
    drafts = enumerated(request, kinds, all_workers=True)
    if not len(drafts):  # matrices too small to be cut for everybody
        drafts = enumerated(request, kinds)
    counts = counted(drafts, request, CostModel())
    seconds = counts.encode_seconds + counts.task_seconds + counts.decode_seconds
    handicap = np.where((drafts.kind == KINDS.index(UNCODED)) & (drafts.inner > 1), _SUMS, 1.0)
    equals = np.array([float(f"{each:.6e}") for each in seconds * handicap])
    for row in np.lexsort((-drafts.rows, drafts.kind, equals)).tolist():
        cut = (int(drafts.rows[row]), int(drafts.inner[row]), int(drafts.cols[row]))
        tasks, needed = int(drafts.workers[row]), int(drafts.needed[row])
        try:
            return KINDS[int(drafts.kind[row])].build(*cut, needed, tasks, "float64")
        except CodeError:
            continue
    raise CodeError(f"`workers={workers}, stragglers={stragglers}`: no family has a code that works. Use more workers.")
