"""What a verb returns: the product, how far off it is, and how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anyk.code import Code
from anyk.engines.meter import Moved
from anyk.job import Step
from anyk.verbs.timeline import Stretch, timeline


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
        seconds: wall time by phase: encode, collect, decode, measure, total; of a stream start instead of the first
            two.
        events: the job's story, step by step; one story after the other for a product in bands.
        code: the code used.
        peak_bytes: largest resident memory of this process during the product, shared blocks included; None where the
            system does not tell.
        distrusted: workers whose answers were wrong in several products of this engine: their tasks go to others (see
            `anyk.engines.suspicions`).
        moved: bytes that went to the workers, came from them and went from one to another, until the product was there;
            blocks in shared memory do not move.
        fill_in: of sparse operands: stored entries of the fullest encoded block, over an even share of the matrix' own;
            1 where each task has a block of the matrix, up to as many as it combines; None for dense ones.

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
    moved: Moved = field(default_factory=Moved)
    fill_in: float | None = None

    def __repr__(self) -> str:
        error = "not measured" if self.error is None else f"{self.error_kind} error {self.error:.1e}"
        tasks = f"from {len(self.survivors)} of {self.code.workers} answers, " if self.code else ""
        return f"Product({self.value.shape} {self.value.dtype}, {tasks}{error})"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """The value, for NumPy."""
        return np.array(self.value, dtype=dtype, copy=copy)

    def timeline(self) -> list[Stretch]:
        """Every attempt at every task, in the order they were sent, with what became of it; band after band."""
        return timeline(self.events)


def nothing(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Product:
    """The product of matrices without entries: zeros, and no work."""
    reason = "one operand has no entries: nothing to compute"
    return Product(np.zeros(shape, dtype), (), (), 0.0, "exact", reason, {"total": 0.0}, None)
