"""A block of products under way: where every task is, and to whom a lost one is sent again.

The rules are those of `anyk.job`; here they hold for thousands of products in one step.
"""

from dataclasses import dataclass, field

import numpy as np

from anyk.simulation.attempts import Array, Attempts, Flags, Load, Ranks

#: How many workers are looked at first for a free one.
_LOOK = 64


@dataclass(frozen=True, eq=False)
class Again:
    """Attempts at tasks that had been sent before; every field has shape (attempts,).

    Args:
        rows: which product of the block.
        tasks: which task.
        workers: who was asked.
        since: when, in seconds from the product's start.
        attempts: what befell each, shape (attempts, 1).
    """

    rows: Ranks
    tasks: Ranks
    workers: Ranks
    since: Array
    attempts: Attempts


@dataclass(eq=False)
class UnderWay:
    """A block of products; arrays have a row per product and a column per task (``busy_until``: per worker).

    Args:
        load: what workers have to do.
        spare: the rounds of later attempts begin here.
        first: the first attempts; task w on worker w.
        times: when each task is answered, as far as known; infinite where it is not.
        since: when the attempt was sent that answers it.
        wrong: whether that answer is wrong.
        workers: who gives it.
        sent: how often each task was sent.
        busy_until: when each worker is free.
        turns: of what keeps each worker busy; at one moment, the lowest turn comes first.
        story: every later attempt.
    """

    load: Load
    spare: int
    first: Attempts
    times: Array
    since: Array
    wrong: Flags
    workers: Ranks
    sent: Ranks
    busy_until: Array
    turns: Ranks
    story: list[Again] = field(default_factory=list)
    _looked: Ranks = field(init=False)
    _looked_at: Array = field(init=False)
    _replaced: Ranks = field(init=False)

    def __post_init__(self) -> None:
        self._looked, self._replaced = np.zeros((2, len(self.times)), np.intp)
        self._looked_at = np.full(len(self.times), -np.inf)

    @classmethod
    def begun(cls, load: Load, rounds: range, spare: int, tasks: int) -> "UnderWay":
        """Every task has been sent to the worker of its number."""
        first, shape = load.attempts(rounds, tasks), (len(rounds), tasks)
        busy = np.full((len(rounds), load.seconds.size), -np.inf)
        busy[:, :tasks] = first.ends
        return cls(
            load,
            spare,
            first,
            first.seconds,
            np.broadcast_to(np.zeros(1), shape),
            first.wrong,
            np.broadcast_to(np.arange(tasks), shape),
            np.broadcast_to(np.ones(1, np.intp), shape),
            busy,
            np.broadcast_to(np.arange(busy.shape[1]), busy.shape),
        )

    def send(self, rows: Ranks, tasks: Ranks, workers: Ranks, since: Array, *, replaces: bool) -> Attempts:
        """Send tasks again.

        Args:
            rows: of the tasks, in any number; a pair of row and task, or row and worker, comes once.
            tasks: which.
            workers: to whom.
            since: when; one who is busy begins later.
            replaces: earlier answers to these tasks do not count; else the first answer does.
        """
        attempts = self._attempts(rows, workers)
        busy = self.busy_until[rows, workers]
        since = np.where(np.isfinite(busy), np.maximum(since, busy), since)
        self.own_everything()
        self.busy_until[rows, workers] = since + attempts.ends[:, 0]
        self.turns[rows, workers] = self.turns.shape[1] + self.spare
        self.story.append(Again(rows, tasks, workers, since, attempts))
        answers = since + attempts.seconds[:, 0]
        self.sent[rows, tasks] += 1
        counts = np.ones(rows.size, bool) if replaces else answers < self.times[rows, tasks]
        rows, tasks = rows[counts], tasks[counts]
        self.times[rows, tasks], self.since[rows, tasks] = answers[counts], since[counts]
        self.wrong[rows, tasks], self.workers[rows, tasks] = attempts.wrong[counts, 0], workers[counts]
        return attempts

    def elsewhere(self, rows: Ranks, now: Array, failed: Ranks, turns: Ranks | float = np.inf) -> Ranks:
        """Where a lost task is sent, by `anyk.job.placement.elsewhere`: the lowest rank that is free.

        Where none is, whoever is free next (the job: whoever owes least).

        Args:
            rows: products, each once.
            now: the moment, in each.
            failed: workers who lost this task, the last of them just now; asked only where nobody else is free; shape
                (rows, any number).
            turns: of what happens now; whoever comes free at this very moment, but later, is still busy.
        """
        kept = self.busy_until[rows[:, None], failed]
        self.busy_until[rows[:, None], failed] = np.inf
        before = np.broadcast_to(turns, rows.shape)
        before, last = np.broadcast_to(turns, rows.shape), self.busy_until.shape[1] - 1
        # At one moment first losses come in the order of ranks: who was not free for the last one is not now, but for
        # the worker that was lost then and has been replaced.
        same = (self._looked_at[rows] == now) & (before <= last)
        looked, replaced = np.where(same, self._looked[rows], 0), np.where(same, self._replaced[rows], last)
        is_free = same & (replaced < looked) & (self.busy_until[rows, replaced] == now)
        is_free &= self.turns[rows, replaced] < before
        found, width = np.where(is_free, replaced, -1), _LOOK
        left = np.flatnonzero(~is_free & (looked <= last))
        while left.size:
            ranks = np.minimum(looked[left, None] + np.arange(width), last)
            part, moment = self.busy_until[rows[left, None], ranks], now[left, None]
            free = (part < moment) | ((part == moment) & (self.turns[rows[left, None], ranks] < before[left, None]))
            hit = free.any(axis=1)
            found[left[hit]] = ranks[hit, free[hit].argmax(axis=1)]
            looked[left] = np.where(hit, found[left], looked[left] + width)
            left, width = left[~hit & (looked[left] <= last)], 4 * width
        self._looked[rows], self._looked_at[rows], self._replaced[rows] = looked, now, failed[:, -1]
        self.busy_until[rows[:, None], failed] = kept
        own = np.where(kept <= now[:, None], failed, last + 1).min(axis=1)
        found = np.where((found < 0) & (own <= last), own, found)
        for at in np.flatnonzero(found < 0):
            queue = self.busy_until[rows[at]]
            found[at] = queue.argmin() if np.isfinite(queue.min()) else failed[at, -1]
        return found

    def ended(self, silent: float) -> Array:
        """When nothing is out any more, shape (products,); ``silent``: when a worker ends that fell silent."""
        last: Array = _known(self.first.ends, silent).max(axis=1)
        for again in self.story:
            np.maximum.at(last, again.rows, again.since + _known(again.attempts.ends[:, 0], silent))
        return last

    def _attempts(self, rows: Ranks, workers: Ranks) -> Attempts:
        """Attempts one by one; each in a round of its own, so that no two share their luck."""
        start, self.spare = self.spare, self.spare + rows.size
        return self.load.attempts(range(start, start + rows.size), workers[:, None])

    def own_everything(self) -> None:
        """What was shared so far is about to be written to."""
        if not self.sent.flags.writeable:
            self.times, self.since = self.times.copy(), self.since.copy()
            self.wrong, self.workers, self.sent = self.wrong.copy(), self.workers.copy(), self.sent.copy()
            self.turns = self.turns.copy()


def _known(ends: Array, silent: float) -> Array:
    known: Array = np.where(np.isfinite(ends), ends, silent)
    return known
