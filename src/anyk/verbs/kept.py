"""Answers that stay where they were formed, and products formed of them there: the master receives one C, or none.

Where a code cuts the inner dimension each answer is as large as a whole part of C. The weighted sum that decodes is
then formed by the workers: in each round half of them take a partial sum from the other half (`anyk.engines.base.Far`),
so that after a few rounds one of them has the part of C, and no worker has moved more than some blocks.

Laws:

1. Answers stay until the product is there. So a worker lost meanwhile takes its own answers and nothing else along:
   they are reported gone, and the sum is formed anew from those that are left, or from others that come.
2. Nobody is waited for without end. When a round fails or takes too long every worker is called: who does not answer is
   gone. The more often that happens the longer is the patience, so a slow network ends no product.
3. Where all are there and still no sum comes (workers that cannot reach each other), the answers are brought here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from itertools import count
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from anyk.engines import work
from anyk.engines.base import Engine, Lane, Ref, WorkerLost
from anyk.engines.meter import Meter
from anyk.partition import Partition

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")

#: The least patience with a round, in seconds; to that come twice the time of the slowest task, and the bytes' at this
#: rate, in bytes per second.
PATIENCE_SECONDS, SLOW_RATE = 2.0, 2e7
#: Where the product's time is over: long enough for who is there to say so.
LEAST_SECONDS = 0.2

_names = count()


class Gone(Exception):
    """These tasks' answers are lost with their workers.

    Args:
        tasks: sorted.
        cause: in words.
    """

    def __init__(self, tasks: tuple[int, ...], cause: str) -> None:
        super().__init__(tasks, cause)
        self.tasks, self.cause = tasks, cause


class Unformed(Exception):
    """All workers are there, and no sum comes of what they have."""


class Kept:
    """The answers of one product, on the lanes where they were formed.

    Args:
        engine: whose lanes; with `Caps.exchange`.
        partition: of the product.
        shape: of the product, (height, width).
        dtype: of the product.
        answer_bytes: of one answer.
        meter: counts what moves.
        library: the product is to stay, and to be handed over to the library of this engine; "": it comes here.
        timeout: seconds after which nobody is waited for, or None.
    """

    def __init__(
        self,
        engine: Engine,
        partition: Partition,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        answer_bytes: int,
        meter: Meter,
        library: str = "",
        timeout: float | None = None,
    ) -> None:
        self.library = library
        self._until = None if timeout is None else perf_counter() + timeout
        self._engine, self.partition, self.shape, self.dtype = engine, partition, shape, dtype
        self.answer_bytes, self.meter, self._name = answer_bytes, meter, f"kept-{next(_names)}"
        self._where: dict[int, Lane] = {}
        self._stored: dict[Lane, set[str]] = {}
        self._count = count()
        self._slowest_seconds, self._patience = 0.0, 1.0
        self._here: dict[int, Array] = {}

    # --- tasks --------------------------------------------------------------------------------------------------------

    def place(self, task: int, lane: Lane) -> str:
        """The name under which this lane is to keep the task's answer."""
        self._where[task] = lane
        self._here.pop(task, None)
        return self.stores(lane, f"{self._name}-answer-{task}")

    def time(self, future: "Future[Any]") -> None:
        """Remember how long tasks take."""
        began = perf_counter()

        def done(_: "Future[Any]") -> None:
            self._slowest_seconds = max(self._slowest_seconds, perf_counter() - began)

        future.add_done_callback(done)

    def holder(self, task: int) -> tuple[Lane, str]:
        """Who has the task's answer, and its name there."""
        return self._where[task], self._key(task)

    def check(self, tasks: Iterable[int]) -> None:
        """See that the workers that have these answers are still the same.

        Raises:
            Gone: some were replaced.
        """
        lanes = self._engine.lanes
        if gone := tuple(sorted(task for task in tasks if lanes[self._where[task].rank] is not self._where[task])):
            raise Gone(gone, "it lay with a worker that was lost since")

    # --- looks --------------------------------------------------------------------------------------------------------

    def seen_through(self, tasks: Iterable[int], columns: Array) -> dict[int, Array]:
        """What these answers look like through a few columns; computed where they are.

        Raises:
            Gone: some are lost.
        """
        asked = {task: self._where[task].submit(work.seen_through, Ref(self._key(task)), columns) for task in tasks}
        return self._of_tasks(asked, moving=0)

    def brought(self, tasks: Collection[int]) -> dict[int, Array]:
        """These answers, here.

        Raises:
            Gone: some are lost.
        """
        missing = [task for task in tasks if task not in self._here]
        asked = {task: self._where[task].fetch(self._key(task)) for task in missing}
        self._here |= self._of_tasks(asked, moving=len(asked))
        return {task: self._here[task] for task in tasks}

    def _of_tasks(self, asked: Mapping[int, "Future[Any]"], moving: int) -> dict[int, Array]:
        wait(asked.values(), self.limit(moving))
        gone = [task for task, future in asked.items() if not future.done() or future.exception() is not None]
        for task in gone:
            self._where[task].cancel(asked[task])
        if gone:
            self._patience *= 2
            causes = {self.fate_of(asked[task]) for task in gone}
            raise Gone(tuple(sorted(gone)), "; ".join(sorted(causes)))
        return {task: future.result() for task, future in asked.items()}

    def asking(self, tasks: Sequence[int], ask: Callable[P, T]) -> Callable[P, T]:
        """Workers that have these answers are asked for something else.

        Raises:
            Gone: one of them is lost meanwhile.
        """

        def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return ask(*args, **kwargs)
            except (WorkerLost, TimeoutError) as error:
                self.call(tasks)
                raise Gone(tuple(tasks), str(error)) from error

        return asked

    def stores(self, lane: Lane, key: str = "") -> str:
        """A name of something that this lane is to keep until the end; a new one where none is given."""
        key = key or f"{self._name}-{next(self._count)}"
        self._stored.setdefault(lane, set()).add(key)
        return key

    def free(self) -> None:
        """Forget all that was kept, wherever it is."""
        for lane, keys in self._stored.items():
            lane.delete(*keys)
        self._stored.clear()

    def call(self, tasks: Sequence[int]) -> None:
        """Call every worker that has some of these answers.

        Raises:
            Gone: some say nothing.
        """
        self._patience *= 2
        lanes = dict.fromkeys(self._where[task] for task in tasks)
        called = {lane: lane.submit(work.present) for lane in lanes}
        wait(called.values(), self.limit(0))
        causes = {
            lane: self.fate_of(future)
            for lane, future in called.items()
            if not future.done() or future.exception() is not None
        }
        for lane in causes:
            lane.cancel(called[lane])
        if causes:
            gone = tuple(sorted(task for task in tasks if self._where[task] in causes))
            raise Gone(gone, "; ".join(sorted({*causes.values()})))

    def fate_of(self, future: "Future[Any]") -> str:
        """Why nothing came of it, in words."""
        if not future.done():
            return f"its worker has said nothing for {self.limit(0):.1f} s"
        try:
            error = future.exception()
        except BaseException as cancelled:  # a future of the executor's that somebody cancelled
            error = cancelled
        return error.cause if isinstance(error, WorkerLost) else f"{type(error).__name__}: {error}"

    # --- names and sizes ----------------------------------------------------------------------------------------------

    def limit(self, blocks: int) -> float:
        """How long to wait for something said of so many blocks, in seconds."""
        usual = PATIENCE_SECONDS + 2 * self._slowest_seconds + blocks * self.answer_bytes / SLOW_RATE
        left = float("inf") if self._until is None else max(LEAST_SECONDS, self._until - perf_counter())
        return min(self._patience * usual, left)

    def _key(self, task: int) -> str:
        return f"{self._name}-answer-{task}"
