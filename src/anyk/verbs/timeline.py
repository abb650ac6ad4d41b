"""What became of every sending of every task, read off a job's story."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from anyk.job import Step
from anyk.job.messages import Cancel, Compute, Decode, Event, Left, Lost, Result, Started, Suspected

Key = tuple[int, int]


@dataclass(frozen=True)
class Stretch:
    """One attempt at one task, for a timeline.

    Args:
        task: which coded product.
        worker: who was asked.
        attempt: 0 for the first sending.
        sent_seconds: since the job began.
        ended_seconds: since the job began; None if it was still out when the job ended.
        outcome: ``"used"``, ``"answered"`` (not needed, or too late), ``"lost"``, ``"cancelled"``, ``"wrong"``.
        cause: of a loss, in words; else empty.
        band: which band of rows of the product, from 0.
    """

    task: int
    worker: int
    attempt: int
    sent_seconds: float
    ended_seconds: float | None
    outcome: str
    cause: str = ""
    band: int = 0


def timeline(steps: Sequence[Step]) -> list[Stretch]:
    """Every attempt at every task, in the order they were sent; band after band.

    Args:
        steps: one job's story, or several, one after the other.
    """
    began = steps[0].event.at if steps else 0.0
    starts = [at for at, step in enumerate(steps) if isinstance(step.event, Started)]
    bands = [steps[start:end] for start, end in pairwise([*starts, len(steps)])]
    return [stretch for number, band in enumerate(bands) for stretch in _Band(number, began).read(band)]


class _Band:
    """One job's books, kept again from its story."""

    def __init__(self, number: int, began: float) -> None:
        self._number, self._began = number, began
        self._rows: dict[Key, Stretch] = {}
        #: Task -> the attempt whose answer counts.
        self._received: dict[int, int] = {}
        self._decoded: list[Key] = []

    def read(self, steps: Sequence[Step]) -> list[Stretch]:
        for step in steps:
            self._hear(step.event, step.event.at - self._began)
            for said in step.instructions:
                if isinstance(said, Compute):
                    sent = step.event.at - self._began
                    row = Stretch(said.task, said.worker, said.attempt, sent, None, "cancelled", band=self._number)
                    self._rows[said.task, said.attempt] = row
                elif isinstance(said, Cancel):
                    self._end((said.task, said.attempt), step.event.at - self._began, "cancelled")
                elif isinstance(said, Decode):
                    self._decoded = [(task, self._received[task]) for task in said.tasks if task in self._received]
        for key in self._decoded:
            if self._rows[key].outcome == "answered":
                self._rows[key] = replace(self._rows[key], outcome="used")
        return [*self._rows.values()]

    def _hear(self, event: Event, at: float) -> None:
        if isinstance(event, Result) and self._is_open(key := (event.task, event.attempt)):
            self._end(key, at, "answered")
            self._received[event.task] = event.attempt
        elif isinstance(event, Lost) and self._is_open(key := (event.task, event.attempt)):
            self._end(key, at, "lost", event.cause)
        elif isinstance(event, Left):
            for key, row in self._rows.items():
                if row.worker == event.worker and row.ended_seconds is None:
                    self._end(key, at, "lost", event.cause)
        elif isinstance(event, Suspected):
            for task in event.tasks:
                if task in self._received:
                    key = task, self._received.pop(task)
                    outcome = "lost" if event.cause else "wrong"
                    self._rows[key] = replace(self._rows[key], outcome=outcome, cause=event.cause)

    def _is_open(self, key: Key) -> bool:
        """Nobody has ended this attempt, or the master cancelled it: an answer then came all the same."""
        return key in self._rows and self._rows[key].outcome == "cancelled"

    def _end(self, key: Key, at: float, outcome: str, cause: str = "") -> None:
        self._rows[key] = replace(self._rows[key], ended_seconds=at, outcome=outcome, cause=cause)
