"""A host or rack goes down with all its workers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates, ended


@dataclass(frozen=True)
class GroupOutage:
    """Neighbouring ranks share a host, and the host is lost as one.

    Ranks ``0 … size-1`` are one group, the next ``size`` another. In every round each group is
    lost with ``probability``.

    Args:
        size: workers per group; at least 1.
        probability: of each group in each round, from 0 to 1.
        end: ``"crash"`` the workers die; ``"stop"`` they fall silent, as when a link is cut.
        after_seconds: how long after receiving the work; at least 0.

    Raises:
        InputError: a field outside these bounds.

    >>> outage = GroupOutage(size=4, probability=1.0, end="stop")
    >>> outage.fate(Draw(seed=0, round=0, rank=7)).end
    'stop'
    """

    size: int = 4
    probability: float = 0.01
    end: Literal["crash", "stop"] = "crash"
    after_seconds: float = 0.0

    def __post_init__(self) -> None:
        checks.whole(self, "size", 1, "Give the number of workers per host, for example 4.")
        checks.probability(self, "probability")
        checks.number(self, "after_seconds", remedy="0 means at once.")
        if self.end not in ("crash", "stop"):
            checks.refuse(self, "end", self.end, '"crash" or "stop"', "A crash is seen at once, a stop by nobody.")

    def fate(self, draw: Draw) -> Fate:
        """Lost if this rank's group is lost in this round."""
        group = draw.rank // self.size
        lost = draw.shared().random(group + 1)[-1] < self.probability
        return Fate(self.after_seconds, self.end) if lost else Fate()

    def fates(self, draws: Draws) -> Fates:
        """The same for many: a group is lost in a round with all its ranks."""
        groups = draws.places // self.size
        if draws.shape[1] == 1:  # one piece in each round: whichever group it is, its luck is its own
            return ended(draws.shared().random(draws.shape) < self.probability, self.end, self.after_seconds)
        lost = draws.shared().random((len(draws.rounds), groups.max(initial=-1) + 1)) < self.probability
        return ended(np.take_along_axis(lost, groups, axis=1), self.end, self.after_seconds)
