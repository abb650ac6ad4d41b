"""Ray actors as an engine: on a running Ray cluster, or on one of its own on this machine.

A lane is an actor: it keeps the blocks, works through its messages in one thread, and hears of cancels in another, for
Ray cannot stop an actor's method. Actors are never restarted by Ray, for they would come back with nothing and say
nothing: a lost one is news, and its successor is the next incarnation of the lane. So that this is heard at once one
call to each actor is always open.
"""

import contextlib
import os
import shutil
import signal
import tempfile
from typing import Any

from anyk.engines.base import Caps, WorkerLost
from anyk.engines.fleet import FleetEngine
from anyk.engines.ray_worker import GROUPS, Actor, Post, in_short, unwrapped
from anyk.engines.remote import RemoteLane
from anyk.errors import ClusterError
from anyk.faults.base import FateOf

#: Share of the free memory that the object store of an own cluster takes, and its least and largest size.
STORE_SHARE, STORE_BYTES = 0.3, (1 << 28, 1 << 34)


class RayEngine(FleetEngine):
    """Lanes that are Ray actors; see `anyk.engines.base.Engine`.

    Where this process is connected to Ray already, that cluster is used, and stays connected.

    Args:
        workers: number of lanes; 0: as many as the cluster has CPUs.
        at: ``"ray://host:10001"`` (Ray's client server), ``"ray://auto"`` on a node of a running cluster; None: this
            process' connection if there is one, else a cluster of its own on this machine, ended with the engine.
        faults: fate of each piece of work.
        cpus_per_worker: that Ray sets aside for each lane.

    Raises:
        ClusterError: no such cluster, or not enough of it.
    """

    name = "ray"
    replaces_slow = True

    def __init__(
        self,
        workers: int = 0,
        *,
        at: str | None = None,
        faults: FateOf | None = None,
        cpus_per_worker: float = 1,
    ) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise ClusterError("the ray engine needs Ray: pip install 'anyk[ray]'") from error
        self._ray = ray
        self.caps = Caps(
            shared_memory=False,
            survives_loss=True,
            kill=True,
            respawn=True,
            remote=True,
            min_task_seconds=5e-3,
            exchange=True,
        )
        self._directory, self._is_connected, self._is_own = "", False, False
        try:
            self._connect(workers, at)
            for name, group in GROUPS.items():
                ray.method(concurrency_group=group)(getattr(Actor, name))
            self._actor_class = ray.remote(
                num_cpus=cpus_per_worker,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy="SPREAD",
                concurrency_groups=dict.fromkeys(GROUPS.values(), 1),
            )(Actor)
            count = workers or int(ray.cluster_resources().get("CPU", 1) / (cpus_per_worker or 1))
        except BaseException:
            self._release()
            raise
        super().__init__(count, faults)
        self._muster()

    # --- from any thread ----------------------------------------------------------------------------------------------

    def hear(self, lane: RemoteLane, answer: Any, seq: int | None = None) -> None:
        """Wait in the background for what an actor says to a lane: an answer, or that it died."""

        def done(future: Any) -> None:
            # In the engine's thread: Ray's own must not be held up, nor called back from.
            self.later(0.0, lambda: self._heard(lane, future, seq))

        answer.future().add_done_callback(done)

    @property
    def keeps_results(self) -> bool:
        """Whether what was handed over outlives this engine: where Ray was there before."""
        return not self._is_connected

    def hand_over(self, names: Any, dtype: Any) -> Any:
        """Blocks that lanes formed, row by row, as references to Ray's objects; they stay where they are."""
        return [[self._reference(lane, key) for lane, key, _ in row] for row in names]

    def _reference(self, lane: RemoteLane, key: str) -> Any:
        if (post := lane.post) is None:
            raise WorkerLost(lane.rank, lane.epoch, lane.cause)
        reference = post.way(key, post).hand_out.remote(key)
        # Until it is in the object store it would be lost with what its actor keeps.
        ready, _ = self._ray.wait([reference], fetch_local=False, timeout=60)
        if not ready or not lane.alive:
            raise WorkerLost(lane.rank, lane.epoch, lane.cause or "it handed out no block")
        return reference

    def end_actor(self, actor: Any, pid: int | None) -> None:
        """End an actor's process, also where it stands still."""
        with contextlib.suppress(Exception):
            actor.leave.remote()
            self._ray.kill(actor, no_restart=True)
        if self._is_own and pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _heard(self, lane: RemoteLane, future: Any, seq: int | None) -> None:
        if (error := future.exception()) is not None:
            self.lost(lane, f"its Ray actor is gone: {in_short(error)}")
        elif seq is not None:
            lane.heard(seq, unwrapped(future.result()))

    def _recruit(self, lane: RemoteLane) -> None:
        try:
            actor = self._actor_class.remote(lane.rank)
            hello = actor.hello.remote().future()
        except Exception as error:
            raise ClusterError(f"worker {lane.rank}: no Ray actor can be had: {in_short(error)}") from error
        hello.add_done_callback(lambda hello: self.later(0.0, lambda: self._born(lane, actor, hello)))

    def _born(self, lane: RemoteLane, actor: Any, hello: Any) -> None:
        if (error := hello.exception()) is not None:
            self.lost(lane, f"its Ray actor did not start: {in_short(error)}")
            return
        host, pid = hello.result()
        if not self.arrived(lane, Post(self, lane, actor), host, pid):
            self.end_actor(actor, pid)
            return
        self.hear(lane, actor.watch.remote())

    # --- start and end ------------------------------------------------------------------------------------------------

    def _connect(self, workers: int, at: str | None) -> None:
        ray = self._ray
        if at is None and ray.is_initialized():
            return
        if at is not None and ray.is_initialized():
            raise ClusterError(f"`{at}`: this process is connected to a Ray cluster already; use engine='ray'.")
        quietly: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if at is None:
            # In a directory of its own, and short: Ray's sockets lie in it.
            self._directory, self._is_own = tempfile.mkdtemp(prefix="anyk-ray-"), True
            quietly |= {
                "num_cpus": workers or os.cpu_count() or 1,
                "num_gpus": 0,
                "include_dashboard": False,
                "object_store_memory": _store_bytes(),
                "_temp_dir": self._directory,
            }
        else:
            quietly["address"] = "auto" if at == "ray://auto" else at
        try:
            ray.init(**quietly)
        except Exception as error:
            raise ClusterError(f"the ray engine cannot reach or start a cluster ({at or 'own'}): {error}") from error
        self._is_connected = True

    def _release(self) -> None:
        if self._is_connected:
            with contextlib.suppress(Exception):
                self._ray.shutdown()
        if self._is_own:
            shutil.rmtree(self._directory, ignore_errors=True)


def _store_bytes() -> int:
    """Size of an own cluster's object store: a share of the memory there is now."""
    try:
        pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        pages = 0
    return min(max(int(STORE_SHARE * pages), STORE_BYTES[0]), STORE_BYTES[1])
