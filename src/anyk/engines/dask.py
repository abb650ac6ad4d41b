"""Dask workers as an engine: a running scheduler, a client of one, or a cluster of its own on this machine.

A lane is an actor on one worker: it keeps the blocks, works in a thread of its own, and hears of cancels while it
works. Actors never move, and nothing of theirs is computed again elsewhere. What Dask does not tell by itself is asked
for: the scheduler's events say when a worker is gone, so nothing waits for a worker that comes back under another
address; a connection that was lost ends the engine.

Several engines may share a cluster. On a cluster that is not its own an engine ends its actors, never a worker.
"""

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator
from typing import Any

from anyk.engines.base import Caps
from anyk.engines.dask_cluster import OwnCluster
from anyk.engines.dask_inputs import Chunks, encoded_there
from anyk.engines.dask_results import as_dask_array
from anyk.engines.dask_worker import Actor, Post, scheduler_of
from anyk.engines.fleet import FleetEngine
from anyk.engines.limits import cores
from anyk.engines.remote import RemoteLane
from anyk.errors import ClusterError
from anyk.faults.base import FateOf

#: How often the connection to the scheduler is looked at, in seconds.
WATCH_SECONDS = 0.25

#: A lane that waits this long for a worker of the engine's own cluster has the cluster count its workers, in seconds.
COUNT_SECONDS = 5.0


class DaskEngine(FleetEngine):
    """Lanes on Dask workers; see `anyk.engines.base.Engine`.

    Args:
        workers: number of lanes; 0: as many as there are workers (own cluster: as there are cores).
        at: an address (``"dask://host:8786"``, ``"tls://host:8786"``), a Dask client or cluster; None: a cluster of its
            own on this machine, reachable from this machine only, ended with the engine.
        faults: fate of each piece of work.
        security: for the connection to an address, a `distributed.Security`; a client's own is used with a client.

    Raises:
        InputError: nothing of that kind.
        ClusterError: no scheduler, or no worker.
    """

    name = "dask"

    def __init__(self, workers: int = 0, *, at: Any = None, faults: FateOf | None = None, security: Any = None) -> None:
        try:
            import distributed
        except ImportError as error:
            raise ClusterError("the dask engine needs Dask: pip install 'anyk[dask]'") from error
        self.caps = Caps(
            shared_memory=False,
            survives_loss=True,
            kill=True,
            respawn=True,
            remote=True,
            min_task_seconds=0.01,
            exchange=True,
        )
        self._cluster: OwnCluster | None = None
        #: The caller's client, where there is one.
        self._callers = at if hasattr(at, "scheduler_info") and hasattr(at, "futures") else None
        self._scheduler, security = scheduler_of(at, security)
        self._client: Any = None
        self._free: list[str] = []
        self._nannies: set[str] = set()
        self._homes: dict[str, RemoteLane] = {}
        self._hires: set[RemoteLane] = set()
        self._gone = ""
        self.replaces_slow = at is None
        try:
            if at is None:
                self._cluster = OwnCluster(workers or cores())
                self._scheduler = self._cluster.address
            self._client = distributed.Client(
                self._scheduler,
                security=security,
                set_as_default=False,
                direct_to_workers=True if at is None else getattr(at, "direct_to_workers", None),
                name="anyk",
            )
            count = self._look_around(workers)
        except OSError as error:
            self._release()
            raise ClusterError(
                f"the dask engine found no scheduler at {self._scheduler}: {error}. Start one with `dask scheduler`, "
                "and workers with `dask worker`, or give the address of one that runs."
            ) from error
        except RuntimeError as error:
            self._release()
            if isinstance(error, ClusterError):
                raise
            raise ClusterError(
                f"the dask engine could not start its cluster: {error}. Its processes import the script again: guard "
                "its main part with `if __name__ == '__main__':`."
            ) from error
        except BaseException:
            self._release()
            raise
        super().__init__(count, faults)
        self.later(WATCH_SECONDS, self._watch)
        self._muster()

    # --- from any thread ----------------------------------------------------------------------------------------------

    def soon(self, coroutine: Any) -> None:
        """Run a coroutine on the client's loop, in the order of the calls."""
        try:
            asyncio.run_coroutine_threadsafe(coroutine, self._client.loop.asyncio_loop)
        except RuntimeError:  # the loop is closed
            coroutine.close()

    def wait_for(self, coroutine: Any) -> Any:
        """What comes of a coroutine on the client's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._client.loop.asyncio_loop).result(60)

    def hand_over(self, names: Any, dtype: Any) -> Any:
        """Blocks that lanes formed, as a `dask.array.Array`; they stay where they are.

        They belong to the client that the engine was opened with; else to the engine's own, and end with it.
        """
        return as_dask_array(self._callers or self._client, self, names, dtype)

    @property
    def keeps_results(self) -> bool:
        """Whether what was handed over outlives this engine."""
        return self._callers is not None

    def chunks_of(self, array: Any, block: tuple[int, int]) -> Chunks:
        """A Dask array's blocks, computed by the cluster; workers encode them by `encoder`."""
        return Chunks(self._callers or self._client, array, block)

    encoder = staticmethod(encoded_there)

    def computed(self, array: Any) -> Any:
        """A Dask array's value, computed by the cluster and brought here."""
        return (self._callers or self._client).compute(array).result()

    def end_process(self, pid: int | None) -> None:
        """Kill a worker process of the engine's own cluster; its nanny starts another one."""
        if self._cluster is not None and pid is not None and not self._is_closed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def suspected(self, lane: RemoteLane, address: str, error: Exception) -> None:
        """An actor cannot be reached: in a moment the scheduler may say why."""
        cause = f"its Dask worker {address} cannot be reached: {type(error).__name__}: {error}"
        self.later(0.2, lambda: self.lost(lane, cause))

    def _recruit(self, lane: RemoteLane) -> None:
        if self._gone:
            raise ClusterError(self._gone)
        if not self._free and not self._nannies:
            raise ClusterError(f"worker {lane.rank} cannot be replaced: the Dask cluster has no other worker left.")
        self.soon(self._hire(lane))

    def _release(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.unsubscribe_topic("all")
                self._client.sync(asyncio.sleep, 0.05)  # this and what the lanes said last goes out first
            with contextlib.suppress(Exception):
                self._client.close(timeout=2)
        if self._cluster is not None:
            self._cluster.close()

    # --- at the start -------------------------------------------------------------------------------------------------

    def _look_around(self, asked: int) -> int:
        """Find the workers there are, and hear of every later one; how many lanes there will be."""
        self._client.subscribe_topic("all", self._hear)
        try:
            self._client.wait_for_workers(1, timeout=10)
        except TimeoutError as error:
            raise ClusterError(f"the Dask scheduler at {self._scheduler} has no workers: start some.") from error
        workers = self._client.scheduler_info()["workers"]
        self._free = [address for address in workers if address not in self._homes]
        self._nannies = {address for address, worker in workers.items() if worker.get("nanny")}
        there = len(workers) if self._cluster is None else self._cluster.workers
        return min(asked or there, there)

    # --- on the client's loop -----------------------------------------------------------------------------------------

    async def _hire(self, lane: RemoteLane) -> None:
        """Make an actor for a lane on a worker that has none, as soon as there is one."""
        self._hires.add(lane)
        count_at = time.monotonic() + COUNT_SECONDS
        try:
            while lane.alive and not lane.born.is_set() and not self._gone:
                if self._free and await self._settle_in(lane, self._free.pop(0)):
                    return
                if self._cluster is not None and time.monotonic() > count_at:
                    self._cluster.count()
                    count_at += COUNT_SECONDS
                await asyncio.sleep(0.02)
        finally:
            self._hires.discard(lane)

    async def _settle_in(self, lane: RemoteLane, address: str) -> bool:
        """Whether the actor is there; False if its worker went away meanwhile: its task would wait for ever."""
        self._homes[address] = lane
        future = self._client.submit(
            Actor,
            lane.rank,
            actor=True,
            workers=[address],
            allow_other_workers=False,
            pure=False,
            key=f"anyk-lane-{lane.rank}-{uuid.uuid4().hex}",
        )
        try:
            with _current(self._client):
                actor = await self._while_there(lane, address, future)
                host, pid = await self._while_there(lane, address, actor.hello())
        except Exception as error:
            future.release()
            if self._homes.pop(address, None) is not None:
                self._free.append(address)
                self.lost(lane, f"no actor could be made on the Dask worker {address}: {error!r}")
            return not lane.alive
        if not self.arrived(lane, Post(self, lane, actor, future, address), host, pid):
            future.release()
            self.vacated(lane, address)
        return True

    async def _while_there(self, lane: RemoteLane, address: str, awaitable: Any) -> Any:
        """Wait for something as long as the worker is this lane's."""
        task = asyncio.ensure_future(_awaited(awaitable))
        while not task.done():
            await asyncio.wait([task], timeout=0.02)
            if self._homes.get(address) is not lane:
                task.cancel()
                raise ClusterError("the worker is gone")
        return task.result()

    async def _hear(self, event: tuple[float, Any]) -> None:
        """What the scheduler says about its workers."""
        _, said = event
        match said:
            case {"action": "add-worker", "worker": address}:
                if address not in self._homes and address not in self._free:
                    self._free.append(address)
            case {"action": "remove-worker", "worker": address, **rest}:
                if address in self._free:
                    self._free.remove(address)
                lane = self._homes.pop(address, None)
                if lane is not None and lane.born.is_set():
                    how = "was closed" if rest.get("expected") else "died or was cut off"
                    self.lost(lane, f"its Dask worker {address} {how}")

    def vacated(self, lane: RemoteLane, address: str) -> None:
        """A lane is lost whose worker may still be there: free for another one, or ended if it is ours."""
        if self._homes.get(address) is lane:
            del self._homes[address]
            if self._cluster is None or lane.pid is None:
                self._free.append(address)
            else:
                self.end_process(lane.pid)

    def _watch(self) -> None:
        """In the engine's thread: a client that lost its scheduler has lost all that was there."""
        if self._client.status != "running":
            self._gone = (
                f"the connection to the Dask scheduler at {self._scheduler} was lost, and with it all that was placed "
                "there: open the engine again when the scheduler runs"
            )
            for lane in self.lanes:
                self.lost(lane, self._gone)
            return
        self.later(WATCH_SECONDS, self._watch)


@contextlib.contextmanager
def _current(client: Any) -> Iterator[None]:
    """Let what arrives in this coroutine belong to a client.

    That half of ``client.as_current()`` that is the coroutine's own: the other half sets Dask's scheduler for the whole
    process, and where such stretches overlap the last to end would leave it set, for ever.
    """
    from distributed.client import _current_client

    token = _current_client.set(client)
    try:
        yield
    finally:
        _current_client.reset(token)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
