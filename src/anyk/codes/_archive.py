"""The archive: codes found by search that lose less than the closed forms, as small text files beside an index.

Every file is a code as `Code.save` writes it, with its errors and how it was found under ``anyk_discovery``. The index,
``archive/index.json``, repeats what a reader chooses by. `python -m benchmarks.archive` adds a code, if it is better.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from anyk.code import Code
from anyk.errors import InputError

ARCHIVE = Path(__file__).parent / "archive"


@dataclass(frozen=True)
class Found:
    """One line of the index: a found code and the best closed form for the same numbers.

    Args:
        name: what `anyk.codes.load` takes.
        rows: block rows of A.
        inner: blocks along the inner dimension.
        cols: block columns of B.
        workers: number of tasks.
        results: how many answers do.
        dtype: precision it was made for.
        objective: ``"rms"`` or ``"worst"``, what was minimized.
        rms: root mean square expected relative error over survivor sets that played no part in the search.
        median: half of the sets are better.
        worst: the largest.
        amplification: root mean square of relative error out per relative error in.
        sets: how many sets were asked.
        closed_form: the family and parameter compared with.
        closed_rms: its rms on the same sets.
        closed_median: its median.
        closed_worst: its worst.
        command: what finds it again.
    """

    name: str
    rows: int
    inner: int
    cols: int
    workers: int
    results: int
    dtype: str
    objective: str
    rms: float
    median: float
    worst: float
    amplification: float
    sets: int
    closed_form: str
    closed_rms: float
    closed_median: float
    closed_worst: float
    command: str

    @property
    def gain(self) -> float:
        """How many times smaller the minimized error is than that of the closed form."""
        return self.closed_rms / self.rms if self.objective == "rms" else self.closed_worst / self.worst


@cache
def archive() -> Mapping[str, Found]:
    """Every found code by name."""
    return {each.name: each for each in _entries(ARCHIVE / "index.json")}


def load(name_or_path: str | Path) -> Code:
    """A found code by its name in the archive, or a code from a file.

    Args:
        name_or_path: a name listed by `archive`, or a file written by `Code.save`.

    Raises:
        InputError: there is no such name or file, or it is damaged, or holds no code.

    >>> load("1x5x1-any7of10-float64").recovery_threshold
    7
    """
    if str(name_or_path) in archive():
        return Code.load(ARCHIVE / f"{name_or_path}.json")
    if isinstance(name_or_path, str) and not Path(name_or_path).exists() and Path(name_or_path).name == name_or_path:
        raise InputError(
            f"load({name_or_path!r}): neither a file nor a found code. `anyk codes --archive` lists the found ones."
        )
    return Code.load(name_or_path)


def _entries(index: Path) -> Iterator[Found]:
    try:
        lines: list[dict[str, Any]] = json.loads(index.read_text(encoding="utf-8"))
        known = [each.name for each in fields(Found)]
        yield from (Found(**{key: line[key] for key in known}) for line in lines)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InputError(f"the archive's index is damaged: {problem!r}. Install anyk again.") from problem
