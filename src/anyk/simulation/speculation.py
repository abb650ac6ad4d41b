"""Speculative execution: a second copy of every task that is late, by the rules of the systems that have it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from anyk.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Speculation:
    r"""When late tasks are computed a second time.

    All tasks start together. Once ``quantile`` of them have answered, the master looks at those still out, now and
    then; if they have been out for longer than ``multiplier`` times the reference time, each is given to a worker that
    is free, and whoever answers first counts. That happens at most once to a task.

    Args:
        quantile: share of the tasks that must have answered, above 0 and at most 1.
        multiplier: above 0.
        interval_seconds: between two looks; at least 0 (0: all the time).
        least_tasks: fewer tasks are left alone.
        least_seconds: nothing is late before.
        is_moving: the reference is the median of all that answered so far, as in Spark; else the ``quantile`` of the
            answers, as in cubed.
        looks_at_answers: looks at every answer, and so long after it; else at multiples of the interval.

    Raises:
        InputError: a field outside these bounds.

    Reference:
        Spark: ``TaskSetManager.checkSpeculatableTasks`` and the defaults of ``spark.speculation.*``, from version 4 on
        (``quantile`` 0.9, ``multiplier`` 3) and before (0.75, 1.5). cubed: ``cubed.runtime.backup``, looked at by
        ``async_map_unordered`` at every answer and two seconds after the last one.

    >>> times = np.array([[1.0, 1.0, 1.0, 9.0]])
    >>> Speculation(0.75, 1.5, interval_seconds=0.1).starts(times)
    array([1.6])
    """

    quantile: float
    multiplier: float
    interval_seconds: float = 0.1
    least_tasks: int = 1
    least_seconds: float = 0.0
    is_moving: bool = True
    looks_at_answers: bool = False

    def __post_init__(self) -> None:
        rules = {
            "quantile": (0 < self.quantile <= 1, "above 0 and at most 1"),
            "multiplier": (0 < self.multiplier < np.inf, "above 0"),
            "interval_seconds": (0 <= self.interval_seconds < np.inf, "at least 0"),
        }
        for name, (holds, rule) in rules.items():
            if not holds:
                value = getattr(self, name)
                raise InputError(f"`Speculation({name}={value!r})` is no rule: {name} is {rule}. Spark has 0.9 and 3.")

    def starts(self, times: Array) -> Array:
        """When the tasks still out get their second copies.

        Args:
            times: of the first copies' answers, shape (products, tasks), seconds; infinite where lost.

        Returns:
            Shape (products,), seconds; infinite where none is ever late. All tasks still out at that moment are late,
            for all began together.
        """
        tasks = times.shape[1]
        # Spark counts whole tasks downwards, cubed upwards.
        fewest = max(1, int(self.quantile * tasks) if self.is_moving else ceil(self.quantile * tasks))
        if tasks < self.least_tasks or fewest >= tasks:
            return np.full(len(times), np.inf)
        ordered = np.sort(times, axis=1)
        came = np.arange(fewest, tasks)
        since, until = ordered[:, came - 1], ordered[:, came]
        with np.errstate(invalid="ignore"):
            if self.is_moving:
                reference = (ordered[:, (came - 1) // 2] + ordered[:, came // 2]) / 2
            else:
                reference = ordered[:, fewest - 1 : fewest]
            late = np.maximum(self.multiplier * reference, self.least_seconds)
            looks = self._look(since, late)
        found: Array = np.where(looks < until, looks, np.inf).min(axis=1, initial=np.inf)
        return found

    def _look(self, since: Array, late: Array) -> Array:
        """The first look in the time from ``since`` on that finds tasks out for longer than ``late``."""
        if not self.interval_seconds:
            looks: Array = np.maximum(since, np.nextafter(late, np.inf))
        elif self.looks_at_answers:
            looks = since + self.interval_seconds * np.maximum(0, np.floor((late - since) / self.interval_seconds) + 1)
        else:
            ticks = np.maximum(np.ceil(since / self.interval_seconds), np.floor(late / self.interval_seconds) + 1)
            looks = self.interval_seconds * ticks
        return looks


#: Rules by name.
SPECULATIONS: Mapping[str, Speculation] = MappingProxyType(
    {
        "spark": Speculation(0.9, 3.0, 0.1, least_seconds=0.1),
        "spark3": Speculation(0.75, 1.5, 0.1, least_seconds=0.1),
        "cubed": Speculation(0.5, 3.0, 2.0, least_tasks=10, is_moving=False, looks_at_answers=True),
    }
)
