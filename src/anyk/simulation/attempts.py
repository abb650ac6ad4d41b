"""What befalls attempts at tasks, for many products at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anyk.faults.base import FaultModel
from anyk.faults.many import Draws, Fates, fates_of, is_whole_time

Array = NDArray[np.float64]
Ranks = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Attempts:
    """A block of attempts; every field has shape (products, pieces).

    Args:
        seconds: from the sending until the answer; infinite where none comes.
        crash_seconds: until the worker is seen to be dead; infinite where it is not.
        wrong: whether the answer is wrong.
    """

    seconds: Array
    crash_seconds: Array
    wrong: Flags

    @property
    def ends(self) -> Array:
        """Seconds until the worker is free again; infinite where it fell silent."""
        ends: Array = np.minimum(self.seconds, self.crash_seconds)
        return ends


@dataclass(frozen=True, eq=False)
class Load:
    """What workers have to do, and what can befall them.

    A task takes ``size`` times ``seconds`` of its worker, times its slowdown, times the delay drawn where the model
    draws whole task times; another model's delay is added. A crash comes so long after the work was received as the
    model says.

    Args:
        faults: the model, or None.
        seconds: of a task of size 1 on each worker, shape (workers,).
        size: of the tasks.
        seed: of the fates.
    """

    faults: FaultModel | None
    seconds: Array
    size: float
    seed: int

    def attempts(self, rounds: range, ranks: int | Ranks) -> Attempts:
        """What befalls one piece of work on each of these workers in each of these rounds."""
        draws = Draws(self.seed, rounds, ranks)
        fates = Fates() if self.faults is None else fates_of(self.faults, draws)
        work = self.size * self.seconds[draws.places] * fates.slowdown
        times = work * fates.delay_seconds if is_whole_time(self.faults) else work + fates.delay_seconds
        crashed = np.asarray(fates.crashes, bool)
        lost = np.broadcast_to(crashed | np.asarray(fates.stops, bool), draws.shape)
        return Attempts(
            np.where(lost, np.inf, times),
            np.broadcast_to(np.where(crashed, fates.delay_seconds, np.inf), draws.shape),
            np.broadcast_to(np.asarray(fates.wrong, bool), draws.shape),
        )
