"""How long the answers take: one matrix of drawn fates for all candidates, so that luck favours none.

The master sends the tasks one after the other through its link, each worker multiplies, is slow or late as drawn, and
the answers come back one after the other through the same link. Lost answers never come; a product that cannot be
formed is made again, so its time counts 1 / (1 - share lost) times.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.faults import FAULTS, FaultModel
from anyk.planning.order_statistics import mean_delay
from anyk.planning.request import Request
from anyk.simulation import answer_seconds, kth_smallest

Floats = NDArray[np.float64]

#: Products drawn, and numbers drawn in all where there are many workers.
_PRODUCTS, _NUMBERS, _FEWEST = 1000, 200_000, 100

#: Machines that are slow for good are drawn anew so often.
_CLUSTERS = 20


@dataclass(frozen=True)
class Task:
    """What waiting depends on, of one candidate.

    Args:
        seconds: of one undisturbed worker.
        send_seconds: of the link for one task.
        fetch_seconds: of the link for one answer.
        awaited: answers to wait for; with copies: of each product.
        workers: tasks.
        products: block products of which there are several copies each; 0: any answers will do.
    """

    seconds: float
    send_seconds: float
    fetch_seconds: float
    awaited: int
    workers: int
    products: int = 0


@dataclass(frozen=True)
class Wait:
    """Seconds from the first sending to the last awaited answer.

    Args:
        mean: of the products that were formed; times 1 / (1 - lost).
        late: the 99th percentile of all products; infinite where more than one in a hundred is lost.
        lost: share of the products that too few answers came for.
    """

    mean: float
    late: float
    lost: float = 0.0


class Waiting:
    """The cluster as it was drawn.

    Args:
        request: with workers, delays, cores.
        rng: decides all draws.

    >>> request = Request((8, 8), (8, 8), workers=4)
    >>> Waiting(request, np.random.default_rng(0)).of(Task(2.0, 0.5, 0.25, awaited=3, workers=4))
    Wait(mean=3.75, late=3.75, lost=0.0)
    """

    def __init__(self, request: Request, rng: Generator) -> None:
        self._request = request
        self._delays, self._slowdowns = _drawn(request, rng)
        self._in_tasks = request.delays is not None and request.delay_unit == "tasks" and _has_unit(request.delays)
        # Delays of any worker, for a first estimate.
        whole = self._delays * self._slowdowns if self._in_tasks else self._delays
        self._pool = np.sort(whole, axis=None)

    def estimate(self, seconds: Floats, share: Floats) -> Floats:
        """Roughly when a share of the workers has answered; by a quantile, for all candidates at once.

        Args:
            seconds: of one undisturbed worker.
            share: awaited / (workers + 1).
        """
        places = np.clip((share * len(self._pool)).astype(int), 0, len(self._pool) - 1)
        delays = self._pool[places]
        return np.asarray(seconds * delays if self._in_tasks else seconds + delays)

    def of(self, task: Task) -> Wait:
        """When the awaited answers of this task are there."""
        times = self._completions(task)
        formed = np.isfinite(times)
        lost = 1.0 - float(formed.mean())
        if lost == 1.0:
            return Wait(np.inf, np.inf, 1.0)
        exact = self._closed_form(task)
        mean = float(times[formed].mean()) if exact is None else exact
        return Wait(mean / (1 - lost), float(np.quantile(times, 0.99, method="higher")), lost)

    def _closed_form(self, task: Task) -> float | None:
        """The mean where all start together, have a core each, and share no link."""
        request = self._request
        shares = request.cores is not None and request.cores < task.workers
        if task.send_seconds or task.fetch_seconds or shares or (task.products and task.awaited > 1):
            return None
        copies = task.workers // task.products if task.products else 1
        delay = mean_delay(request.delays, task.products or task.awaited, task.workers, copies)
        if delay is None:
            return None
        return task.seconds * delay if self._in_tasks else task.seconds + delay

    def _completions(self, task: Task) -> Floats:
        """Seconds until each drawn product can be formed; infinite where it cannot."""
        delays, slowdowns = self._delays[:, : task.workers], self._slowdowns[:, : task.workers]
        starts = task.send_seconds * np.arange(1, task.workers + 1)
        late = np.maximum(delays - 1, 0) * task.seconds if self._in_tasks else delays
        if self._request.cores is None or self._request.cores >= task.workers:
            own = delays * task.seconds if self._in_tasks else task.seconds
            answers = starts + own * slowdowns + (0 if self._in_tasks else delays)
        else:
            began = starts + late
            done = shared_cores(began, task.seconds, self._request.cores)
            with np.errstate(invalid="ignore"):  # what is lost begins and ends at infinity
                answers = np.where(np.isfinite(began), done + (slowdowns - 1) * (done - began), np.inf)
        if task.products:
            return _covered(answers, task) + task.products * task.awaited * task.fetch_seconds
        if not task.fetch_seconds:
            return kth_smallest(answers, task.awaited)
        return _fetched(answers, task.awaited, task.fetch_seconds)


def shared_cores(began: Floats, seconds: float, cores: int) -> Floats:
    """When work is done that shares a few cores evenly, as processes of one machine do.

    Of n pieces at work each advances at the rate min(1, cores / n). All are of one size, so who began first ends first.

    Args:
        began: shape (products, workers), seconds; infinite: never.
        seconds: of each piece on a core of its own.
        cores: that they share.

    Returns:
        When each ends, in the order of ``began``.

    >>> shared_cores(np.array([[0.0, 0.0, 0.0, 9.0]]), 1.0, 2).tolist()
    [[1.5, 1.5, 1.5, 10.0]]
    """
    order = np.argsort(began, axis=1, kind="stable")
    arrivals = np.take_along_axis(began, order, axis=1)
    rounds, workers = arrivals.shape
    rows, ends = np.arange(rounds), np.full_like(arrivals, np.inf)
    padded = np.concatenate([arrivals, np.full((rounds, 1), np.inf)], axis=1)
    # Work that each piece at hand was given so far, counted from the start; and that count when a piece began.
    given, entered = np.zeros(rounds), np.zeros((rounds, workers + 1))
    now, came, left = np.zeros(rounds), np.zeros(rounds, int), np.zeros(rounds, int)
    for _ in range(2 * workers):
        count = came - left
        rate = np.minimum(1.0, cores / np.maximum(count, 1))
        missing = np.maximum(entered[rows, left] + seconds - given, 0.0)
        ending = np.where(count > 0, now + missing / rate, np.inf)
        coming = padded[rows, came]
        moment = np.minimum(ending, coming)
        going = np.isfinite(moment)
        given += np.where(going & (count > 0), (np.where(going, moment, 0.0) - now) * rate, 0.0)
        now = np.where(going, moment, now)
        ends_now, comes_now = going & (ending <= coming), going & (ending > coming)
        ends[rows[ends_now], left[ends_now]] = now[ends_now]
        entered[rows[comes_now], came[comes_now]] = given[comes_now]
        left, came = left + ends_now, came + comes_now
    unsorted = np.empty_like(ends)
    np.put_along_axis(unsorted, order, ends, axis=1)
    return unsorted


def _fetched(answers: Floats, awaited: int, each: float) -> Floats:
    """Answers queue for the link: the last ends ``each`` after it came or after the one before it, if that is later."""
    ordered = np.sort(answers, axis=1)[:, :awaited]
    behind = each * np.arange(awaited, 0, -1)
    return np.asarray((ordered + behind).max(axis=1))


def _covered(answers: Floats, task: Task) -> Floats:
    """When there are enough copies of every product; copies of product j are tasks j, j + N, …."""
    copies = answers.reshape(len(answers), -1, task.products)
    kth = np.partition(copies, task.awaited - 1, axis=1)[:, task.awaited - 1]
    return np.asarray(kth.max(axis=1))


def _drawn(request: Request, rng: Generator) -> tuple[Floats, Floats]:
    """Delays and slowdowns, shape (products, workers); infinite delays where an answer is lost."""
    if request.delays is None:
        return np.zeros((1, request.workers)), np.ones((1, request.workers))
    products = int(np.clip(_NUMBERS // request.workers, _FEWEST, _PRODUCTS))
    groups = _CLUSTERS if _lasts(request.delays) else 1
    parts = [_fates(request.delays, request.workers, products // groups, rng) for _ in range(groups)]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _fates(delays: FaultModel, workers: int, products: int, rng: Generator) -> tuple[Floats, Floats]:
    """A worker with nothing to do answers after its delay; with one second to do, after its slowdown more."""
    seed = int(rng.integers(2**63))
    idle, busy = (
        answer_seconds(delays, seconds=np.full(workers, work), products=products, rng=np.random.default_rng(seed))
        for work in (0.0, 1.0)
    )
    late = np.isfinite(idle)
    return idle, np.where(late, np.where(late, busy, 0) - np.where(late, idle, 0), 1.0)


def _members(delays: Any) -> tuple[Any, ...]:
    return tuple(getattr(delays, "models", (delays,)))


def _has_unit(delays: Any) -> bool:
    """Some delay is drawn in task times, which its model multiplies by a unit."""
    return any(hasattr(member, "unit_seconds") for member in _members(delays))


def _lasts(delays: Any) -> bool:
    """Luck lasts for a whole run."""
    lasting = tuple(family.model for family in FAULTS.values() if "rounds" in family.correlated)
    return any(isinstance(member, lasting) for member in _members(delays))
