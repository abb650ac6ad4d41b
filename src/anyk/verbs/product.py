"""What a verb returns: the product, how far off it is, and how it came about."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anyk.code import Code
from anyk.job import Step
from anyk.job.messages import Cancel, Compute, Decode, Lost, Result, Started


@dataclass(frozen=True)
class Stretch:
    """One attempt at one task, for a timeline.

    Args:
        task: which coded product.
        worker: who was asked.
        attempt: 0 for the first sending.
        sent_seconds: since the job began.
        ended_seconds: since the job began; None if it was still out when the job ended.
        outcome: ``"used"``, ``"answered"`` (not needed), ``"lost"``, ``"cancelled"``, ``"wrong"``.
    """

    task: int
    worker: int
    attempt: int
    sent_seconds: float
    ended_seconds: float | None
    outcome: str


@dataclass(frozen=True, eq=False)
class Product:
    """A product recovered from some of its tasks' answers; NumPy takes it as the array it holds.

    Args:
        value: C, of the shape and dtype `numpy.matmul` would give (integers: int64; half precision: float32).
        survivors: tasks whose answers were used, ascending; in any of its bands, where it was formed in several.
        wrong: tasks whose answers were found wrong and thrown out.
        error: relative Frobenius error, or None where nothing was measured or expected.
        error_kind: ``"measured"`` by random probes, ``"expected"`` from the code's tables, ``"exact"`` (integers,
            checked), or ``"none"``.
        reason: why this answer was given when it was, in words.
        seconds: wall time by phase: encode, collect, decode, measure, total.
        events: the job's story, step by step; one story after the other for a product in bands.
        code: the code used.
        peak_bytes: largest resident memory of this process during the product, shared blocks included; None where the
            system does not tell.
        distrusted: workers whose answers were wrong in several products of this engine: their tasks go to others (see
            `anyk.engines.suspicions`).

    >>> import numpy as np, anyk
    >>> product = anyk.matmul(np.eye(4), np.eye(4), anyk.codes.matdot(2, 4), engine="inline")
    >>> bool(np.allclose(product, np.eye(4)))
    True
    """

    value: NDArray[Any]
    survivors: tuple[int, ...]
    wrong: tuple[int, ...]
    error: float | None
    error_kind: str
    reason: str
    seconds: Mapping[str, float]
    code: Code | None
    events: tuple[Step, ...] = field(default=(), repr=False)
    peak_bytes: int | None = None
    distrusted: tuple[int, ...] = ()

    def __repr__(self) -> str:
        error = "not measured" if self.error is None else f"{self.error_kind} error {self.error:.1e}"
        tasks = f"from {len(self.survivors)} of {self.code.workers} answers, " if self.code else ""
        return f"Product({self.value.shape} {self.value.dtype}, {tasks}{error})"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """The value, for NumPy."""
        return np.array(self.value, dtype=dtype, copy=copy)

    def timeline(self) -> list[Stretch]:
        """Every attempt at every task, in the order they were sent, with what became of it; band after band."""
        began = self.events[0].event.at if self.events else 0.0
        starts = [at for at, step in enumerate(self.events) if isinstance(step.event, Started)]
        bands = [self.events[start:end] for start, end in pairwise([*starts, len(self.events)])]
        return [stretch for band in bands for stretch in self._stretches(band, began)]

    def _stretches(self, band: Sequence[Step], began: float) -> Iterable[Stretch]:
        rows: dict[tuple[int, int], Stretch] = {}
        decoded = [said.tasks for step in band for said in step.instructions if isinstance(said, Decode)]
        used = decoded[-1] if decoded else ()
        for step in band:
            at = step.event.at - began
            if isinstance(step.event, Result | Lost) and (key := (step.event.task, step.event.attempt)) in rows:
                outcome = "lost" if isinstance(step.event, Lost) else self._answered(step.event.task, used)
                rows[key] = replace(rows[key], ended_seconds=at, outcome=outcome)
            for said in step.instructions:
                if isinstance(said, Compute):
                    rows[said.task, said.attempt] = Stretch(said.task, said.worker, said.attempt, at, None, "cancelled")
                elif isinstance(said, Cancel):
                    key = said.task, said.attempt
                    rows[key] = replace(rows[key], ended_seconds=at, outcome="cancelled")
        return rows.values()

    def _answered(self, task: int, used: Collection[int]) -> str:
        return "wrong" if task in self.wrong else "used" if task in used else "answered"


def nothing(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Product:
    """The product of matrices without entries: zeros, and no work."""
    reason = "one operand has no entries: nothing to compute"
    return Product(np.zeros(shape, dtype), (), (), 0.0, "exact", reason, {"total": 0.0}, None)
