"""Recorded task times, as files that `anyk.faults.Trace` replays."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from anyk.errors import InputError


class Stretch(Protocol):
    """One attempt at a task; `anyk.Product.timeline` gives them."""

    @property
    def worker(self) -> int:
        """Who was asked."""
        ...

    @property
    def sent_seconds(self) -> float:
        """When it was sent."""
        ...

    @property
    def ended_seconds(self) -> float | None:
        """When it ended."""
        ...

    @property
    def outcome(self) -> str:
        """What became of it."""
        ...


def trace_row(timeline: Iterable[Stretch], workers: int) -> tuple[float, ...] | None:
    """Seconds from the sending of each worker's task until its answer.

    Only a product that waited for everybody (``stop=anyk.everyone``) has a row: where the slowest are not waited for,
    what they would have taken is not known, and a row without them would tell of faster workers than there are.

    Args:
        timeline: of one product, with one task on each worker.
        workers: how many.

    Returns:
        A time for each worker, by rank; None where one of them did not answer at first asking.
    """
    took: dict[int, float] = {}
    for stretch in timeline:
        if stretch.outcome not in ("used", "answered", "wrong") or stretch.worker in took:
            return None
        assert stretch.ended_seconds is not None
        took[stretch.worker] = stretch.ended_seconds - stretch.sent_seconds
    return tuple(took[rank] for rank in range(workers)) if took.keys() == {*range(workers)} else None


def write_trace(path: str | Path, rows: Sequence[Sequence[float]], notes: Iterable[str] = ()) -> None:
    """Write a file for `anyk.faults.Trace`.

    Args:
        path: where; what is there is replaced.
        rows: seconds, one row per product, one column per worker.
        notes: lines of remarks above.

    Raises:
        InputError: no rows, or the file cannot be written.
    """
    if not rows:
        raise InputError(
            f"`write_trace({str(path)!r})`: there is no row to write: no product was answered by all workers."
        )
    lines = [*(f"# {note}" for note in notes), *(",".join(f"{seconds:.6g}" for seconds in row) for row in rows)]
    try:
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as problem:
        raise InputError(f"`{path}` was not written: {problem.strerror}. Choose another place.") from problem
