"""The straight line: cut and encode, let the workers multiply, decode from whoever answered, measure."""

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from anyk import engines, planning
from anyk.arrays import combine
from anyk.code import Code
from anyk.decoding import Weights, prepare
from anyk.engines.base import Engine, Lane, Ref
from anyk.engines.drive import Outcome, Watch, drive
from anyk.engines.work import multiply
from anyk.errors import ClusterError, PrecisionError, PrecisionWarning
from anyk.job import Job, State, StopRule, first_threshold, until
from anyk.job.messages import Compute, Decoded
from anyk.probes import Probe
from anyk.verbs.integers import exactly
from anyk.verbs.operands import Operands, operands
from anyk.verbs.product import Product
from anyk.verbs.sufficiency import Tables

Array = NDArray[Any]

_names = count()


def matmul(
    A: ArrayLike,
    B: ArrayLike,
    code: Code | None = None,
    *,
    workers: int | None = None,
    stragglers: int = 0,
    tolerance: float | None = None,
    engine: "str | Engine | None" = None,
    stop: StopRule | None = None,
    verify: bool = True,
    check_finite: bool = True,
    timeout: float | None = None,
    retries: int = 1,
    rng: Generator | int | None = None,
    watch: Watch | None = None,
) -> Product:
    """The product of two matrices, recovered from the first sufficient set of workers' answers.

    Args:
        A: matrix (height, depth) or vector (depth,). float32, float64, complex64 and complex128 are computed in their
            own precision, half precision in float32, integers and booleans exactly in int64.
        B: matrix (depth, width) or vector (depth,).
        code: how to encode; default: chosen by a simple rule (see `anyk.planning`) from ``workers`` and ``stragglers``.
        workers: number of tasks where no code is given; default: the engine's workers, or the machine's cores and the
            stragglers.
        stragglers: where no code is given: how many answers may be missing.
        tolerance: return at the earliest answer expected, and then measured, to be this good; warn if none was.
        engine: a name such as ``"processes"``, ``"processes:8"``, ``"inline"``, or an opened engine, which is left
            open.
            Default: one process per task on this machine.
        stop: when to stop waiting; default: at the first answers that decode (``until(tolerance)`` with a tolerance).
        verify: measure the error with random probes (about 3 % of the plain product); else report the expected error.
        check_finite: refuse NaN and infinite entries.
        timeout: seconds until giving up; default: never. With ``deadline`` as stop rule the best partial answer is
            returned.
        retries: how often a task is computed again after its worker was lost.
        rng: generator or seed of the probes; default: fresh randomness.
        watch: called with each step of the job as it is made, for a live view (see `anyk.engines.drive`).

    Returns:
        The product, who answered, and its error.

    Raises:
        InputError: operands that cannot be multiplied, or arguments out of range.
        CodeError: no code for so few workers.
        ClusterError: too few answers came, or the engine could not start.
        PrecisionError: the answers hold values that are not finite, or an integer product is not exact.

    Warns:
        PrecisionWarning: the error is larger than the tolerance, or than rounding explains.

    >>> import numpy as np, anyk
    >>> A, B = np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)
    >>> anyk.matmul(A, B, anyk.codes.matdot(inner=2, workers=4), engine="inline").value.tolist()
    [[10, 13], [28, 40]]
    """
    given = operands("matmul", A, B, check_finite=check_finite)
    rng = np.random.default_rng(rng)
    if not (given.a.size and given.b.size):
        return _nothing(given)
    rule = stop or (first_threshold() if tolerance is None else until(tolerance))
    with _opened(engine, lambda: workers or _default_workers(stragglers), code) as opened:
        chosen = code or planning.choose(
            given.a.shape, given.b.shape, workers=workers or len(opened.lanes), stragglers=stragglers
        )
        run = _Settings(chosen, opened, rule, verify, timeout, retries, tolerance, rng, watch)
        return _integer_product(given, run) if given.is_integer else _product(given.a, given.b, given.shape, run)


@dataclass(frozen=True)
class _Settings:
    """What stays the same for every product of one call."""

    code: Code
    engine: Engine
    stop: StopRule
    verify: bool
    timeout: float | None
    retries: int
    tolerance: float | None
    rng: Generator
    watch: Watch | None


def _product(a: Array, b: Array, shape: tuple[int, ...], run: _Settings) -> Product:
    began = perf_counter()
    work = _Work(run.code, run.engine, a, b, Probe.draw(a, b, run.rng) if run.verify else None)
    tables = Tables(run.code, a.dtype)
    job = Job(
        run.code.workers,
        len(run.engine.lanes),
        threshold=run.code.recovery_threshold,
        decodability=tables,
        stop=run.stop,
        retries=run.retries,
        timeout=run.timeout,
        fewest=tables.fewest,
    )
    try:
        work.encode()
        outcome = drive(job, run.engine, work, watch=run.watch)
    finally:
        work.forget()
    if outcome.state is not State.DONE:
        raise ClusterError(outcome.reason)
    seconds = {**work.seconds, "collect": outcome.seconds["collect"], "total": perf_counter() - began}
    product = work.product(shape, outcome, seconds)
    _judge(product, run)
    return product


def _integer_product(given: Operands, run: _Settings) -> Product:
    products: list[Product] = []

    def multiplied(a: Array, b: Array) -> Array:
        products.append(_product(a, b, (a.shape[0], b.shape[1]), run))
        return products[-1].value

    value = exactly(given.a, given.b, run.rng, multiplied).reshape(given.shape)
    last = products[-1]
    return Product(value, last.survivors, last.wrong, 0.0, "exact", last.reason, last.seconds, last.code, last.events)


class _Work:
    """One product's blocks on the engine's lanes: how a task starts and how answers become the product."""

    def __init__(self, code: Code, engine: Engine, a: Array, b: Array, probe: Probe | None) -> None:
        self._code, self._engine, self._a, self._b, self._probe = code, engine, a, b, probe
        self._name = f"product-{next(_names)}"
        cut = code.partition
        self._shapes = cut.left_block(a.shape), cut.right_block(b.shape), cut.result_block((a.shape[0], b.shape[1]))
        self._dtype = code.coded_dtype(a.dtype)
        self._left: list[Array] = []
        self._right: list[Array] = []
        self._placed: set[tuple[int, int, int]] = set()
        self._futures: dict[int, tuple[Future[Any], Array | None]] = {}
        self._keys: dict[int, set[str]] = {}
        self.seconds: dict[str, float] = {}
        self.value = np.empty((a.shape[0], b.shape[1]), a.dtype)
        self.weights: Weights | None = None
        self.error: float | None = None

    def encode(self) -> None:
        """Encode both operands straight into the lanes' buffers, or into our own where lanes have none."""
        began = perf_counter()
        for blocks, letter, shape, table, matrix in (
            (self._left, "A", self._shapes[0], self._code.left, self._a),
            (self._right, "B", self._shapes[1], self._code.right, self._b),
        ):
            for task in range(self._code.workers):
                lane = self._engine.lanes[task % len(self._engine.lanes)]
                shared = self._allocated(lane, self._key(letter, task), shape)
                blocks.append(np.empty(shape, self._dtype) if shared is None else shared)
                if shared is not None and letter == "B":
                    self._placed.add((task, lane.rank, lane.epoch))
            combine(table, matrix, blocks)
        self.seconds["encode"] = perf_counter() - began

    def start(self, compute: Compute, lane: Lane) -> "Future[Any]":
        """Bring the task's blocks to this lane, unless they are there, and submit its product."""
        task = compute.task
        if (task, lane.rank, lane.epoch) not in self._placed:
            lane.put(self._note(lane, self._key("A", task)), self._left[task])
            lane.put(self._note(lane, self._key("B", task)), self._right[task])
            self._placed.add((task, lane.rank, lane.epoch))
        key = f"{self._key('C', task)}.{compute.attempt}"
        answer = self._allocated(lane, key, self._shapes[2])
        blocks = (Ref(self._key("A", task)), Ref(self._key("B", task)))
        future = lane.submit(multiply, *blocks) if answer is None else lane.submit(multiply, *blocks, Ref(key))
        self._futures[task] = (future, answer)
        return future

    def decode(self, tasks: tuple[int, ...]) -> Decoded:
        """Form the product from these answers and measure it."""
        began = perf_counter()
        answers = {task: self._answer(task) for task in tasks}
        self.weights = prepare(self._code, tasks, self._a.dtype)
        self.weights.apply(answers, self._code.partition, self.value)
        formed = perf_counter()
        self.error = self.weights.expected_error if self._probe is None else self._probe.error(self.value)
        self.seconds["decode"] = self.seconds.get("decode", 0.0) + formed - began
        self.seconds["measure"] = self.seconds.get("measure", 0.0) + perf_counter() - formed
        return Decoded(at=self._engine.clock.now(), error=None if self._probe is None else self.error)

    def product(self, shape: tuple[int, ...], outcome: Outcome, seconds: dict[str, float]) -> Product:
        """The result of a finished job."""
        kind = "expected" if self._probe is None else "measured"
        value = self.value.reshape(shape)
        return Product(value, outcome.tasks, (), self.error, kind, outcome.reason, seconds, self._code, outcome.events)

    def forget(self) -> None:
        """Free every block of this product on every lane."""
        for lane in self._engine.lanes:
            lane.delete(*self._keys.get(lane.rank, ()))

    def _answer(self, task: int) -> Array:
        future, shared = self._futures[task]
        answer: Array = future.result() if shared is None else shared
        return answer

    def _allocated(self, lane: Lane, key: str, shape: tuple[int, int]) -> Array | None:
        return lane.alloc(self._note(lane, key), shape, self._dtype)

    def _key(self, letter: str, task: int) -> str:
        return f"{self._name}.{letter}{task}"

    def _note(self, lane: Lane, key: str) -> str:
        self._keys.setdefault(lane.rank, set()).add(key)
        return key


@contextmanager
def _opened(engine: "str | Engine | None", workers: Callable[[], int], code: Code | None) -> Iterator[Engine]:
    """The engine asked for; closed again only if it was opened here."""
    if engine is not None and not isinstance(engine, str):
        yield engine
        return
    opened = engines.open(engine or "processes", workers=code.workers if code else workers())
    try:
        yield opened
    finally:
        opened.close()


def _default_workers(stragglers: int) -> int:
    return max(2, os.cpu_count() or 1) + stragglers


def _nothing(given: Operands) -> Product:
    """The product of matrices without entries: zeros, and no work."""
    dtype = np.dtype(np.int64) if given.is_integer else given.a.dtype
    value = np.zeros(given.shape, dtype)
    return Product(value, (), (), 0.0, "exact", "one operand has no entries: nothing to compute", {"total": 0.0}, None)


def _judge(product: Product, run: _Settings) -> None:
    """Refuse what is not a number, and warn of what is less exact than it should be."""
    error, dtype = product.error, product.value.dtype
    if error is not None and not np.isfinite(error):
        raise PrecisionError(
            f"the product is not finite: an answer among tasks {list(product.survivors)} holds NaN or infinity, or the "
            f"entries overflow {dtype}. Compute in a wider dtype, or clean A and B."
        )
    usual = max(3 * run.code.design_error, float(np.sqrt(np.finfo(dtype).eps)))
    limit = usual if run.tolerance is None else run.tolerance
    if error is not None and error > limit:
        warnings.warn(
            f"the product's {product.error_kind} relative error is {error:.1e}, above {limit:.1e}; {product.reason}. "
            "Wait for more answers (stop=anyk.everyone), use a wider dtype or more workers; where A B is much smaller "
            "than |A| |B|, cancellation alone explains it.",
            PrecisionWarning,
            stacklevel=4,
        )
