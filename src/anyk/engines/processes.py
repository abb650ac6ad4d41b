"""The default engine: worker processes on this machine, with blocks in shared memory.

It survives what happens to its workers: a killed one costs only its own work and is seen within milliseconds; a stopped
one never blocks the master; a cancelled one is free at its next checkpoint or is replaced. Nothing outlives the engine,
also when its process is killed.
"""

import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from types import TracebackType
from typing import Self

from anyk.engines.base import Caps, News
from anyk.engines.clock import RealClock
from anyk.engines.keeper import Keeper
from anyk.engines.lanes import ProcessLane
from anyk.engines.limits import cores, make_room
from anyk.errors import ClusterError, InputError
from anyk.faults.base import FateOf

#: A worker that is not there after this long will not come.
BIRTH_SECONDS = 60.0


class ProcessEngine:
    """P persistent worker processes; see `anyk.engines.base.Engine`.

    Callbacks of futures and subscribers run in the engine's own thread: they may call any verb, but must not wait for
    an answer. After a fork of the process the engine belongs to the parent; in the child every answer is `WorkerLost`.

    Args:
        workers: number of worker processes, at least 1.
        faults: fate of the n-th piece of work of each worker, suffered for real. Default: none.
        threads_per_worker: BLAS threads of each worker. Default: the cores of this process, divided among the workers.
        grace_seconds: a worker that goes on with cancelled work for longer is killed and replaced.

    Raises:
        InputError: fewer than one worker.
        ClusterError: the workers could not be started, or the system does not allow as many open files as they take; as
            far as it does, the process's own limit is raised.

    >>> from anyk.engines.base import Ref
    >>> import numpy as np
    >>> from anyk.engines.work import multiply
    >>> with ProcessEngine(2) as engine:
    ...     lane = engine.lanes[1]
    ...     _ = lane.put("a", np.eye(2))
    ...     lane.submit(multiply, Ref("a"), np.ones((2, 1))).result()
    array([[1.],
           [1.]])
    """

    name = "processes"
    caps = Caps(shared_memory=True, survives_loss=True, kill=True, respawn=True, remote=False, min_task_seconds=5e-4)

    def __init__(
        self,
        workers: int,
        *,
        faults: FateOf | None = None,
        threads_per_worker: int | None = None,
        grace_seconds: float = 2.0,
    ) -> None:
        if workers < 1:
            raise InputError(f"`ProcessEngine({workers})` needs at least 1 worker.")
        make_room(workers)
        self.clock = RealClock()
        self.threads_per_worker = threads_per_worker or max(1, cores() // workers)
        self._keeper = keeper = Keeper(workers, faults, self.threads_per_worker, grace_seconds)
        # Not at exit: there the keepers' own hook also waits until all is gone.
        weakref.finalize(self, keeper.loop.stop).atexit = False
        try:
            keeper.loop.start()
            for lane in keeper.loop.ask(lambda: [keeper.hatch(rank) for rank in range(workers)]):
                _await_birth(lane)
        except BaseException:
            self.close()
            raise

    @property
    def lanes(self) -> Sequence[ProcessLane]:
        """The workers by rank; a respawn puts a new lane in the old one's place."""
        return self._keeper.lanes

    @property
    def zygote_pid(self) -> int | None:
        """The process that forks the workers; None between its death and the next worker."""
        return self._keeper.zygote_pid

    def respawn(self, rank: int, /) -> ProcessLane:
        """Replace a worker; the new lane sits at the same index, one epoch later, its store empty.

        Raises:
            ClusterError: no new worker could be started, or the engine is closed.
        """
        keeper = self._keeper
        lane = keeper.loop.ask(lambda: keeper.hatch(rank))
        if keeper.loop.is_inside():
            return lane
        lane.born.wait(BIRTH_SECONDS)
        if not lane.alive:
            # The zygote died before or while it forked; a new one is started at the second request.
            lane = keeper.loop.ask(lambda: keeper.hatch(rank))
        _await_birth(lane)
        return lane

    def subscribe(self, callback: Callable[[News], None], /) -> Callable[[], None]:
        """Call back with every later piece of news, from the engine's thread; returns the way to unsubscribe."""
        ticket = object()
        self._keeper.subscribers[ticket] = callback
        return lambda: (self._keeper.subscribers.pop(ticket, None), None)[1]

    def close(self, *, kill: bool = True) -> None:
        """End every worker and free everything; safe to call twice.

        Args:
            kill: end work that still runs; otherwise wait for it first.
        """
        if not kill:
            wait([future for lane in self.lanes for future in lane.pending()])
        self._keeper.loop.stop()
        self._keeper.loop.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _await_birth(lane: ProcessLane) -> None:
    lane.born.wait(BIRTH_SECONDS)
    if lane.pid is None or not lane.alive:
        cause = lane.cause or f"it did not start within {BIRTH_SECONDS:.0f} s"
        raise ClusterError(f"worker {lane.rank} could not be started: {cause}")
