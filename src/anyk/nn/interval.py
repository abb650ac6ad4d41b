"""How often to save: seldom enough to cost little, often enough to lose little."""

import math
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Literal

from anyk.errors import InputError

#: The longest interval, in steps, and the one before anything is measured.
_LONGEST, _FIRST = 1000, 10


def best_interval(save_seconds: float, step_seconds: float, rollbacks: int, executed: int) -> int:
    r"""Steps between checkpoints that cost least time, from 1 to 1000.

    With $T_s$ for verifying and saving, $\tau$ for a step and a probability $q$ that a step ends in a roll-back, that
    is $\sqrt{2 T_s / (q \tau)}$ to first order. $q$ is estimated as (rollbacks + 1/2) / (executed + 1).

    Args:
        save_seconds: to verify and save.
        step_seconds: of one step.
        rollbacks: so far.
        executed: steps so far.

    >>> (
    ...     best_interval(0.1, 0.01, rollbacks=0, executed=0),
    ...     best_interval(0.1, 0.01, rollbacks=2, executed=1249),
    ... )
    (6, 100)
    """
    failing = (rollbacks + 0.5) / (executed + 1)
    return max(1, min(_LONGEST, round(math.sqrt(2 * save_seconds / (failing * max(step_seconds, 1e-9))))))


class Interval:
    """Steps between checkpoints, as given or as measured.

    Args:
        every: at least 1, or ``"auto"``: `best_interval` of what was measured of late.
        usual: makes one number of what all nodes have measured, so that they save at the same step.

    Raises:
        InputError: anything else.
    """

    def __init__(self, every: int | Literal["auto"], usual: Callable[[float], float]) -> None:
        if every != "auto" and (type(every) is not int or every < 1):
            raise InputError(f"`Guard(every={every!r})` needs an integer of at least 1, or 'auto'.")
        self._every, self._usual = every, usual
        self._steps, self._saves = deque[float](maxlen=50), deque[float](maxlen=5)
        self._pace: tuple[float, float] | None = None

    def step_took(self, seconds: float) -> None:
        """One more step."""
        self._steps.append(seconds)

    def save_took(self, seconds: float) -> None:
        """One more checkpoint, with its verification; all nodes are there."""
        self._saves.append(seconds)
        if self._every == "auto" and self._steps:
            self._pace = self._usual(median(self._saves)), self._usual(median(self._steps))

    def length(self, rollbacks: int, executed: int) -> int:
        """Steps between checkpoints, at present."""
        if self._every != "auto":
            return self._every
        return _FIRST if self._pace is None else best_interval(*self._pace, rollbacks, executed)
