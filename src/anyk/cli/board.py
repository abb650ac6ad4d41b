"""What became of every attempt so far, read from a job's steps as it takes them; views draw it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from anyk.job import State, Step
from anyk.job.messages import Cancel, Compute, Decode, Decoded, Event, Left, Lost, Result, Started, Suspected

#: ``out``: being computed; ``answered``: not needed, or not yet; ``late``: still out when the product was there.
Fortune = Literal["out", "answered", "used", "wrong", "late", "lost"]


@dataclass
class Attempt:
    """One task on one worker.

    Args:
        task: which.
        worker: where.
        began: on the engine's clock.
        ended: on the engine's clock; None: not yet.
        state: see `Fortune`.
        cause: of a loss, in words.
    """

    task: int
    worker: int
    began: float
    ended: float | None = None
    state: Fortune = "out"
    cause: str = ""


class Board:
    """The attempts of one job, and the time since the first job seen: a product in bands is one job after the other.

    Args:
        now: the engine's clock, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.attempts: list[Attempt] = []
        #: Jobs seen so far.
        self.jobs = 0
        self.began: float | None = None
        self.ended: float | None = None
        self.is_failed = False
        self._now = now
        self._asked: tuple[int, ...] = ()

    def see(self, step: Step) -> None:
        """Take in what the job heard, then what it said."""
        self._hear(step.event)
        for said in step.instructions:
            match said:
                case Compute(task=task, worker=worker):
                    self.attempts.append(Attempt(task, worker, step.event.at))
                case Cancel(task=task):
                    self._end(task, step.event.at, "late")
                case Decode(tasks=tasks):
                    self._asked = tasks
        if step.state in (State.DONE, State.FAILED) and self.ended is None:
            self.ended, self.is_failed = step.event.at, step.state is State.FAILED

    def elapsed(self) -> float:
        """Seconds since the start, up to the end."""
        if self.began is None:
            return 0.0
        return (self._now() if self.ended is None else self.ended) - self.began

    def total(self) -> int:
        """How many tasks there are."""
        return len({attempt.task for attempt in self.attempts})

    def count(self, *states: Fortune) -> int:
        """How many attempts are in one of these states."""
        return sum(attempt.state in states for attempt in self.attempts)

    def answered(self) -> int:
        """How many answers came."""
        return self.count("answered", "used")

    def _hear(self, event: Event) -> None:
        match event:
            case Started():
                self.jobs += 1
                self.began = event.at if self.began is None else self.began
                self.attempts, self.ended, self.is_failed = [], None, False
            case Result(task=task):
                self._end(task, event.at, "answered")
            case Lost(task=task, cause=cause):
                self._end(task, event.at, "lost", cause)
            case Left(worker=worker, cause=cause):
                for attempt in self.attempts:
                    if attempt.worker == worker:
                        self._end(attempt.task, event.at, "lost", cause)
            case Suspected(tasks=tasks, cause=cause):
                self._mark(tasks, "answered", "lost" if cause else "wrong")
            case Decoded():
                self._mark(self._asked, "answered", "used")

    def _end(self, task: int, at: float, state: Fortune, cause: str = "") -> None:
        for attempt in self.attempts:
            if attempt.task == task and attempt.state == "out":
                attempt.ended, attempt.state, attempt.cause = at, state, cause

    def _mark(self, tasks: tuple[int, ...], old: Fortune, new: Fortune) -> None:
        for attempt in self.attempts:
            if attempt.task in tasks and attempt.state == old:
                attempt.state = new
