"""How often to save: seldom enough to cost little, often enough to lose little."""

from collections import deque
from collections.abc import Callable
from math import isnan, nan
from statistics import median
from typing import Literal

import numpy as np

from anyk.errors import InputError

#: The longest interval, in steps, and the one before anything is measured.
_LONGEST, _FIRST = 1000, 10


def best_interval(save_seconds: float, step_seconds: float, rollbacks: int, executed: int) -> int:
    r"""Steps between checkpoints that cost least time, from 1 to 1000.

    With $T_s$ for verifying and saving, $\tau$ for a step and a probability $q$ that a step ends in a roll-back, a
    useful step takes $\tau ((1 - q)^{-C} - 1) / (q C) + T_s / C$ seconds on average. For small $q$ that is least at $C
    = \sqrt{2 T_s / (q \tau)}$. $q$ is estimated as (rollbacks + 1/2) / (executed + 1).

    Args:
        save_seconds: to verify and save.
        step_seconds: of one step.
        rollbacks: so far, at most one for each step.
        executed: steps so far.

    >>> best_interval(0.1, 0.01, rollbacks=2, executed=1249)
    94
    """
    failing = min((rollbacks + 0.5) / (executed + 1), 0.99)
    every = np.arange(1, _LONGEST + 1)
    with np.errstate(over="ignore"):
        steps = np.expm1(-every * np.log1p(-failing)) / (failing * every)
    return int(np.argmin(step_seconds * steps + save_seconds / every)) + 1


class Interval:
    """Steps between checkpoints, as given or as measured.

    Args:
        every: at least 1, or ``"auto"``: `best_interval` of what was measured of late.
        usual: makes one number of what all nodes have measured, so that they save at the same step; NaN: nothing yet.

    Attributes:
        steps: between checkpoints, at present.

    Raises:
        InputError: anything else.
    """

    def __init__(self, every: int | Literal["auto"], usual: Callable[[float], float]) -> None:
        if every != "auto" and (type(every) is not int or every < 1):
            raise InputError(f"`Guard(every={every!r})` needs an integer of at least 1, or 'auto'.")
        self.steps = _FIRST if every == "auto" else every
        self._measures, self._usual = every == "auto", usual
        self._step_seconds, self._save_seconds = deque[float](maxlen=50), deque[float](maxlen=5)

    def step_took(self, seconds: float) -> None:
        """One more step."""
        self._step_seconds.append(seconds)

    def save_took(self, seconds: float) -> None:
        """One more checkpoint, with its verification."""
        self._save_seconds.append(seconds)

    def measure(self, rollbacks: int, executed: int) -> None:
        """Choose again; all nodes are there."""
        if self._measures:
            save, step = (self._usual(median(each or [nan])) for each in (self._save_seconds, self._step_seconds))
            if not isnan(save + step):
                self.steps = best_interval(save, step, rollbacks, executed)
