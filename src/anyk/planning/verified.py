"""Drafts made real: the tables are built, and their errors looked up; only for drafts near the front.

Exact codes take milliseconds. The tables of approximate codes are searched for, which can take many seconds: first with
little effort, which tells those that err too much; then thoroughly, where the budget allows.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from anyk.code import Code
from anyk.errors import CodeError
from anyk.planning.drafts import KINDS

#: Survivor sets looked at: random ones and the contiguous one; fewer where there are many workers.
_SETS, _MANY_WORKERS, _SETS_OF_MANY = 40, 64, 10

#: Seconds of one server core that a plan may spend on the tables of approximate codes, as estimated by `build_seconds`.
BUDGET_SECONDS = 1.0

#: Measured: seconds per unit of (answers x block products) of one search, by family.
_SEARCHES = {"approximate_matdot": 12e-3, "approximate_polydot": 2e-3}

#: Share of that which a search with little effort takes.
QUICK_SHARE = 1 / 8

#: Rows of the cache: plans of one session ask again and again for the same codes.
_REMEMBERED = 256

Numbers = tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Verified:
    """A code and what it errs.

    Args:
        code: its tables.
        error: root mean square of the expected relative error over survivor sets of threshold size.
        worst_error: the largest.
    """

    code: Code
    error: float
    worst_error: float


def build_seconds(numbers: Numbers) -> float:
    """Roughly what building takes where it is a search; 0 for formulas.

    Args:
        numbers: (index into `KINDS`, rows, inner, cols, answers, workers).
    """
    index, rows, inner, cols, needed, _ = numbers
    price = _SEARCHES.get(KINDS[index].name, 0.0)
    return price * needed * rows * inner * cols * (2 if KINDS[index].is_complex else 1)


@lru_cache(maxsize=_REMEMBERED)
def verified(numbers: Numbers, dtype: str, *, quick: bool = False) -> Verified | None:
    """Build a draft's tables and look up its errors; None where the family refuses to.

    Args:
        numbers: (index into `KINDS`, rows, inner, cols, answers, workers).
        dtype: the workers' precision.
        quick: search with little effort, where tables are searched for.
    """
    index, rows, inner, cols, needed, workers = numbers
    kind = KINDS[index]
    try:
        code = (kind.quick if quick and kind.quick else kind.build)(rows, inner, cols, needed, workers, dtype)
    except CodeError:
        return None
    sets = _SETS if workers <= _MANY_WORKERS else _SETS_OF_MANY
    # Tables without algebra err alike from any answers that suffice.
    one_for_all = KINDS[index].name in ("uncoded", "replication")
    answers = workers if one_for_all else code.recovery_threshold
    errors = code.errors(answers, dtype, sets=1 if one_for_all else sets, rng=np.random.default_rng(0))
    return Verified(code, float(np.sqrt(np.mean(errors**2))), float(errors.max()))
