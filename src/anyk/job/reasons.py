"""Why there is no product: what was asked, what came, what was lost, what would have sufficed, the way out."""

from collections.abc import Collection, Mapping, Sequence

from anyk.job.ledger import Ledger, Loss
from anyk.job.stop import Progress

CONTRADICTION = "the answers contradict one another and too few came to tell which are wrong"
TIMEOUT = "the time is over"

#: More than this many tasks are counted, not listed.
LISTED = 6


def no_product(rule: object, progress: Progress, books: Ledger, why: str) -> str:
    """Put the whole story of a failed job into one sentence, and the way out into another.

    Args:
        rule: the stop rule.
        progress: the job's last one.
        books: where every task ended; asked before the pending ones are cancelled.
        why: `CONTRADICTION`, `TIMEOUT`, or what else ended it, in words.
    """
    parts = [
        _asked(rule, progress, books),
        _came(progress),
        _still_out(books.pending),
        _lost(books.losses),
        _wrong(books.wrong),
    ]
    told = "; ".join(part for part in parts if part)
    return f"no product, for {why}: {told}. {_way_out(rule, progress, why)}"


def asked_of(rule: object) -> str:
    """A rule as the user wrote it; a verb's own rule says itself what was asked for."""
    asked: str = getattr(rule, "asked", None) or f"stop={getattr(rule, '__name__', None) or repr(rule)}"
    return asked


def _asked(rule: object, progress: Progress, books: Ledger) -> str:
    needed = f"any {progress.threshold} of {books.tasks} answers suffice"
    return f"`{asked_of(rule)}` was asked and {needed}"


def _came(progress: Progress) -> str:
    return f"{_count(progress.received, 'answer')} came in {progress.elapsed:.3g} s" + (
        f" ({_tasks(progress.received)})" if progress.received else ""
    )


def _still_out(pending: Mapping[int, int]) -> str:
    if not pending:
        return ""
    places = [f"task {task} on worker {worker}" for task, worker in pending.items()]
    return f"still out: {_some(places)}"


def _lost(losses: Sequence[Loss]) -> str:
    if not losses:
        return ""
    stories = [f"task {loss.task} on worker {loss.worker} ({loss.cause})" for loss in losses]
    return f"{_count(losses, 'attempt')} lost: {_some(stories)}"


def _wrong(wrong: Mapping[int, int]) -> str:
    places = [f"task {task} on worker {worker}" for task, worker in wrong.items()]
    return f"wrong: {_some(places)}" if places else ""


def _way_out(rule: object, progress: Progress, why: str) -> str:
    if why == CONTRADICTION:
        return "More workers or `first_threshold(extra=2)` leave answers to locate wrong ones with."
    missing = progress.threshold - len(progress.received)
    sufficed = (
        f"{missing} more would have sufficed; " if missing > 0 else "they decode, but the stop rule wanted more; "
    )
    if getattr(rule, "seconds", None) is not None:  # it had a deadline
        return f"{sufficed}give more time, or use more workers."
    if why == TIMEOUT:
        return f"{sufficed}give more time, or take the best answer by then with {_in_time(rule)}."
    return f"{sufficed}use more workers or `retries`, a code with a lower threshold, or {_in_time(rule)}."


def _in_time(rule: object) -> str:
    """How to take the best answer by a certain time."""
    way: str = getattr(rule, "in_time", "`stop=deadline(seconds)`")
    return way


def _count(things: Collection[object], noun: str) -> str:
    return f"{len(things) or 'no'} {noun}{'' if len(things) == 1 else 's'}"


def _tasks(tasks: Collection[int]) -> str:
    return f"task{'' if len(tasks) == 1 else 's'} {_some([str(task) for task in sorted(tasks)])}"


def _some(words: Sequence[str]) -> str:
    listed = ", ".join(words[:LISTED])
    return listed if len(words) <= LISTED else f"{listed} and {len(words) - LISTED} more"
