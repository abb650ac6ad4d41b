"""The one loop between a job and an engine: futures become the job's events, its instructions become submits.

All facts pass through one inbox, stamped with the engine's clock where they arise; the loop takes one at a time.
Whoever answers after the loop has ended speaks to an inbox nobody reads.
"""

import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import Any, Protocol

from anyk.engines import base
from anyk.engines.base import Cancelled, Clock, Engine, Lane, WorkerLost
from anyk.engines.interrupt import Interrupt
from anyk.engines.replacement import Replacements
from anyk.job.machine import Job
from anyk.job.messages import (
    Cancel,
    Compute,
    Decode,
    Decoded,
    Event,
    GiveUp,
    Instruction,
    Joined,
    Left,
    Lost,
    Result,
    Started,
    Suspected,
    WakeAt,
    Woke,
)
from anyk.job.table import ENDED, State, Step

#: What may look on: called with every step a job takes, in the loop's thread, before the loop acts on it. Where it
#: raises, a warning says so, and the job goes on unwatched.
Watch = Callable[[Step], None]


class Work(Protocol):
    """What a caller of `drive` adds: how a task is sent, and how answers become a product."""

    def start(self, compute: Compute, lane: Lane, /) -> "Future[Any]":
        """Put what the task needs on this lane (it may be new and empty) and submit it; never waits."""
        ...

    def decode(self, tasks: tuple[int, ...], /) -> Decoded | Suspected:
        """Form the product from these tasks' answers, all of which are there; the fact's time is set by the loop."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Args:
        state: DONE or FAILED.
        reason: in words.
        tasks: whose answers made the product, sorted; empty after a failure.
        error: the measured relative error of the product, if it was measured.
        events: the whole story, step by step.
        seconds: ``collect`` and ``decode``, on the engine's clock.
        late: answers that came too late to be used, as far as they had come by the end.
    """

    state: State
    reason: str
    tasks: tuple[int, ...]
    error: float | None
    events: tuple[Step, ...]
    seconds: Mapping[str, float]
    late: int


def drive(job: Job, engine: Engine, work: Work, *, watch: Watch | None = None) -> Outcome:
    """Run a job on an engine to its end.

    A lost worker is replaced where the engine can; its attempts are then reported lost, and the job decides what to
    repeat.

    Args:
        job: not started yet.
        engine: at least as many lanes as the job has workers; stays open.
        work: how to send and how to decode.
        watch: sees every step as the job takes it.

    Returns:
        The outcome, of a product or of a failure; failures are data here.

    Raises:
        BaseException: what ``work`` raises, or an interrupt from the keyboard, once everything pending is cancelled.
    """
    decodings = drive_stepwise(job, engine, work, watch=watch)
    while True:
        try:
            next(decodings)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


def drive_stepwise(
    job: Job, engine: Engine, work: Work, *, watch: Watch | None = None
) -> Generator[Decoded | Suspected, None, Outcome]:
    """As `drive`, pausing after every decoding: the generator yields what came of it and returns the outcome.

    Leaving the generator early (``close``) cancels everything pending.
    """
    loop = _Loop(job, engine, work, watch)
    unsubscribe = engine.subscribe(loop.inbox.put)
    if isinstance(watch, Interrupt):
        watch.attach(loop.inbox.put)
    try:
        return (yield from loop.run())
    finally:
        unsubscribe()
        loop.abandon()


@dataclass(frozen=True)
class _Answer:
    """A future is done."""

    compute: Compute
    future: "Future[Any]"
    at: float


def _deliver(inbox: "SimpleQueue[Any]", clock: Clock, compute: Compute, future: "Future[Any]") -> None:
    inbox.put(_Answer(compute, future, clock.now()))


class _Loop:
    def __init__(self, job: Job, engine: Engine, work: Work, watch: Watch | None) -> None:
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self._watch = watch
        self._job, self._engine, self._work, self._clock = job, engine, work, engine.clock
        # What is out: (task, attempt) -> its future and the lane that computes it.
        self._out: dict[tuple[int, int], tuple[Future[Any], Lane]] = {}
        self._wakes: list[float] = []
        self._workers = Replacements(engine)
        self._decode_seconds = 0.0
        self._decodings: deque[Decoded | Suspected] = deque()
        self._error: float | None = None

    def run(self) -> Generator[Decoded | Suspected, None, Outcome]:
        began = self._clock.now()
        self._tell([Started(began)])
        while self._job.state not in ENDED:
            self._tell(self._next())
            while self._decodings:
                yield self._decodings.popleft()
        seconds = self._clock.now() - began
        self._count_latecomers()
        self._job.check()
        done = self._job.state is State.DONE
        return Outcome(
            state=self._job.state,
            reason=self._job.reason,
            tasks=self._job.used if done else (),
            error=self._error if done else None,
            events=tuple(self._job.story()),
            seconds=MappingProxyType({"collect": seconds - self._decode_seconds, "decode": self._decode_seconds}),
            late=len([event for event in self._job.late if isinstance(event, Result)]),
        )

    def abandon(self) -> None:
        """Free every lane that still computes for this job; nothing is left to do after a regular end."""
        for key in [*self._out]:
            with suppress(Exception):
                self._free(key)

    # --- what the job says --------------------------------------------------------------------------------------

    def _tell(self, events: Iterable[Event]) -> None:
        facts = deque(events)
        while facts:
            said = self._job.handle(facts.popleft())
            self._show(self._job.latest)
            for instruction in said:
                facts.extend(self._perform(instruction))

    def _show(self, step: Step) -> None:
        """Let the onlooker see it; what goes wrong with a view is no reason to lose a product, and no secret."""
        if self._watch is None:
            return
        try:
            self._watch(step)
        except Exception as error:
            self._watch = None
            warnings.warn(f"the job goes on unwatched: `watch` raised {error!r}", RuntimeWarning, stacklevel=2)

    def _perform(self, instruction: Instruction) -> list[Event]:
        """Do as told; what is known at once comes back as a fact."""
        match instruction:
            case Compute():
                self._send(instruction)
            case Cancel(task=task, attempt=attempt):
                self._free((task, attempt))
            case WakeAt(at=at):
                heappush(self._wakes, at)
            case Decode(tasks=tasks):
                return [self._decode(tasks)]
            case GiveUp():
                pass
        return []

    def _send(self, compute: Compute) -> None:
        lane = self._engine.lanes[compute.worker]
        try:
            future = self._work.start(compute, lane)
        except WorkerLost as lost:
            future = Future()
            future.set_exception(lost)
        self._out[compute.task, compute.attempt] = future, lane
        future.add_done_callback(partial(_deliver, self.inbox, self._clock, compute))

    def _free(self, key: tuple[int, int]) -> None:
        """Nobody waits for this attempt any more; it may have ended already."""
        if key in self._out:
            future, lane = self._out.pop(key)
            lane.cancel(future)

    def _decode(self, tasks: tuple[int, ...]) -> Event:
        began = self._clock.now()
        fact = self._work.decode(tasks)
        now = self._clock.now()
        self._decode_seconds += now - began
        self._error = fact.error if isinstance(fact, Decoded) else None
        self._decodings.append(fact)
        return replace(fact, at=now)

    # --- what the engine says -----------------------------------------------------------------------------------

    def _next(self) -> list[Event]:
        if not self._out and not self._wakes:
            self._job.check()
            raise AssertionError("the job waits although nothing can ever come")
        until = self._wakes[0] if self._wakes else None
        item = self._clock.wait(self.inbox, until)
        if item is not None:
            return self._facts(item)
        return self._standstill() if until is None else [Woke(max(heappop(self._wakes), self._clock.now()))]

    def _facts(self, item: Any) -> list[Event]:
        match item:
            case _Answer():
                return self._answered(item)
            case base.Lost(rank=rank, epoch=epoch, cause=cause):
                return self._bury(rank, epoch, cause)
            case base.Joined(rank=rank, epoch=epoch) if self._workers.joined(rank, epoch):
                return [Joined(rank, self._clock.now())]
            case BaseException():
                raise item
        return []

    def _answered(self, answer: _Answer) -> list[Event]:
        task, attempt = answer.compute.task, answer.compute.attempt
        error = _error_of(answer.future)
        if error is None:
            self._out.pop((task, attempt), None)
            return [Result(task, attempt, answer.at)]
        if (task, attempt) not in self._out:
            return []
        if isinstance(error, WorkerLost):
            _, lane = self._out[task, attempt]
            return self._bury(lane.rank, lane.epoch, error.cause)
        self._out.pop((task, attempt))
        return [Lost(task, attempt, answer.at, f"{type(error).__name__}: {error}")]

    def _bury(self, rank: int, epoch: int, cause: str) -> list[Event]:
        """A worker is lost: replace it first, so that the job can already use the new one, then report its attempts."""
        if not self._workers.lost(rank, epoch):
            return []
        now = self._clock.now()
        owed = [key for key, (_, lane) in self._out.items() if (lane.rank, lane.epoch) == (rank, epoch)]
        for key in owed:
            self._out.pop(key)
        if not self._workers.replace(rank, epoch):
            return [Left(rank, now, cause)]
        return [Joined(rank, now), *(Lost(task, attempt, now, cause) for task, attempt in owed)]

    def _standstill(self) -> list[Event]:
        """The clock itself says that nothing is under way: whoever still owes an answer will never give it."""
        silent = sorted({lane.rank for _, lane in self._out.values()})
        for key in [*self._out]:
            self._free(key)
        return [Left(rank, self._clock.now(), "silent, and nothing else is under way") for rank in silent]

    def _count_latecomers(self) -> None:
        with suppress(Empty):
            while True:
                item = self.inbox.get(block=False)
                if isinstance(item, _Answer) and _error_of(item.future) is None:
                    self._job.handle(Result(item.compute.task, item.compute.attempt, item.at))


def _error_of(future: "Future[Any]") -> BaseException | None:
    try:
        return future.exception(timeout=0)
    except CancelledError:
        return Cancelled("cancelled from outside")
