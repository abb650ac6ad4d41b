"""A product in bands of rows, one after the other, where the answers to all of it would take more memory than itself.

Where the code cuts the inner dimension, each answer is as large as a whole part of C: fifteen of MatDot's are fifteen
times C. Bands of rows of A are products of their own on the same encoded B: their answers are small, and their buffers
are used again by the next band.
"""

from collections.abc import Sequence
from math import ceil, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.code import Code
from anyk.engines.meter import Moved
from anyk.engines.work import PANEL_ROWS
from anyk.errors import InputError
from anyk.job import StopRule, deadline, everyone, first_threshold, until
from anyk.verbs.product import Product

Array = NDArray[Any]

#: Answers of no more bytes than this are never worth a second round.
_FEW_BYTES = 1 << 26


def bands_of(A: Array, B: Array, code: Code, stop: StopRule, count: int | None) -> list[slice]:
    """Rows of A that are multiplied at a time.

    Args:
        A: shape (height, depth).
        B: shape (depth, width).
        code: of the product.
        stop: when enough has come back.
        count: how many bands; None: as few as keep the answers of all tasks smaller than A, B and C together; a single
            one where the stop rule might look at the time.

    Raises:
        InputError: no number of bands, or a deadline for several.
    """
    height = A.shape[0]
    if count is None:
        count = _wanted(A, B, code) if isinstance(stop, first_threshold | until) or stop is everyone else 1
    if count < 1:
        raise InputError(f"`matmul(bands={count})`: a product has 1 band of rows or more.")
    if count > 1 and isinstance(stop, deadline):
        raise InputError(f"`matmul(bands={count}, stop={stop})`: a deadline is for the whole product. Use bands=1.")
    cut = code.partition.rows
    rows = ceil(ceil(height / count) / cut) * cut
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]


def _wanted(A: Array, B: Array, code: Code) -> int:
    shape = A.shape[0], B.shape[1]
    dtype = code.coded_dtype(A.dtype)
    answers = code.workers * prod(code.partition.result_block(shape)) * dtype.itemsize
    room = max(_FEW_BYTES, (A.size + B.size + prod(shape)) * A.dtype.itemsize)
    # Workers lose speed on block products of fewer rows.
    most: int = max(1, A.shape[0] // (code.partition.rows * PANEL_ROWS))
    return min(ceil(answers / room), most)


def joined(parts: Sequence[Product], sizes: Sequence[float], value: Array) -> Product:
    """One product of the products of its bands.

    Args:
        parts: from top to bottom.
        sizes: Frobenius norms of the bands, up to a common factor.
        value: the product.
    """
    last = parts[-1]
    words = f"in {len(parts)} bands of rows, the last: " if len(parts) > 1 else ""
    return Product(
        value,
        tuple(sorted({task for part in parts for task in part.survivors})),
        tuple(sorted({task for part in parts for task in part.wrong})),
        _error([part.error for part in parts], sizes),
        last.error_kind,
        words + last.reason,
        {phase: sum(part.seconds[phase] for part in parts) for phase in last.seconds},
        last.code,
        tuple(step for part in parts for step in part.events),
        distrusted=last.distrusted,
        moved=sum((part.moved for part in parts), Moved()),
    )


def _error(errors: Sequence[float | None], sizes: Sequence[float]) -> float | None:
    """Relative error of the whole: squares of the bands' absolute errors add up."""
    known = np.array([error for error in errors if error is not None])
    if len(known) < 2:
        return errors[0]
    weights = np.array(sizes) / (max(sizes) or 1.0)
    if not weights.any():  # every band vanishes: their errors are absolute
        weights = np.full(len(known), 1 / sqrt(len(known)))
    return float(np.sqrt((known * weights) @ (known * weights) / (weights @ weights)))
