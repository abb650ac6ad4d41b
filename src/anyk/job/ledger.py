"""Where every task is, and nothing else: the job's books.

A task is *waiting* to be sent, *pending* on a worker, *received*, or *spent* (lost, no retry left). Of the received,
none is wrong: an answer found wrong goes back to waiting, or is spent. Every sending is an attempt; whoever brings an
answer names the attempt, and an attempt that is not the pending one changes nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from anyk.job.messages import Cancel, Compute
from anyk.job.placement import elsewhere


@dataclass(frozen=True)
class Loss:
    """One attempt that will never be answered."""

    task: int
    worker: int
    cause: str


class Ledger:
    """The books of as many tasks as ``homes`` on ``workers`` workers, each task sent at most ``1 + retries`` times."""

    def __init__(self, homes: Sequence[int], workers: int, retries: int, distrusted: Collection[int] = ()) -> None:
        self.tasks, self.workers, self.retries = len(homes), workers, retries
        #: Where each task is sent first.
        self.homes = tuple(homes)
        #: Tasks to send as soon as a worker is there.
        self.waiting: set[int] = set()
        #: Task -> the worker it was sent to.
        self.pending: dict[int, int] = {}
        #: Task -> the worker that answered, in the order the answers came.
        self.received: dict[int, int] = {}
        #: Task -> the worker whose answer was found wrong; until another answer comes.
        self.wrong: dict[int, int] = {}
        #: Living worker -> tasks it owes.
        self.loads: dict[int, int] = {}
        #: Workers found wrong or silent, now or before, and not replaced since.
        self.distrusted: set[int] = {*distrusted}
        #: Task -> times it was sent.
        self.sent: list[int] = [0] * self.tasks
        self.losses: list[Loss] = []

    def open(self) -> None:
        """Every worker is there, every task waits."""
        self.loads = dict.fromkeys(range(self.workers), 0)
        self.waiting = set(range(self.tasks))

    def send(self) -> list[Compute]:
        """Send all that waits; a worker lives."""
        return [self._send(task) for task in sorted(self.waiting)]

    def receive(self, task: int, attempt: int) -> bool:
        """Book an answer; False if it is not the pending attempt's."""
        if not self._is_pending(task, attempt):
            return False
        self.received[task] = self._release(task)
        self.wrong.pop(task, None)
        return True

    def lose(self, task: int, attempt: int, cause: str) -> bool:
        """Book a loss; False if it is not the pending attempt's."""
        if not self._is_pending(task, attempt):
            return False
        self.losses.append(Loss(task, self._release(task), cause))
        self._wait(task)
        return True

    def leave(self, worker: int, cause: str) -> bool:
        """A worker is gone with all it owed; False if it was not there."""
        if worker not in self.loads:
            return False
        for task in [task for task, place in self.pending.items() if place == worker]:
            self.lose(task, self.sent[task] - 1, cause)
        del self.loads[worker]
        return True

    def join(self, worker: int) -> bool:
        """A worker is there, fresh; False if no such rank exists."""
        if not 0 <= worker < self.workers:
            return False
        self.loads.setdefault(worker, 0)
        self.distrusted.discard(worker)
        return True

    def drop(self, tasks: Iterable[int]) -> None:
        """Forget these received answers: they are wrong."""
        for task in tasks:
            self.wrong[task] = self.received.pop(task)
            self.distrusted.add(self.wrong[task])
            self._wait(task)

    def miss(self, tasks: Iterable[int], cause: str) -> None:
        """These received answers are gone; their workers may be there, but have not said so."""
        for task in tasks:
            self.losses.append(Loss(task, self.received.pop(task), cause))
            self.distrusted.add(self.losses[-1].worker)
            self._wait(task)

    def cancel(self) -> list[Cancel]:
        """Free every worker that still owes something."""
        cancels = [Cancel(task, worker, self.sent[task] - 1) for task, worker in self.pending.items()]
        for cancel in cancels:
            self._release(cancel.task)
        return cancels

    def check(self) -> None:
        """Every invariant of the books."""
        places = [*self.waiting, *self.pending, *self.received]
        assert len(places) == len(set(places)), "a task is in two places"
        assert not self.wrong.keys() & self.received.keys(), "a wrong answer counts as received"
        assert set(self.pending.values()) <= self.loads.keys(), "a task is pending on a worker that is gone"
        assert sum(self.loads.values()) == len(self.pending), "the loads do not add up"
        assert max(self.sent) <= 1 + self.retries, "a task was sent too often"

    def _is_pending(self, task: int, attempt: int) -> bool:
        return task in self.pending and attempt == self.sent[task] - 1

    def _wait(self, task: int) -> None:
        if self.sent[task] <= self.retries:
            self.waiting.add(task)

    def _send(self, task: int) -> Compute:
        worker = self._place(task)
        self.waiting.remove(task)
        self.pending[task] = worker
        self.loads[worker] += 1
        self.sent[task] += 1
        return Compute(task, worker, self.sent[task] - 1)

    def _place(self, task: int) -> int:
        worker = self.homes[task]
        if self.sent[task] == 0 and worker in self.loads:
            return worker
        failed = {loss.worker for loss in self.losses if loss.task == task}
        return elsewhere(self.loads, failed=failed, distrusted=self.distrusted)

    def _release(self, task: int) -> int:
        worker = self.pending.pop(task)
        self.loads[worker] -= 1
        return worker
