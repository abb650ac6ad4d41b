"""Workers that die."""

from dataclasses import dataclass

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.victims import hit


@dataclass(frozen=True)
class Crash:
    """The worker process dies, as by SIGKILL; the engine sees it at once.

    The named ranks are hit for certain, every other rank with ``probability``, each piece of work alone.

    Args:
        probability: for each piece of work, from 0 to 1.
        ranks: workers hit for certain.
        rounds: only in these rounds (0 is a worker's first piece of work), or None for all. Rounds go on counting when
            a worker is replaced, so ``rounds=(0,)`` spares its successor.
        after_seconds: how long after receiving the work; at least 0.

    Raises:
        InputError: a field outside these bounds.

    >>> Crash(ranks=(1,), after_seconds=0.5).fate(Draw(seed=0, round=0, rank=1))
    Fate(delay_seconds=0.5, end='crash', slowdown=1.0, corrupt=())
    """

    probability: float = 0.0
    ranks: tuple[int, ...] = ()
    rounds: tuple[int, ...] | None = None
    after_seconds: float = 0.0

    def __post_init__(self) -> None:
        checks.probability(self, "probability")
        checks.counts(self, "ranks")
        if self.rounds is not None:
            checks.counts(self, "rounds")
        checks.number(self, "after_seconds", remedy="0 means at once.")

    def fate(self, draw: Draw) -> Fate:
        """The end, after the delay, for those it hits."""
        struck = hit(draw, self.probability, self.ranks, self.rounds)
        return Fate(self.after_seconds, "crash") if struck else Fate()
