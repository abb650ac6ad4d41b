"""The simulated engine: virtual time, real results.

Every piece of work takes ``task_seconds`` times its slowdown plus its delay on a clock that jumps. Nothing sleeps, and
the same faults give the same run to the last bit.
"""

from anyk.engines.pumped import PumpedEngine
from anyk.faults.base import Fate, FateOf


class VirtualPace:
    """Time that passes only when nothing is left to do before.

    Args:
        task_seconds: virtual duration of one undisturbed piece of work.
    """

    def __init__(self, task_seconds: float) -> None:
        self._now, self._task_seconds = 0.0, task_seconds

    def now(self) -> float:
        """Virtual seconds since the start."""
        return self._now

    def sleep_until(self, at: float) -> None:
        """Jump."""
        self._now = max(self._now, at)

    def before(self, fate: Fate) -> float:
        """The whole duration."""
        return self._task_seconds * fate.slowdown + fate.delay_seconds

    def after(self, fate: Fate, worked: float) -> float:
        """Nothing: computing takes no virtual time."""
        return 0.0


class SimulatedEngine(PumpedEngine):
    """P lanes on a virtual clock.

    Args:
        workers: number of lanes; at least 1.
        faults: the fate of each piece of work.
        task_seconds: virtual duration of one undisturbed piece of work.
        compute: whether work is really done; where not, its results are None, and only times are studied.

    >>> engine = SimulatedEngine(2, task_seconds=3.0)
    >>> engine.lanes[0].submit(sum, [1, 2]).result(), engine.clock.now()
    (3, 3.0)
    """

    def __init__(
        self, workers: int, *, faults: FateOf | None = None, task_seconds: float = 1.0, compute: bool = True
    ) -> None:
        super().__init__("simulated", workers, VirtualPace(task_seconds), faults=faults, computes=compute)
