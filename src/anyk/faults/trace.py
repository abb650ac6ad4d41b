"""Replay of recorded delays."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path, PurePath

import numpy as np

from anyk.errors import InputError
from anyk.faults import checks
from anyk.faults.base import Draw, Fate
from anyk.faults.many import Draws, Fates

Rows = tuple[tuple[float, ...], ...]
SHAPE = "Give one row per round, one column per rank, all rows of one length, for example 0.1,0.2,0.1."


@dataclass(frozen=True)
class Trace:
    """Delays as recorded: one row per round, one column per rank.

    Both directions wrap around: in a trace of five rows and four columns, round 7 is row 2 and rank 5 is column 1 (all
    counted from 0). The seed plays no part. The file is read once, when the trace is made.

    Args:
        source: a CSV file (comma-separated numbers; empty lines and lines starting with ``#`` are skipped), or the rows
            themselves. All rows have the same length; delays are finite and at least 0, in units.
        unit_seconds: seconds of one unit; 1.0 for a file of seconds.

    Raises:
        InputError: no such file, or something in it that is no delay: line and column are named.

    >>> Trace([[0.5, 1.0], [0.25, 3.0]]).fate(Draw(seed=0, round=1, rank=3)).delay_seconds
    3.0
    """

    #: See `anyk.faults.many`.
    is_whole_time = True

    source: str | PurePath | Sequence[Sequence[float]] = field(compare=False)
    unit_seconds: float = 1.0
    rows: Rows = field(init=False, repr=False)

    def __post_init__(self) -> None:
        checks.unit(self)
        if isinstance(self.source, str | PurePath):
            object.__setattr__(self, "source", str(self.source))
            object.__setattr__(self, "rows", _read(str(self.source)))
        else:
            object.__setattr__(self, "rows", _from_rows(self.source))
            object.__setattr__(self, "source", self.rows)

    def fate(self, draw: Draw) -> Fate:
        """Late as the worker in this place was."""
        row = self.rows[draw.round % len(self.rows)]
        return Fate(self.unit_seconds * row[draw.rank % len(row)])

    def fates(self, draws: Draws) -> Fates:
        """The same for many: these very numbers."""
        rows = np.array(self.rows)
        rounds = np.arange(draws.rounds.start, draws.rounds.stop)[:, None]
        return Fates(self.unit_seconds * rows[rounds % rows.shape[0], draws.places % rows.shape[1]])


def _read(path: str) -> Rows:
    """The numbers of a CSV file."""
    call = f"Trace({path!r})"
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"`{call}` cannot be read: {error}. {SHAPE}") from error
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return _rows(call, ((number, line.split(",")) for number, line in lines if line and not line.startswith("#")))


def _from_rows(source: object) -> Rows:
    """The numbers of rows given in Python."""
    if not isinstance(source, Iterable) or not all(isinstance(row, Iterable) for row in source):
        raise InputError(f"`Trace({source!r})` is no trace: a file name or rows of numbers are needed. {SHAPE}")
    return _rows("Trace(rows)", ((number, list(row)) for number, row in enumerate(source, start=1)))


def _rows(call: str, lines: Iterable[tuple[int, Sequence[object]]]) -> Rows:
    """Numbers of all lines; every line as long as the first."""
    rows: list[tuple[float, ...]] = []
    for number, cells in lines:
        row = tuple(_delay(call, number, column, cell) for column, cell in enumerate(cells, start=1))
        if not row or (rows and len(row) != len(rows[0])):
            wanted = len(rows[0]) if rows else "at least 1"
            where = f"line {number}, column {len(row) + 1}"
            raise InputError(f"`{call}` is ragged at {where}: {wanted} columns are needed and {len(row)} came. {SHAPE}")
        rows.append(row)
    if not rows:
        raise InputError(f"`{call}` is empty: at least one round of delays is needed. {SHAPE}")
    return tuple(rows)


def _delay(call: str, line: int, column: int, cell: object) -> float:
    """One delay, or an error that says where it stands."""
    try:
        delay = float(cell) if isinstance(cell, str | Real) and not isinstance(cell, bool) else math.nan
    except ValueError:
        delay = math.nan
    if not 0.0 <= delay <= checks.LIMIT:
        raise InputError(
            f"`{call}` has no delay at line {line}, column {column}: a number from 0 to {checks.LIMIT:g} is needed and "
            f"{cell!r} came. Correct it, or put # before a line of titles."
        )
    return delay
