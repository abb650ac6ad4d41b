"""The master: events in, instructions out, time passed in. What it does is said in `anyk.job.table`."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from anyk.errors import InputError
from anyk.job.ledger import Ledger
from anyk.job.messages import (
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
from anyk.job.placement import known_homes
from anyk.job.reasons import CONTRADICTION, TIMEOUT, no_product
from anyk.job.stop import Decodability, Progress, StopRule, Verdict, remembering
from anyk.job.table import ENDED, ROWS, Row, State, Step


class Job:
    """One product to be recovered from any sufficient set of answers.

    Args:
        tasks: number of tasks P; at least 1.
        workers: number of workers; at least 1. All are there at the start.
        threshold: any this many answers decode.
        decodability: what the code's tables know about a set of answers.
        stop: the stop rule.
        retries: how often one task may be sent again after a loss or a wrong answer; at least 0.
        timeout: seconds after which the job fails; None: never.
        fewest: below this many answers the tables need not be asked; a lower bound, and a matter of speed alone.
        homes: the worker each task is sent to first, by task; default: in turn (`anyk.job.placement.homes`).
        distrusted: workers that are sent nothing again, unless there is nobody else.

    Raises:
        InputError: a count or a home out of range.

    >>> from anyk.job.stop import first_threshold
    >>> from types import SimpleNamespace
    >>> any_one = SimpleNamespace(sufficient=lambda tasks: len(tasks) >= 1)
    >>> job = Job(2, 2, threshold=1, decodability=any_one, stop=first_threshold())
    >>> job.start(at=0.0)
    [Compute(task=0, worker=0, attempt=0), Compute(task=1, worker=1, attempt=0)]
    >>> job.handle(Result(task=1, attempt=0, at=0.3))
    [Decode(tasks=(1,))]
    >>> job.handle(Decoded(at=0.4))
    [Cancel(task=0, worker=0, attempt=0)]
    >>> job.state.name, job.reason
    ('DONE', '1 answers decode')
    """

    def __init__(
        self,
        tasks: int,
        workers: int,
        *,
        threshold: int,
        decodability: Decodability,
        stop: StopRule,
        retries: int = 1,
        timeout: float | None = None,
        fewest: int = 1,
        homes: Sequence[int] | None = None,
        distrusted: Collection[int] = (),
    ) -> None:
        _validate(
            tasks=(tasks, 1), workers=(workers, 1), threshold=(threshold, 1), retries=(retries, 0), fewest=(fewest, 1)
        )
        self.state = State.READY
        self.verdict = Verdict(False, "not started")
        #: Tasks of the last Decode, sorted.
        self.used: tuple[int, ...] = ()
        #: Events that came too late to matter.
        self.late: list[Event] = []
        self._steps: list[Step] = []
        self._books = Ledger(known_homes(homes, tasks, workers), workers, retries, distrusted)
        self._stop = stop
        self._blank = Progress((), frozenset(), 0.0, remembering(decodability), threshold, fewest, timeout=timeout)
        self._progress = self._blank
        # Of the event in hand: is it stray, and what the stop rule says to it (None: not asked yet).
        self._event: Event = Started(0.0)
        self._stray = False
        self._asked = False
        # Time: the start, and the seconds since then at which to wake.
        self._began = self._now = 0.0
        self._wakes: set[float] = set()
        # What the last decoding started from, and what decodings taught about sets of answers.
        self._decoding = self._blank
        self._measured: tuple[tuple[int, ...], float | None] = ((), None)
        self._doubted: tuple[int, ...] = ()

    # --- what a driver calls ------------------------------------------------------------------------------------

    def start(self, at: float) -> list[Instruction]:
        """Begin: every task goes out. ``at`` is the engine's clock, in seconds."""
        return self.handle(Started(at))

    def handle(self, event: Event) -> list[Instruction]:
        """Take one fact in and say what to do; the only way to change a job."""
        self._event, self._asked = event, False
        self._now = max(self._now, event.at)
        self._stray = self.state not in ENDED and not self._note(event)
        row = next(row for row in ROWS[self.state, type(event)] if self._fits(row))
        said = [instruction for action in row.actions for instruction in self._do(action)]
        self.state = row.next or self.state
        said += self._wake() if self.state is State.COLLECTING else []
        self._steps.append(Step(event, row, tuple(said), self.state))
        return said

    @property
    def received(self) -> tuple[int, ...]:
        """Tasks answered and not found wrong, in the order the answers came."""
        return tuple(self._books.received)

    @property
    def pending(self) -> frozenset[int]:
        """Tasks that are out."""
        return frozenset(self._books.pending)

    @property
    def wrong(self) -> frozenset[int]:
        """Tasks whose answers were found wrong, and not answered again."""
        return frozenset(self._books.wrong)

    @property
    def reason(self) -> str:
        """Why the job is where it is, in words."""
        return self.verdict.reason

    def story(self, task: int | None = None) -> list[Step]:
        """Every step so far, or those that speak of one task."""
        return [step for step in self._steps if task is None or step.mentions(task)]

    @property
    def latest(self) -> Step:
        """The last step; there is one once the job was started."""
        return self._steps[-1]

    def check(self) -> None:
        """Every invariant of the job; raises AssertionError."""
        self._books.check()
        state, running, received = self.state, self.pending, set(self.received)
        assert state is not State.COLLECTING or running, "a collecting job has nothing to wait for"
        assert state in (State.COLLECTING, State.DECODING) or not running, (
            "something runs before the start or after the end"
        )
        assert state not in (State.DECODING, State.DONE) or self.used, "a decoding without answers"
        assert state not in (State.DECODING, State.DONE) or set(self.used) <= received, "decoded what is not there"

    # --- the books: what an event says is written down; False: it is stray --------------------------------------

    def _note(self, event: Event) -> bool:
        if self.state is State.READY or isinstance(event, Started):
            return self.state is State.READY and isinstance(event, Started) and self._begin(event.at)
        match event:
            case Result():
                return self._books.receive(event.task, event.attempt)
            case Lost():
                return self._books.lose(event.task, event.attempt, event.cause)
            case Left():
                return self._books.leave(event.worker, event.cause)
            case Joined():
                return self._books.join(event.worker)
            case Suspected():
                return self._drop(event.tasks, event.cause)
            case Decoded():
                return self.state is State.DECODING and self._measure(event.error)
            case Woke():
                return True

    def _begin(self, at: float) -> bool:
        self._began = self._now = at
        self._books.open()
        return True

    def _measure(self, error: float | None) -> bool:
        self._measured = (self.used, error)
        return True

    def _drop(self, tasks: Iterable[int], cause: str) -> bool:
        suspects = {task for task in tasks if task in self._books.received}
        if not suspects and self.state is not State.DECODING:
            return False
        # No suspect named: the answers just used contradict one another, and only more of them can tell.
        self._doubted = () if suspects else self.used
        if cause:
            self._books.miss(sorted(suspects), cause)
        else:
            self._books.drop(sorted(suspects))
        return True

    # --- the stop rule, asked at most once per event -------------------------------------------------------------

    def _ask(self) -> Verdict:
        if not self._asked:
            self._progress = self._look()
            self.verdict = self._stop(self._progress)
            self._asked = True
        return self.verdict

    def _look(self) -> Progress:
        books, now = self._books, self._now
        returning = books.waiting if books.loads else set()
        spare = frozenset(returning & books.wrong.keys())
        # A time asked for has come when its own sum has: (start + seconds) - start may fall short of seconds.
        passed = [seconds for seconds in self._wakes if now >= self._began + seconds]
        answers, error = self._measured
        return replace(
            self._blank,
            received=self.received,
            pending=self.pending | (returning - spare),
            elapsed=max([now - self._began, *passed]),
            wrong=self.wrong,
            spare=spare,
            measured=error if answers == tuple(sorted(books.received)) else None,
        )

    def _is_doubted(self) -> bool:
        return bool(self._doubted) and self._doubted == tuple(sorted(self._books.received))

    def _is_exhausted(self) -> bool:
        self._ask()
        return not (self._progress.pending or self._progress.spare)

    def _is_over(self) -> bool:
        timeout = self._blank.timeout
        return timeout is not None and self._progress.elapsed >= timeout

    # --- conditions of the table --------------------------------------------------------------------------------

    def _fits(self, row: Row) -> bool:
        condition: Callable[[], bool] = getattr(self, row.condition)
        return condition()

    def always(self) -> bool:
        """No more to ask."""
        return True

    def stray(self) -> bool:
        """The event answers nothing that is pending."""
        return self._stray

    def ready(self) -> bool:
        """The stop rule wants the product now, and the answers are not known to contradict one another."""
        return self._ask().ready and not self._is_doubted()

    def hopeless(self) -> bool:
        """The stop rule gives up, time is over, or all that could come has come and does not decode."""
        if self._ask().give_up or self._is_over():
            return True
        return self._is_exhausted() and (self._is_doubted() or not self._progress.sufficient())

    def last_chance(self) -> bool:
        """All that could come has come; what there is decodes."""
        return self._is_exhausted()

    def last_chance_improves(self) -> bool:
        """All that could come has come, some of it since the last Decode."""
        return self._is_exhausted() and tuple(sorted(self._books.received)) != self.used

    def can_send(self) -> bool:
        """A task waits and a worker lives."""
        return bool(self._books.waiting and self._books.loads)

    def good_enough(self) -> bool:
        """The stop rule, asked again with the measured error, still wants this product."""
        asked = self._stop(replace(self._decoding, measured=self._measured[1]))
        self.verdict = asked
        return asked.ready

    # --- actions of the table -----------------------------------------------------------------------------------

    def _do(self, action: str) -> list[Instruction]:
        perform: Callable[[], list[Instruction]] = getattr(self, action)
        return perform()

    def count_late(self) -> list[Instruction]:
        """Remember that this came too late."""
        self.late.append(self._event)
        return []

    def send_waiting(self) -> list[Instruction]:
        """Compute every waiting task: at first at home, then elsewhere."""
        return [*self._books.send()]

    def decode(self) -> list[Instruction]:
        """Form the product from all that was received."""
        self._decoding = self._progress
        self.used = tuple(sorted(self._books.received))
        return [Decode(self.used)]

    def cancel_pending(self) -> list[Instruction]:
        """Free every worker that still computes."""
        return [*self._books.cancel()]

    def make_do(self) -> list[Instruction]:
        """Accept the last product, though the stop rule wanted a better one."""
        self.verdict = replace(self.verdict, reason=f"{self.verdict.reason}, and no more answers can come")
        return []

    def give_up(self) -> list[Instruction]:
        """Say why there is no product."""
        why = CONTRADICTION if self._is_doubted() else TIMEOUT if self._is_over() else self.verdict.reason
        reason = no_product(self._stop, self._progress, self._books, why)
        self.verdict = replace(self.verdict, reason=reason, ready=False)
        return [GiveUp(reason)]

    def _wake(self) -> list[Instruction]:
        times = {self._ask().wake_at, self._blank.timeout} - {None}
        new = sorted(seconds for seconds in times if seconds is not None and seconds not in self._wakes)
        self._wakes.update(new)
        return [WakeAt(self._began + seconds) for seconds in new]


def _validate(**counts: tuple[int, int]) -> None:
    for name, (count, least) in counts.items():
        if count < least:
            raise InputError(f"`Job({name}={count})`: `{name}` is a count of at least {least}")
