"""The inline engine: real work in the caller's thread, one piece at a time, only when waited for.

A job that stops at the k-th answer never computes the others. The reference of the engine contract: nothing here can
race.
"""

import time
from dataclasses import dataclass, replace

from anyk.engines.pumped import PumpedEngine
from anyk.faults.base import Fate, FateOf


@dataclass(frozen=True)
class RealPace:
    """Real time: delays are slept, work takes as long as it takes, a slow worker answers late in proportion."""

    def now(self) -> float:
        """The monotonic clock."""
        return time.monotonic()

    def sleep_until(self, at: float) -> None:
        """Sleep what is left."""
        left = at - time.monotonic()
        if left > 0:
            time.sleep(left)

    def before(self, fate: Fate) -> float:
        """The delay alone: the work is done at its end."""
        return fate.delay_seconds

    def after(self, fate: Fate, worked: float) -> float:
        """The rest of a slowed-down piece of work."""
        return (fate.slowdown - 1.0) * worked


class InlineEngine(PumpedEngine):
    """P lanes that share the caller's thread.

    Args:
        workers: number of lanes; at least 1.
        faults: the fate of each piece of work; delays are really slept, without holding up other lanes.

    >>> engine = InlineEngine(2)
    >>> engine.lanes[1].submit(divmod, 7, 2).result()
    (3, 1)
    """

    def __init__(self, workers: int, *, faults: FateOf | None = None) -> None:
        super().__init__("inline", workers, RealPace(), faults=faults)
        self.caps = replace(self.caps, same_process=True)
