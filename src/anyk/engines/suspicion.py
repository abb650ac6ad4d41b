"""Workers whose answers were wrong, remembered from product to product for as long as their engine lives.

A worker that answered wrongly in `REPEATED` products is distrusted: its tasks go to others, and it is asked only where
there is nobody else. Whoever replaces it (`anyk.engines.base.Engine.respawn`) begins with a clean record.
"""

from collections import Counter
from collections.abc import Iterable
from threading import Lock
from weakref import WeakKeyDictionary

from anyk.engines.base import Engine

#: One wrong answer may be a stray particle; two are a habit.
REPEATED = 2

# (rank, epoch) -> products in which that worker answered wrongly.
_records: "WeakKeyDictionary[Engine, Counter[tuple[int, int]]]" = WeakKeyDictionary()
_lock = Lock()


def blame(engine: Engine, workers: Iterable[tuple[int, int]]) -> None:
    """Remember who answered wrongly in one product.

    Args:
        engine: of the workers.
        workers: as (rank, epoch), each once.
    """
    with _lock:
        _records.setdefault(engine, Counter()).update({*workers})


def suspicions(engine: Engine) -> dict[int, int]:
    """In how many products each worker answered wrongly, by rank; those who never did are left out.

    Only screened products count (``wrong=`` or ``screen=``).

    >>> import numpy as np, anyk
    >>> faults = anyk.faults.Zeros(ranks=(2,))
    >>> with anyk.engines.open("inline:6", faults=faults) as engine:
    ...     for _ in range(3):
    ...         product = anyk.matmul(np.eye(8), np.eye(8), anyk.codes.matdot(2, 6), engine=engine, wrong=1)
    ...     anyk.engines.suspicions(engine), product.distrusted
    ({2: 2}, (2,))
    """
    with _lock:
        record = _records.get(engine, Counter())
        return {lane.rank: times for lane in engine.lanes if (times := record[lane.rank, lane.epoch])}


def distrusted(engine: Engine) -> frozenset[int]:
    """Ranks whose workers answered wrongly in several products."""
    return frozenset(rank for rank, times in suspicions(engine).items() if times >= REPEATED)
