"""The same products again, each as a real job on the simulated engine: what the arrays say must be what it does."""

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anyk.code import Code
from anyk.engines.base import Lane
from anyk.engines.drive import drive
from anyk.engines.simulated import SimulatedEngine
from anyk.faults.base import Fate
from anyk.job import Job, State, first_threshold
from anyk.job.messages import Compute, Decoded, Suspected
from anyk.simulation.attempts import Array, Attempts, Load
from anyk.simulation.strategy import Strategy
from anyk.simulation.under_way import UnderWay

#: A silent worker answers after the end of time: nobody waits that long.
_NEVER = 1e200
#: Rounds nobody else draws from.
_FRESH = 2**40


def in_jobs(chosen: Strategy, code: Code | None, block: UnderWay, extra: int, retries: int, screened: bool) -> Array:
    """When a job ends that meets exactly these fates; infinite where it gives up.

    Args:
        chosen: the strategy; speculation is none of the job's.
        code: asked which answers decode; None: the strategy's count, or a copy of every block.
        block: the products, with every later attempt.
        extra: answers awaited beyond the threshold.
        retries: of one task.
        screened: wrong answers are found.
    """
    later: dict[int, dict[int, list[_Piece]]] = defaultdict(lambda: defaultdict(list))
    for again in block.story:
        pieces = _pieces(again.attempts, np.s_[:, 0])
        for row, worker, piece in zip(again.rows.tolist(), again.workers.tolist(), pieces, strict=True):
            later[row][worker].append(piece)
    ends = [_ended(chosen, code, block, row, later[row], extra, retries, screened) for row in range(len(block.times))]
    return np.array(ends)


#: Seconds until the answer, until the crash, and whether the answer is wrong.
_Piece = tuple[float, float, bool]


def _pieces(attempts: Attempts, where: Any) -> list[_Piece]:
    parts = attempts.seconds[where], attempts.crash_seconds[where], attempts.wrong[where]
    return [*zip(*(part.tolist() for part in parts), strict=True)]


def _ended(
    chosen: Strategy,
    code: Code | None,
    block: UnderWay,
    row: int,
    later: Mapping[int, list[_Piece]],
    extra: int,
    retries: int,
    screened: bool,
) -> float:
    workers = block.busy_until.shape[1]
    first = _pieces(block.first, row)
    pieces = [[piece] for piece in first] + [[] for _ in range(workers - chosen.tasks)]
    work = _Work([mine + later.get(rank, []) for rank, mine in enumerate(pieces)], screened, block.load)
    engine: Any = SimulatedEngine(workers, faults=work.fate, task_seconds=0.0, compute=False)
    knows = _Counting(chosen) if code is None else _Tables(code)
    job = Job(
        chosen.tasks,
        workers,
        threshold=chosen.needed,
        decodability=knows,
        stop=first_threshold(extra),
        retries=retries,
    )
    with engine:
        outcome = drive(job, engine, work)
        now = engine.clock.now()
    return now if outcome.state is State.DONE and now < _NEVER else np.inf


@dataclass
class _Work:
    """Sends nothing, decodes nothing, and knows who is wrong."""

    pieces: list[list[_Piece]]
    screened: bool
    load: Load
    given: dict[int, int] = field(default_factory=dict)
    wrong: dict[int, bool] = field(default_factory=dict)

    def fate(self, round: int, rank: int) -> Fate:
        """What was drawn for this worker's next piece of work."""
        if round == len(self.pieces[rank]):  # a code may want more than its threshold says
            fresh = self.load.attempts(range(_FRESH + round, _FRESH + round + 1), np.array([[rank]]))
            self.pieces[rank] += _pieces(fresh, np.s_[:, 0])
        seconds, crash, _ = self.pieces[rank][round]
        if crash < np.inf:
            return Fate(crash, "crash")
        return Fate(min(seconds, _NEVER))

    def start(self, compute: Compute, lane: Lane) -> "Future[Any]":
        """Submit the task."""
        piece = self.given.get(lane.rank, 0)
        self.given[lane.rank] = piece + 1
        future = lane.submit(int)
        self.wrong[compute.task] = self.pieces[lane.rank][piece][2]
        return future

    def decode(self, tasks: tuple[int, ...]) -> Decoded | Suspected:
        """The wrong ones, if there are any and anybody looks."""
        wrong = tuple(task for task in tasks if self.wrong[task])
        return Suspected(wrong, 0.0) if wrong and self.screened else Decoded(0.0)


@dataclass(frozen=True)
class _Counting:
    """Decodability by the strategy's own rule."""

    strategy: Strategy

    def sufficient(self, tasks: tuple[int, ...]) -> bool:
        """Enough answers, or a copy of every block."""
        if not self.strategy.copies:
            return len(tasks) >= self.strategy.needed
        blocks = self.strategy.tasks // self.strategy.copies
        return len({task % blocks for task in tasks}) == blocks

    def expected_error(self, tasks: tuple[int, ...]) -> float:
        """All or nothing."""
        return 0.0 if self.sufficient(tasks) else 1.0


@dataclass(frozen=True)
class _Tables:
    """Decodability by the code's tables."""

    code: Code

    def sufficient(self, tasks: tuple[int, ...]) -> bool:
        """Whether these answers decode in float64."""
        return self.code.decodes(tasks, "float64")

    def expected_error(self, tasks: tuple[int, ...]) -> float:
        """In float64."""
        return self.code.expected_error(tasks)
