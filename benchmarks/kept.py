"""Measured rows in a file: written as soon as one is there, and not measured again.

A long series of measurements can be broken off and gone on with. Each row names its table, carries what tells it apart
from the others (its key), and the load of the machine when it was measured.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.__main__ import machine, table

Row = dict[str, Any]


class Kept:
    """Rows of one file.

    Args:
        path: of the JSON file; None: rows are kept nowhere.
        budget: seconds after which no further row is begun.
    """

    def __init__(self, path: Path | None, budget: float = float("inf")) -> None:
        self.path, self.missing = path, 0
        self._until = time.monotonic() + budget
        self.rows: list[Row] = json.loads(path.read_text())["rows"] if path is not None and path.exists() else []

    def row(self, key: Mapping[str, Any], measure: Callable[[], Mapping[str, Any]]) -> Row | None:
        """The row with this key, measured now if it is not there and there is time; None: it is missing."""
        for row in self.rows:
            if all(row.get(name) == value for name, value in key.items()):
                return row
        if time.monotonic() > self._until:
            self.missing += 1
            return None
        row = {**key, **measure(), "load": round(os.getloadavg()[0], 1)}
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        self._write()
        return row

    def of(self, name: str) -> list[Row]:
        """Rows of one table."""
        return [row for row in self.rows if row["table"] == name]

    def printed(self) -> Iterator[str]:
        """All tables as text, and what is missing."""
        for name in dict.fromkeys(row["table"] for row in self.rows):
            yield f"\n{name}\n\n{table([_without(row, ('table',)) for row in self.of(name)])}"
        if self.missing:
            yield f"\n{self.missing} rows are missing; the same command goes on."

    def _write(self) -> None:
        if self.path is None:
            return
        lines = ",\n  ".join(json.dumps(row, default=float, ensure_ascii=False) for row in self.rows)
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        beside.write_text(f'{{"machine": {json.dumps(machine())}, "rows": [\n  {lines}\n]}}\n')
        beside.replace(self.path)


def _without(row: Row, names: Sequence[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}
