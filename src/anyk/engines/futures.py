"""Any `concurrent.futures.Executor` as an engine: threads, process pools, and the executors of other libraries.

An executor knows no workers, so blocks are kept here, in their lane's turn, and go along with each piece of work:
threads see the memory itself, processes of this machine map it (`anyk.engines.handles`), others get a copy. A lane
gives its executor one piece at a time, which keeps the order.

Where one process of a pool dies the standard library fails all that the pool was given, and the pool with it. Several
pools of one process each are lanes that fail alone.
"""

import os
import socket
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from anyk.engines import desk, memory, work
from anyk.engines.base import Array, Caps, Ref
from anyk.engines.fleet import FleetEngine
from anyk.engines.handles import Handle, are_possible
from anyk.engines.remote import RemoteLane
from anyk.errors import InputError
from anyk.faults.base import Fate, FateOf


@dataclass(frozen=True)
class _Means:
    """How blocks and messages reach the workers of an executor.

    Args:
        shares: whether workers see the memory of the blocks; else they get copies.
        pickles: whether functions and arguments travel pickled; else as they are.
    """

    shares: bool
    pickles: bool

    def keep(self, block: Array) -> Array:
        """A copy of a block that workers can get; a shared one is shared with them, too."""
        if not self.shares:
            return block.copy()
        if memory.behind(block) is not None:
            return block
        kept = memory.zeros(block.shape, block.dtype)
        kept[...] = block
        return kept

    def ship(self, block: Any) -> Any:
        """What travels in place of a block."""
        found = memory.behind(block) if self.shares and self.pickles and isinstance(block, np.ndarray) else None
        return block if found is None else Handle(block, *found)


class _Lane(RemoteLane):
    """A lane whose buffers are shared where the executor's workers see this process' memory."""

    means = _Means(shares=False, pickles=True)

    def alloc(self, key: str, shape: tuple[int, ...], dtype: Any, /) -> Array | None:
        """A zeroed buffer shared with the workers; None where they are elsewhere."""
        if not self.means.shares:
            return None
        buffer = memory.zeros(shape, dtype)
        self.put(key, buffer)
        return buffer


class _Post:
    """One lane's blocks and its way to an executor.

    Args:
        engine: to do things later with.
        lane: that is answered.
        executor: that works.
        means: how things reach it.
    """

    window = 1

    def __init__(self, engine: "FuturesEngine", lane: RemoteLane, executor: Executor, means: _Means) -> None:
        self._engine, self._lane, self._executor, self._means = engine, lane, executor, means
        self._store: dict[str, Any] = {}
        #: The number of the message that is not wanted any more; -1: none is wanted.
        self._flag = memory.zeros((), "int64")
        self._is_stopped = False

    def send(self, seq: int, message: Any, /) -> None:
        """Do it here, or let the executor work."""
        if self._is_stopped:
            return
        verb, body = message
        if verb == "run":
            self._work(seq, *body)
        else:
            self._engine.later(0.0, lambda: self._lane.heard(seq, self._done_here(verb, body)))

    def flag(self, seq: int, /) -> bool:
        """Tell the work; possible where memory is shared."""
        if self._means.shares:
            self._flag[...] = seq
        return self._means.shares

    def weight(self, message: Any, /) -> int:
        """What is pickled: with a pool that shares no memory, the blocks, too."""
        verb, body = message
        if verb != "run" or not self._means.pickles:
            return 0
        todo, refs, *_ = body
        return len(todo) + (0 if self._means.shares else sum(_size(self._store.get(key)) for key in refs))

    def way(self, key: str, to: Any, /) -> None:
        """Executors have no way from worker to worker."""

    def end(self, *, kill: bool) -> None:
        """No work goes on."""
        self._is_stopped = True
        self._flag[...] = -1
        self._store.clear()

    def _done_here(self, verb: str, body: tuple[Any, ...]) -> desk.Answer:
        if verb == "put":
            self._store[body[0]] = body[1]
        elif verb == "delete":
            for key in body:
                self._store.pop(key, None)
        elif body[0] in self._store:
            return True, self._store[body[0]], ""
        else:
            return False, self._missing(body[0]), ""
        return True, None, ""

    def _work(self, seq: int, todo: Any, refs: tuple[str, ...], out: str | None, end: Fate | None) -> None:
        if end is not None:
            # A thread cannot be killed or stopped without the master; its lane can.
            self._is_stopped = True
            if end.end == "crash":
                self._engine.later(end.delay_seconds, lambda: self._engine.lost(self._lane, "crashed"))
            return
        missing = [key for key in refs if key not in self._store]
        if missing:
            answer = False, self._missing(missing[0]), ""
            self._engine.later(0.0, lambda: self._lane.heard(seq, answer))
            return
        blocks = {key: self._means.ship(self._store[key]) for key in refs}
        flag = self._means.ship(self._flag) if self._means.shares else None
        future = self._executor.submit(serve, f"worker {self._lane.rank}", seq, todo, blocks, flag)
        self._engine.working(self._lane, future)
        # In the engine's thread: the executor's own must not be held up, nor this one surprised.
        future.add_done_callback(lambda future: self._engine.later(0.0, lambda: self._answered(seq, future, out)))

    def _answered(self, seq: int, future: "Future[Any]", out: str | None) -> None:
        try:
            error = future.exception(timeout=0)
        except BaseException as cancelled:  # somebody else cancelled the executor's futures
            error = cancelled
        if error is not None:
            self._engine.failed(self._executor, self._lane, error)
            return
        answer = future.result()
        if out is None:
            self._lane.heard(seq, answer)
            return
        taken: Future[Any] = Future()
        desk.settle(taken, answer)
        if taken.exception() is None:
            kept = taken.result()
            self._store[out] = self._means.keep(kept) if hasattr(kept, "dtype") else kept
            answer = True, None, ""
        self._lane.heard(seq, answer)

    def _missing(self, key: str) -> InputError:
        return InputError(f"worker {self._lane.rank} holds no block {key!r}: put it there first.")


class FuturesEngine(FleetEngine):
    """Lanes over an executor; see `anyk.engines.base.Engine`.

    Args:
        workers: number of lanes; 0: as many as the executor has workers, as far as it tells.
        at: an executor, or several, one for each lane; they stay open. None: threads, ended with the engine.
        faults: fate of each piece of work. A thread that is to crash or stop takes only its lane along.

    Raises:
        InputError: no executor.
        ClusterError: an executor that takes no work.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool, FuturesEngine(at=pool) as engine:
    ...     [lane.submit(divmod, 7, 2).result() for lane in engine.lanes]
    [(3, 1), (3, 1)]
    """

    name = "futures"

    def __init__(
        self, workers: int = 0, *, at: Executor | Sequence[Executor] | None = None, faults: FateOf | None = None
    ) -> None:
        self._own = ThreadPoolExecutor(workers or os.cpu_count() or 1, "anyk-worker") if at is None else None
        given = self._own or at
        self._executors = [given] * _workers_of(given, workers) if isinstance(given, Executor) else [*(given or ())]
        if not all(isinstance(each, Executor) for each in self._executors):
            raise InputError(f"`FuturesEngine(at={at!r})` needs an executor, or a sequence of executors.")
        self._means = _means_of(self._executors)
        # A thread that gives up its lane goes on with the next one's work; a pool of processes is lost as a whole.
        threads = not self._means.pickles
        self.caps = Caps(
            shared_memory=self._means.shares,
            survives_loss=threads or len({*self._executors}) > 1,
            kill=threads,
            respawn=threads,
            remote=not self._means.shares,
            min_task_seconds=1e-4 if threads else 2e-3,
            same_process=threads,
        )
        self._in_hand: dict[int, Future[Any]] = {}
        super().__init__(len(self._executors), faults)
        self._muster()

    def failed(self, executor: Executor, lane: RemoteLane, error: BaseException) -> None:
        """An executor could not do a piece of work: a broken one takes all its lanes along."""
        cause = f"its executor failed: {type(error).__name__}: {error}"
        is_broken = isinstance(error, BrokenExecutor)
        for each, its in zip(self.lanes, self._executors, strict=True):
            if each is lane or (is_broken and its is executor):
                self.lost(each, cause)

    def _lane(self, rank: int, epoch: int) -> RemoteLane:
        lane = _Lane(rank, epoch, self, self._fates[rank], self._grace, partial(_pack, self._means))
        lane.means = self._means
        return lane

    def working(self, lane: RemoteLane, future: "Future[Any]") -> None:
        """What the executor now does for a lane."""
        self._in_hand[lane.rank] = future

    def _recruit(self, lane: RemoteLane) -> None:
        # The last lane's work goes on until its next checkpoint: until then it may write into blocks.
        before = self._in_hand.get(lane.rank)
        if before is None or before.done():
            self._arrive(lane)
        else:
            before.add_done_callback(lambda _: self.later(0.0, lambda: self._arrive(lane)))

    def _arrive(self, lane: RemoteLane) -> None:
        self.arrived(lane, _Post(self, lane, self._executors[lane.rank], self._means), socket.gethostname(), None)

    def _release(self) -> None:
        if self._own is not None:
            self._own.shutdown(wait=False, cancel_futures=True)


def _size(block: Any) -> int:
    return int(getattr(block, "nbytes", 0))


def _workers_of(executor: Executor, asked: int) -> int:
    """As many as asked for, but not more than there are."""
    there = getattr(executor, "_max_workers", None)  # no executor tells it publicly
    return min(asked or there, there) if isinstance(there, int) and there > 0 else asked or os.cpu_count() or 1


def _means_of(executors: Sequence[Executor]) -> _Means:
    if all(isinstance(each, ThreadPoolExecutor) for each in executors):
        return _Means(shares=True, pickles=False)
    is_local = all(
        isinstance(each, ProcessPoolExecutor) or type(each).__module__.partition(".")[0] == "loky" for each in executors
    )
    return _Means(shares=is_local and are_possible(), pickles=True)


def _pack(means: _Means, verb: str, *body: Any) -> tuple[str, Any]:
    """A message for `_Post.send`: what is needed here stays as it is."""
    if verb == "put":
        key, block = body
        return verb, (str(key), means.keep(block))
    if verb != "run":
        return verb, body
    fn, args, out = body
    refs = tuple({str(arg): None for arg in args if isinstance(arg, Ref)})
    if means.pickles:
        return verb, (desk.message("run", fn, args, None), refs, out, None)
    end = args[0] if fn is work.suffer and args[0].end else None
    return verb, ((fn, args), refs, out, end)


def serve(name: str, seq: int, todo: Any, blocks: dict[str, Any], flag: Array | None) -> Any:
    """Do one piece of work on a worker: its answer, pickled if it came pickled."""

    def unwanted() -> bool:
        return flag is not None and flag[()] in (seq, -1)

    here = desk.Desk(name, blocks)
    if isinstance(todo, bytes):
        return here.reply(seq, todo, unwanted)
    return here.answer(seq, "run", [*todo, None], unwanted)
