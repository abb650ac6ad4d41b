"""One row per worker: which task it had in hand from when to when. Page, pictures and trace draw the same rows.

A worker does one task after the other, in the order they were sent. So a task begins when it was sent, or when the
worker is done with the one before, whichever is later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anyk.report import said
from anyk.report.record import Record
from anyk.verbs import Stretch

#: Outcome -> what it is called.
NAMES = {
    "used": "used",
    "answered": "too late to be used",
    "wrong": "wrong, thrown out",
    "lost": "lost",
    "cancelled": "not awaited",
}


@dataclass(frozen=True)
class Bar:
    """One task in a worker's hands.

    Args:
        stretch: the sending.
        began: seconds since the job began; from the order of sending.
        ended: likewise; the end of the run where nothing ended it.
    """

    stretch: Stretch
    began: float
    ended: float

    def told(self) -> str:
        """In words."""
        row = self.stretch
        again = f", sending {row.attempt + 1}" if row.attempt else ""
        band = f", band {row.band + 1}" if row.band else ""
        how = {
            "used": "answered after {}, used",
            "answered": "answered after {}, too late to be used",
            "wrong": "answered after {}, wrong: thrown out",
            "lost": "lost after {}",
            "cancelled": "not awaited any more after {}",
        }[row.outcome].format(said.time(self.ended - row.sent_seconds))
        cause = f" ({row.cause})" if row.cause else ""
        return (
            f"Worker {row.worker}, task {row.task}{again}{band}: sent at {said.time(row.sent_seconds)}, {how}{cause}."
        )


@dataclass(frozen=True)
class Lane:
    """One worker's row."""

    worker: int
    bars: tuple[Bar, ...]


def lanes(record: Record) -> list[Lane]:
    """Every worker that was sent something, by rank."""
    rows: dict[int, list[Stretch]] = {}
    for stretch in record.attempts:
        rows.setdefault(stretch.worker, []).append(stretch)
    end = record.ended_seconds
    return [Lane(worker, tuple(_queued(rows[worker], end))) for worker in sorted(rows)]


def _queued(row: Sequence[Stretch], end: float) -> list[Bar]:
    bars, free = [], 0.0
    for stretch in sorted(row, key=lambda each: each.sent_seconds):
        ended = end if stretch.ended_seconds is None else stretch.ended_seconds
        bars.append(Bar(stretch, min(max(stretch.sent_seconds, free), ended), ended))
        free = max(free, ended)
    return bars


def shown(rows: Sequence[Lane], most: int) -> list[Lane]:
    """At most so many rows: first those where something went wrong, then others evenly; by rank."""
    if len(rows) <= most:
        return [*rows]
    notable = [row for row in rows if any(bar.stretch.outcome in ("lost", "wrong") for bar in row.bars)][:most]
    taken = {row.worker for row in notable}
    rest, room = [row for row in rows if row.worker not in taken], most - len(notable)
    chosen = [rest[at * len(rest) // room] for at in range(room)] if room else []
    return sorted([*notable, *chosen], key=lambda row: row.worker)


def arrivals(record: Record) -> list[list[tuple[float, int]]]:
    """For each band, how many answers were in hand from when on: (seconds, answers), also after wrong ones went."""
    bands: list[list[tuple[float, int]]] = []
    for band in range(record.bands):
        changes = [
            (row.ended_seconds or 0.0, 1)
            for row in record.attempts
            if row.band == band and row.outcome in ("used", "answered", "wrong")
        ]
        changes += [(each.ended, -len(each.suspects or ())) for each in record.decodings if each.band == band]
        steps, answers = [], 0
        for at, change in sorted(changes):
            answers += change
            if change:
                steps.append((at, answers))
        bands.append(steps)
    return bands
