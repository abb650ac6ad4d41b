"""Lost workers are replaced, once each: jobs in several threads hear of the same loss, and one of them acts on it."""

from contextlib import suppress
from threading import Lock
from weakref import WeakKeyDictionary

from anyk.engines.base import Engine

#: A lane that dies this often in one drive is not replaced again.
REPLACEMENTS = 3


class Replacements:
    """The workers of an engine as one drive knows them.

    Args:
        engine: whose workers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # (rank, epoch) of workers known to be lost, and of those known to be there.
        self._gone: set[tuple[int, int]] = set()
        self._there = {(lane.rank, lane.epoch) for lane in engine.lanes}

    def joined(self, rank: int, epoch: int) -> bool:
        """A worker is there; whether that is news."""
        if (rank, epoch) in self._there:
            return False
        self._there.add((rank, epoch))
        return True

    def lost(self, rank: int, epoch: int) -> bool:
        """A worker is lost; whether that is news."""
        if (rank, epoch) in self._gone:
            return False
        self._gone.add((rank, epoch))
        return True

    def replace(self, rank: int, epoch: int) -> bool:
        """Put another worker in the place of this one, if nobody has done so yet; whether there is one."""
        with _replacing(self._engine):
            lane = self._engine.lanes[rank]
            if lane.epoch == epoch:
                deaths = sum(lost == rank for lost, _ in self._gone)
                if not self._engine.caps.respawn or deaths > REPLACEMENTS:
                    return False
                with suppress(Exception):  # a worker that cannot be replaced has left
                    lane = self._engine.respawn(rank)
        self._there.add((rank, lane.epoch))
        return lane.epoch > epoch


_locks: "WeakKeyDictionary[Engine, Lock]" = WeakKeyDictionary()
_locks_lock = Lock()


def _replacing(engine: Engine) -> Lock:
    with _locks_lock:
        return _locks.setdefault(engine, Lock())
