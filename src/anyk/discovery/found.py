"""What a search has found, and the file that keeps it.

The file is the code's own (`Code.save`), with one more entry: whoever wants the code reads the one, whoever wants to
know where it comes from, or to go on searching, the other.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.code import Code
from anyk.discovery.goal import Goal
from anyk.errors import InputError

_FORMAT = 1
_KEY = "anyk_discovery"


@dataclass(frozen=True)
class Score:
    """Expected relative errors over survivor sets that played no part in the search (or all there are).

    Args:
        rms: root mean square.
        median: half of the sets are better.
        worst: the largest.
        amplification: root mean square of relative error out per relative error in.
        sets: how many sets were asked.
        all_sets: whether these are all.
    """

    rms: float
    median: float
    worst: float
    amplification: float
    sets: int
    all_sets: bool


@dataclass(frozen=True, eq=False)
class State:
    """Where a search would go on.

    Args:
        left: present table of A.
        right: present table of B.
        round: how often the search has begun anew.
        epoch: finished ones of this round.
        level: how far the noise has fallen.
        idle: epochs in a row that gained nothing.
        least: the least error of any round at the coarse noise; None: no round came so far.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    round: int
    epoch: int
    level: int
    idle: int
    least: float | None

    @property
    def tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both tables."""
        return self.left, self.right


@dataclass(frozen=True, eq=False)
class Discovery:
    """A code found by search, how good it is, and how to go on.

    Args:
        code: the best found.
        goal: what was searched for.
        score: its errors on sets that played no part in the search.
        history: (iteration, error) after every epoch, as the search saw it.
        method: how steps were made.
        start: where from.
        seed: of everything random.
        found_in: the round the best comes from; 0 and 1 began with ``start`` if one was given, all others with random
            tables.
        iterations: done so far.
        reason: why it ended: ``"budget"`` or ``"interrupted"``.
        state: where the search would go on.
    """

    code: Code
    goal: Goal
    score: Score
    history: tuple[tuple[int, float], ...]
    method: str
    start: str
    seed: int
    found_in: int
    iterations: int
    reason: str
    state: State

    @property
    def error(self) -> float:
        """The number that was minimized, on sets that played no part in the search."""
        return self.score.rms if self.goal.objective == "rms" else self.score.worst

    def __repr__(self) -> str:
        return f"Discovery({self.code!r}, error {self.error:.2e}, {self.iterations} iterations, {self.reason})"

    def save(self, path: str | Path) -> None:
        """Write the code as `Code.save` does, with what is needed to continue beside it."""
        self.code.save(path)
        file = Path(path)
        text = json.loads(file.read_text(encoding="utf-8"))
        text[_KEY] = self.provenance() | {
            "state": asdict(self.state) | {side: getattr(self.state, side).tolist() for side in ("left", "right")},
            "history": [list(each) for each in self.history],
        }
        beside = file.with_name(file.name + ".part")
        try:
            beside.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)

    def provenance(self) -> dict[str, Any]:
        """How it was found and how good it is, as plain data."""
        return {
            "format": _FORMAT,
            "dtype": self.goal.dtype,
            "objective": self.goal.objective,
            "score": asdict(self.score),
            "method": self.method,
            "start": self.start,
            "seed": self.seed,
            "found_in": self.found_in,
            "iterations": self.iterations,
            "reason": self.reason,
        }

    @classmethod
    def load(cls, path: str | Path) -> "Discovery":
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing, damaged, or holds a code alone.
        """
        code = Code.load(path)
        try:
            text = json.loads(Path(path).read_text(encoding="utf-8"))[_KEY]
            return cls._parsed(code, text)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, AttributeError) as problem:
            raise InputError(
                f"Discovery.load({str(path)!r}): the file holds no search that could be continued: {problem!r}"
            ) from problem

    @classmethod
    def _parsed(cls, code: Code, text: Mapping[str, Any]) -> "Discovery":
        if text["format"] != _FORMAT:
            raise ValueError(f"format {text['format']!r}, not {_FORMAT}")
        state = dict(text["state"])
        left, right = (np.array(state.pop(side), dtype=np.float64) for side in ("left", "right"))
        if left.shape != code.left.shape or right.shape != code.right.shape:
            raise ValueError("the tables to go on from do not fit the code")
        if not (np.isfinite(left).all() and np.isfinite(right).all()):
            raise ValueError("the tables to go on from must be finite")
        goal = Goal(code.partition, code.workers, code.recovery_threshold, str(text["dtype"]), str(text["objective"]))
        return cls(
            code=code,
            goal=goal,
            score=Score(**text["score"]),
            history=tuple((int(at), float(error)) for at, error in text["history"]),
            method=str(text["method"]),
            start=str(text["start"]),
            seed=int(text["seed"]),
            found_in=int(text["found_in"]),
            iterations=int(text["iterations"]),
            reason=str(text["reason"]),
            state=State(left, right, **state),
        )
