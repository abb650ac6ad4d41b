"""When enough has come back.

A stop rule is any function `Progress` -> `Verdict`; the rules here are `first_threshold`, `until`, `deadline` and
`everyone`. A rule only judges: repeating lost tasks, screening and giving up are the job's. It is asked after every
event and once more when a product was formed, with its measured error: a rule that is then no longer ready sends
the job back to collecting.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from anyk.errors import InputError


class Decodability(Protocol):
    """What a job asks about a set of answers; a code answers from its tables. Sets come as sorted tuples of tasks."""

    def sufficient(self, tasks: tuple[int, ...], /) -> bool:
        """Whether these answers decode, to rounding or to the code's design error."""
        ...

    def expected_error(self, tasks: tuple[int, ...], /) -> float:
        """The relative error to expect from these answers on random matrices."""
        ...


@dataclass(frozen=True)
class _Remembered:
    sufficient: Callable[[tuple[int, ...]], bool]
    expected_error: Callable[[tuple[int, ...]], float]


def remembering(decodability: Decodability) -> Decodability:
    """The same knowledge; the sets asked last are not asked again (what can still come rarely changes)."""
    remember = lru_cache(maxsize=8)
    return _Remembered(
        remember(lambda tasks: decodability.sufficient(tasks)),
        remember(lambda tasks: decodability.expected_error(tasks)),
    )


@dataclass(frozen=True)
class Progress:
    """How far a job has come, as a stop rule sees it.

    Args:
        received: tasks answered, in the order they came.
        pending: tasks sent out and not yet answered, or lost and about to be sent again.
        elapsed: seconds since the start.
        decodability: what the tables know.
        threshold: any this many answers suffice.
        fewest: below this many answers the tables need not be asked.
        wrong: tasks whose answers were dropped as wrong.
        spare: those of ``wrong`` that may still be computed again.
        measured: relative error of the product formed from exactly ``received``, once it was formed and measured.
        timeout: seconds after which the job fails, if it may.
    """

    received: tuple[int, ...]
    pending: frozenset[int]
    elapsed: float
    decodability: Decodability
    threshold: int
    fewest: int = 1
    wrong: frozenset[int] = frozenset()
    spare: frozenset[int] = frozenset()
    measured: float | None = None
    timeout: float | None = None

    def sufficient(self) -> bool:
        """Whether the answers received decode."""
        return self._suffices(self.received)

    def reachable(self) -> bool:
        """Whether the answers received decode together with all that can still come."""
        return self._suffices(self._possible())

    def expected_error(self) -> float:
        """The error to expect from the answers received; infinite below ``fewest``."""
        return self._error(self.received)

    def attainable_error(self) -> float:
        """The error to expect once all that can still come has come."""
        return self._error(self._possible())

    def _possible(self) -> Collection[int]:
        return {*self.received, *self.pending, *self.spare}

    def _suffices(self, tasks: Collection[int]) -> bool:
        # The count may say no; yes is for the tables to say: some sets decode early, a few badly conditioned ones late.
        return len(tasks) >= self.fewest and self.decodability.sufficient(tuple(sorted(tasks)))

    def _error(self, tasks: Collection[int]) -> float:
        return self.decodability.expected_error(tuple(sorted(tasks))) if len(tasks) >= self.fewest else float("inf")


@dataclass(frozen=True)
class Verdict:
    """What a rule thinks.

    Args:
        ready: form the product now, from all that was received.
        reason: why, or why not, in words.
        wake_at: seconds since the start at which to ask again even if nothing happens.
        give_up: nothing that can still come will make this rule ready. Where it is ready: do not wait for more
            answers even if these turn out to contradict one another.
    """

    ready: bool
    reason: str
    wake_at: float | None = None
    give_up: bool = False


StopRule = Callable[[Progress], Verdict]


@dataclass(frozen=True)
class first_threshold:
    """Ready as soon as the answers received decode.

    Args:
        extra: answers to await beyond the recovery threshold, for locating wrong ones; those dropped as wrong count.

    Raises:
        InputError: a negative ``extra``.
    """

    extra: int = 0

    def __post_init__(self) -> None:
        if self.extra < 0:
            raise InputError(f"`first_threshold(extra={self.extra})`: `extra` counts answers and cannot be negative")

    def __call__(self, progress: Progress) -> Verdict:
        """Judge the count first and ask the tables only where the count leaves it open."""
        answers = len(progress.received)
        wanted = progress.threshold + self.extra if self.extra else 0
        if answers + len(progress.wrong) >= wanted and progress.sufficient():
            return Verdict(True, f"{answers} answers decode")
        if not progress.reachable():
            return Verdict(False, "too few answers can still come", give_up=True)
        return Verdict(
            False, f"{answers} answers do not decode yet" if not self.extra else f"{answers} of {wanted} answers"
        )


@dataclass(frozen=True)
class until:
    """Ready with the earliest answers good enough: by expected error, then by the measured one.

    When nothing more can come, the job returns the best product it has, if the answers decode at all.

    Args:
        tolerance: relative Frobenius error to reach, above 0.

    Raises:
        InputError: a ``tolerance`` that is not positive.
    """

    tolerance: float

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise InputError(f"`until(tolerance={self.tolerance})`: no answer is that good; use a tolerance above 0")

    def __call__(self, progress: Progress) -> Verdict:
        """Compare the measured error, or the expected one where nothing was measured, with the tolerance."""
        measured = progress.measured is not None
        error = progress.measured if progress.measured is not None else progress.expected_error()
        words = f"{'measured' if measured else 'expected'} error {error:.1e} of {len(progress.received)} answers"
        if progress.received and error <= self.tolerance:
            return Verdict(True, f"{words} is within {self.tolerance:.1e}")
        hopeless = not progress.reachable() and progress.attainable_error() > self.tolerance
        return Verdict(False, f"{words} is above {self.tolerance:.1e}", give_up=hopeless)


@dataclass(frozen=True)
class deadline:
    """Ready when the answers decode, or at this time with whatever came, if anything came.

    Args:
        seconds: since the start; at least 0. A shorter ``timeout`` of the job is kept as the deadline.

    Raises:
        InputError: negative ``seconds``.
    """

    seconds: float

    def __post_init__(self) -> None:
        if not self.seconds >= 0:
            raise InputError(
                f"`deadline(seconds={self.seconds})`: a deadline lies after the start; use 0 or more seconds"
            )

    def __call__(self, progress: Progress) -> Verdict:
        """Take what is complete at once, what is partial in time, and nothing never."""
        limit = self.seconds if progress.timeout is None else min(self.seconds, progress.timeout)
        over = progress.elapsed >= limit or not (progress.pending or progress.spare)
        answers = len(progress.received)
        if progress.sufficient():
            return Verdict(True, f"{answers} answers decode", wake_at=limit, give_up=over)
        if over and answers:
            return Verdict(True, f"{answers} answers came by the deadline of {limit:g} s", give_up=True)
        return Verdict(False, f"no answer came by the deadline of {limit:g} s", wake_at=limit, give_up=over)


def everyone(progress: Progress) -> Verdict:
    """Ready when no answer is pending any more and those received decode."""
    answers = len(progress.received)
    if not progress.pending and progress.sufficient():
        return Verdict(True, f"all {answers} answers that can come are in")
    if not progress.reachable():
        return Verdict(False, "too few answers can still come", give_up=True)
    return Verdict(False, f"{answers} answers are in, {len(progress.pending)} pending")
