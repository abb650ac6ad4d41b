"""One coded product on an engine: encoded operands in, a job driven to its end, the measured product out."""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anyk.code import Code
from anyk.decoding import Weights, fitted, prepare
from anyk.engines import limits
from anyk.engines.base import Engine, Lane
from anyk.engines.drive import Outcome, Watch, drive_stepwise
from anyk.engines.meter import Meter, metering
from anyk.engines.suspicion import distrusted
from anyk.engines.work import multiply
from anyk.errors import ClusterError, PrecisionError
from anyk.job import Job, State, StopRule
from anyk.job.messages import Compute, Decoded, Suspected
from anyk.probes import Sample
from anyk.verbs.afar import Afar
from anyk.verbs.blocks import Blocks
from anyk.verbs.centering import Centre
from anyk.verbs.encoding import Operand
from anyk.verbs.kept import Gone, Kept
from anyk.verbs.product import Product
from anyk.verbs.reduction import Reduction
from anyk.verbs.screen import Screen
from anyk.verbs.sufficiency import Tables
from anyk.verbs.there import error_of, formed_there, strange

Array = NDArray[Any]


class Gauge(Protocol):
    """Whatever can measure a product's relative error; `anyk.probes.Probe` does."""

    def error(self, product: Array, /) -> float:
        """Relative Frobenius error."""
        ...


@dataclass(frozen=True)
class Settings:
    """How products are to be run.

    Args:
        code: of the encoded operands.
        engine: where.
        stop: when enough has come back.
        timeout: seconds until giving up, or None.
        retries: how often one task may be computed again.
        watch: looks on, or None.
    """

    code: Code
    engine: Engine
    stop: StopRule
    timeout: float | None = None
    retries: int = 1
    watch: Watch | None = None


class Run:
    """One product under way.

    Args:
        settings: how.
        left: encoded A.
        right: encoded B.
        answers: buffers for the answers; their contents do not matter.
        shape: of the product, (height, width).
        dtype: of the product.
        gauge: measures each decoding; None: the expected error is reported.
        centre: what encoding took out, or None.
        sample: what the weights are fitted to besides the code's tables, or None.
        screen: looks for wrong answers before each decoding, or None.
        out: where the product goes, or None: each decoding into an array of its own.
        multiply: what a worker does with its two blocks and the buffer of its answer.
        meter: counts what moves; or None: one of its own.
        kept: where answers stay on the workers, and products are formed of them there; or None: they come here.
    """

    def __init__(
        self,
        settings: Settings,
        left: Operand,
        right: Operand,
        answers: Blocks,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        gauge: Gauge | None,
        *,
        centre: Centre | None = None,
        sample: Sample | None = None,
        screen: Screen | None = None,
        out: Array | None = None,
        multiply: Callable[..., Any] = multiply,
        meter: Meter | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._meter, self._kept = meter or Meter(), kept
        self._settings, self._left, self._right, self._answers = settings, left, right, answers
        self._sample, self._screen, self._out = sample, screen, out
        self._shape, self._dtype, self._gauge, self._centre, self._multiply = shape, dtype, gauge, centre, multiply
        self._job: Job | None = None
        self._futures: dict[int, Future[Any]] = {}
        # Task -> rank and epoch of the worker that was asked last.
        self._asked: dict[int, tuple[int, int]] = {}
        self._strayed: set[int] = set()
        self._wrong: set[int] = set()
        self._distrusted: tuple[int, ...] = ()
        self._value: Any = np.empty(0, dtype)  # or what a cluster's library calls a product that stays there
        self._tasks: tuple[int, ...] = ()
        self._error: float | None = None
        self._seconds = {"decode": 0.0, "measure": 0.0} | ({"screen": 0.0} if screen else {})

    def finish(self, seconds: Mapping[str, float]) -> Product:
        """Drive the job to its end.

        Args:
            seconds: phases already behind us; they are reported along.

        Raises:
            ClusterError: there will be no product, and why.
            PrecisionError: not even all answers would do in this dtype.
        """
        decodings = self.decodings()
        while True:
            try:
                next(decodings)
            except StopIteration as end:
                outcome: Outcome = end.value
                return self.product({**seconds, "collect": outcome.seconds["collect"]})

    def decodings(self) -> Generator[Decoded | Suspected, None, Outcome]:
        """Drive the job, pausing after each decoding; `product` then tells what it gave.

        Raises:
            ClusterError: there will be no product, and why.
            PrecisionError: not even all answers would do in this dtype.
        """
        code, engine, settings = self._settings.code, self._settings.engine, self._settings
        tables = Tables(code, self._dtype)
        job = self._job = Job(
            code.workers,
            len(engine.lanes),
            threshold=code.recovery_threshold,
            decodability=tables,
            stop=settings.stop,
            retries=settings.retries,
            timeout=settings.timeout,
            fewest=tables.fewest,
            homes=self._answers.homes,
            distrusted=distrusted(engine),
        )
        try:
            outcome = yield from drive_stepwise(job, engine, self, watch=settings.watch)
        finally:
            for task in self._strayed:
                self._answers.retire(task)
            if self._kept is not None:
                self._kept.free()
            if self._screen is not None:
                self._distrusted = self._screen.report(engine)
        if outcome.state is not State.DONE:
            self._blame_the_code(tables)
            raise ClusterError(outcome.reason)
        return outcome

    def _blame_the_code(self, tables: Tables) -> None:
        """Where not even all answers would do, the workers are innocent: an approximate code is made for one dtype."""
        code, everyone = self._settings.code, tuple(range(self._settings.code.workers))
        if not tables.sufficient(everyone):
            raise PrecisionError(
                f"`{code.name}` cannot decode {self._dtype} answers: from all {code.workers} of them a relative error "
                f"of {tables.expected_error(everyone):.1g} is expected. Make the code for this precision (dtype="
                f"'{self._dtype}'), compute in a wider one, or take what there is with stop=deadline(seconds)."
            )

    def product(self, seconds: Mapping[str, float]) -> Product:
        """What the last decoding gave, and the story so far."""
        kind, phases = "expected" if self._gauge is None else "measured", {**seconds, **self._seconds}
        reason, events = ("", ()) if self._job is None else (self._job.reason, tuple(self._job.story()))
        if self._screen is not None:
            reason = f"{reason}; {self._screen.told}"
        if self._distrusted:
            workers = ("worker " if len(self._distrusted) == 1 else "workers ") + ", ".join(map(str, self._distrusted))
            reason = f"{reason}; {workers} answered wrongly in several products: others get the tasks"
        return Product(
            self._value,
            self._tasks,
            tuple(sorted(self._wrong)),
            self._error,
            kind,
            reason,
            phases,
            self._settings.code,
            events,
            distrusted=self._distrusted,
            moved=self._meter.moved,
        )

    def start(self, compute: Compute, lane: Lane) -> "Future[Any]":
        """Bring the task's blocks to this lane and submit its product, into shared memory where there is some."""
        task, kept = compute.task, self._kept
        with metering(self._meter):
            blocks = [*self._left.refs(task, lane), *self._right.refs(task, lane)]
            if self._answers.are_shared:
                blocks.append(self._answers.bring(task, lane))
                if lane is not self._answers.home(task):
                    self._strayed.add(task)
            if self._screen is not None:
                self._screen.forget(task)
            self._asked[task] = lane.rank, lane.epoch
            name = kept.place(task, lane) if kept else None
            self._futures[task] = future = lane.submit(self._multiply, *blocks, out=name)
        if kept:
            kept.time(future)
        return future

    def decode(self, tasks: tuple[int, ...]) -> Decoded | Suspected:
        """Form the product from these answers and measure it; unless some are wrong, or gone."""
        with metering(self._meter):
            if self._kept is None:
                return self._decoded(tasks, {task: self._answer(task) for task in tasks})
            try:
                return self._decoded_there(self._kept, tasks)
            except Gone as gone:
                return Suspected(gone.tasks, at=perf_counter(), cause=gone.cause)

    def _decoded(self, tasks: tuple[int, ...], answers: Mapping[int, Array]) -> Decoded | Suspected:
        """From answers that are here."""
        screen = self._screen
        if screen is None:
            return self._formed(tasks, answers)[0]
        if not (screen.judges_products and Tables(self._settings.code, self._dtype).sufficient(tasks)):
            return self._suspected(screen, lambda: screen.suspects(answers)) or self._formed(tasks, answers)[0]
        with np.errstate(all="ignore"):
            decoded, weights = self._formed(tasks, answers)
        return self._suspected(screen, lambda: screen.suspects_in(self._value, weights, answers)) or decoded

    def _formed(self, tasks: tuple[int, ...], answers: Mapping[int, Array]) -> tuple[Decoded, Weights]:
        """Form the product from these answers, and measure it; and the weights it was formed with."""
        began = perf_counter()
        self._tasks = tasks
        self._value = self._place()
        weights = prepare(self._settings.code, tasks, self._dtype)
        if self._sample is not None and self._sample.suffices(len(tasks)):
            weights = fitted(weights, self._settings.code, answers, self._sample)
        weights.apply(answers, self._settings.code.partition, self._value, threads=limits.threads())
        if self._centre is not None:
            self._centre.restore(self._value)
        self._seconds["decode"] += perf_counter() - began
        return self._measured(weights), weights

    def _decoded_there(self, kept: Kept, tasks: tuple[int, ...]) -> Decoded | Suspected:
        """By the workers that have the answers; here only if they cannot, or if what they form is wrong."""
        screen = self._screen
        if screen and (wrong := self._suspected(screen, lambda: strange(screen, kept, tasks))):
            return wrong
        began = perf_counter()
        weights = prepare(self._settings.code, tasks, self._dtype)
        product = formed_there(kept, weights, screen, self._place)
        self._seconds["decode"] += perf_counter() - began
        if product is None:
            decoded = self._decoded(tasks, kept.brought(tasks))
            if isinstance(decoded, Decoded) and kept.library:
                self._value = Reduction(kept).given_back(self._value, tasks).handed_over(self._settings.engine)
            return decoded
        self._tasks, self._value = tasks, product
        decoded = kept.asking(tasks, lambda: self._measured(weights))()
        if isinstance(product, Afar):
            self._value = kept.asking(tasks, product.handed_over)(self._settings.engine)
        return decoded

    def _measured(self, weights: Weights) -> Decoded:
        began = perf_counter()
        self._error = weights.expected_error if self._gauge is None else error_of(self._gauge, self._value)
        now = perf_counter()
        self._seconds["measure"] += now - began
        return Decoded(at=now, error=None if self._gauge is None else self._error)

    def _suspected(self, screen: Screen, ask: Callable[[], tuple[int, ...] | None]) -> Suspected | None:
        began = perf_counter()
        wrong = ask()
        self._wrong |= {*(wrong or ())}
        for task in wrong or ():
            screen.blame(task, self._asked[task])
        self._seconds["screen"] += perf_counter() - began
        return None if wrong == () else Suspected(wrong or (), at=perf_counter())

    def _place(self) -> Array:
        return np.empty(self._shape, self._dtype) if self._out is None else self._out

    def _answer(self, task: int) -> Array:
        answer: Array = self._answers.arrays[task] if self._answers.are_shared else self._futures[task].result()
        return answer
