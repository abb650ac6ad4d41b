"""Products of arrays that stay on their device: encoded, multiplied and decoded there, by workers of this process.

What `anyk.verbs.run` is to NumPy's arrays this is to torch's and CuPy's: the same job, and few verbs of the array API.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import prod, sqrt
from time import perf_counter
from typing import Any

import numpy as np
from numpy.random import Generator

from anyk.decoding import prepare
from anyk.engines.base import Engine, Lane
from anyk.engines.drive import drive
from anyk.engines.suspicion import distrusted
from anyk.engines.work import checkpoint
from anyk.errors import ClusterError, InputError
from anyk.job import Job, State
from anyk.job.messages import Compute, Decoded, Suspected
from anyk.probes import draw_columns
from anyk.screening.alike import gain, strange_rows
from anyk.verbs.blocks import homes_of
from anyk.verbs.library import Library
from anyk.verbs.product import Product
from anyk.verbs.run import Settings
from anyk.verbs.screen import Screening
from anyk.verbs.sufficiency import Tables
from anyk.verbs.sums import places, shape_of
from anyk.weights import product_error


def multiply_there(a: Any, b: Any) -> Any:
    """``a @ b``, wherever they are."""
    checkpoint()
    return a @ b


def runs_here(engine: Engine) -> bool:
    """Whether work runs in this process, and gets the arguments it is given."""
    return getattr(engine.caps, "same_process", False)


def device_product(
    library: Library,
    operands: tuple[Any, Any],
    dtype: np.dtype[Any],
    settings: Settings,
    *,
    asked: Screening | None,
    verify: bool,
    rng: Generator,
) -> Product:
    """The product of two matrices on a device, from the first sufficient answers.

    Args:
        library: of the matrices.
        operands: A (height, depth) and B (depth, width), of one working dtype.
        dtype: NumPy's name of it.
        settings: of the product; its engine runs in this process.
        asked: how wrong answers are found, or None; `"checked"` only.
        verify: measure the error.
        rng: of the columns it is measured and checked by.

    Raises:
        InputError: wrong answers are to be found from the answers alone.
        ClusterError: too few answers came.
    """
    if asked is not None and asked.kind != "checked":
        raise InputError(f"`matmul(screen={asked.kind!r})` of arrays on a device: use screen='checked'.")
    began, (a, b), code = perf_counter(), operands, settings.code
    cut, coded = code.partition, code.coded_dtype(dtype)
    work = _Work(library, operands, dtype, settings, asked, verify, rng)
    work.left = _encoded(library, code.left, a, cut.left_block(tuple(a.shape)), coded)
    work.right = _encoded(library, code.right, b, cut.right_block(tuple(b.shape)), coded)
    encoded, tables, engine = perf_counter(), Tables(code, dtype), settings.engine
    job = Job(
        code.workers,
        len(engine.lanes),
        threshold=code.recovery_threshold,
        decodability=tables,
        stop=settings.stop,
        retries=settings.retries,
        timeout=settings.timeout,
        fewest=tables.fewest,
        homes=homes_of(code, len(engine.lanes), distrusted(engine)),
        distrusted=distrusted(engine),
    )
    outcome = drive(job, engine, work, watch=settings.watch)
    if outcome.state is not State.DONE:
        raise ClusterError(outcome.reason)
    seconds = {"encode": encoded - began, **outcome.seconds, "total": perf_counter() - began}
    kind = "measured" if verify else "expected"
    return Product(
        work.value,
        outcome.tasks,
        tuple(sorted(work.wrong)),
        work.error,
        kind,
        outcome.reason,
        seconds,
        code,
        outcome.events,
    )


@dataclass(eq=False)
class _Work:
    """See `anyk.engines.drive.Work`."""

    library: Library
    operands: tuple[Any, Any]
    dtype: np.dtype[Any]
    settings: Settings
    asked: Screening | None
    verify: bool
    rng: Generator
    left: Sequence[Any] = ()
    right: Sequence[Any] = ()
    futures: dict[int, "Future[Any]"] = field(default_factory=dict)
    wrong: set[int] = field(default_factory=set)
    cleared: set[int] = field(default_factory=set)
    value: Any = None
    error: float | None = None

    def start(self, compute: Compute, lane: Lane) -> "Future[Any]":
        """Multiply the task's blocks on this lane."""
        self.cleared.discard(compute.task)
        self.futures[compute.task] = lane.submit(multiply_there, self.left[compute.task], self.right[compute.task])
        return self.futures[compute.task]

    def decode(self, tasks: tuple[int, ...]) -> Decoded | Suspected:
        """Form the product of these answers, unless some are wrong."""
        answers = [self.futures[task].result() for task in tasks]
        if self.asked is not None:
            fresh = [(task, each) for task, each in zip(tasks, answers, strict=True) if task not in self.cleared]
            wrong = tuple(task for task, answer in fresh if not self._holds(task, answer))
            self.cleared |= {task for task, _ in fresh} - {*wrong}
            self.wrong |= {*wrong}
            if wrong:
                return Suspected(wrong, at=perf_counter())
        library, code, (a, b) = self.library, self.settings.code, self.operands
        weights = prepare(code, tasks, self.dtype)
        shape, block = (int(a.shape[0]), int(b.shape[1])), tuple(answers[0].shape)
        coded = code.coded_dtype(self.dtype)
        stacked = library.xp.stack([library.xp.reshape(answer, (-1,)) for answer in answers])
        formed = library.asarray(np.array(weights.matrix), coded) @ stacked
        formed = formed.real if self.dtype.kind == "f" and coded.kind == "c" else formed
        self.value = library.asarray(np.zeros(shape), self.dtype)
        for number, spot in enumerate(places(code.partition, shape)):
            height, width = shape_of(spot)
            self.value[spot] = library.xp.reshape(formed[number], block)[:height, :width]
        self.error = self._measured() if self.verify else weights.expected_error
        return Decoded(at=perf_counter(), error=self.error if self.verify else None)

    def _holds(self, task: int, answer: Any) -> bool:
        """The answer is right, to rounding: Freivalds' check by columns drawn for it alone."""
        left, right = self.left[task], self.right[task]
        drawn = draw_columns(int(answer.shape[1]), 2, self.rng)
        columns = self.library.asarray(drawn, self.settings.code.coded_dtype(self.dtype))
        found, expected = (self.library.to_host(each) for each in (answer @ columns, left @ (right @ columns)))
        sizes = [self.library.size(each) / sqrt(max(1, prod(each.shape))) for each in (left, right)]
        usual = sizes[0] * sizes[1] * sqrt(left.shape[1]) * gain(drawn)
        noise, looks = product_error(self.dtype), self.settings.code.workers
        return not strange_rows(found, expected, noise=noise, usual=usual, looks=looks).size

    def _measured(self) -> float:
        """Relative to the true product, as a few columns see it."""
        a, b = self.operands
        columns = self.library.asarray(draw_columns(int(b.shape[1]), 4, self.rng), self.dtype)
        true = a @ (b @ columns)
        apart, size = self.library.size(true - self.value @ columns), self.library.size(true)
        return apart / size if size else apart


def _encoded(library: Library, table: Any, matrix: Any, block: tuple[int, int], dtype: np.dtype[Any]) -> list[Any]:
    """Every task's combination of the matrix' blocks, by one matrix product."""
    rows, cols, count = table.shape
    xp, stacked = library.xp, []
    for i in range(rows):
        for j in range(cols):
            piece = matrix[i * block[0] : (i + 1) * block[0], j * block[1] : (j + 1) * block[1]]
            whole = library.asarray(np.zeros(block), dtype)
            whole[: piece.shape[0], : piece.shape[1]] = piece
            stacked.append(xp.reshape(whole, (-1,)))
    coefficients = library.asarray(np.ascontiguousarray(table.reshape(rows * cols, count).T), dtype)
    coded = coefficients @ xp.stack(stacked)
    return [xp.reshape(coded[task], block) for task in range(count)]
