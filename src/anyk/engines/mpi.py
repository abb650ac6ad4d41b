"""MPI ranks as an engine: rank 0 is the master, every other rank a worker.

    mpiexec -n 9 python -m anyk.engines.mpi script.py

runs the script on rank 0 alone; the other ranks serve until it ends. A script that all ranks run works as well: on a
worker ``anyk.engines.open("mpi")`` serves, and leaves the program when rank 0 does.

Laws:

1. One thread of a rank speaks MPI, and never waits in it: MPI waits by spinning. It looks, works, and sleeps longer the
   longer nothing comes, so idle ranks leave their core to others.
2. No collective call: one rank that is late would hold up all.
3. A rank can neither be killed nor started anew by the master. That a rank dies, only Open MPI 5 and later survives,
   and only when started with ``--with-ft ulfm``; elsewhere the whole job ends with it, and opening the engine says so.
4. A rank that stands still when rank 0 ends does not keep the job: it is named and left behind.
"""

import contextlib
import itertools
import runpy
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anyk.engines import desk
from anyk.engines.base import Caps
from anyk.engines.fleet import FleetEngine
from anyk.engines.rank_worker import serve
from anyk.engines.ranks import Tag, world
from anyk.engines.remote import RemoteLane
from anyk.errors import ClusterError
from anyk.faults.base import FateOf


class _Post:
    """The way to one rank.

    Args:
        engine: whose thread speaks MPI.
        rank: in MPI's count.
    """

    window = 16

    def __init__(self, engine: "MPIEngine", rank: int) -> None:
        self._engine, self.rank = engine, rank

    def send(self, seq: int, message: bytes, /) -> None:
        """Send it from the engine's thread."""
        self._engine.say(self.rank, Tag.WORK, seq, message)

    def flag(self, seq: int, /) -> bool:
        """Tell the rank; it looks between two panels."""
        self._engine.say(self.rank, Tag.CONTROL, seq)
        return True

    def weight(self, message: bytes, /) -> int:
        """Its size."""
        return len(message)

    def way(self, key: str, to: Any, /) -> tuple[int, int]:
        """The rank is told to send the block; what it is sent as: rank and number."""
        return self.rank, self._engine.give(self.rank, key, to.rank)

    def end(self, *, kill: bool) -> None:
        """What it still does ends with the engine; a dead rank does nothing."""


class MPIEngine(FleetEngine):
    """Lanes that are MPI ranks; see `anyk.engines.base.Engine`. One at a time is open in a job.

    On a worker's rank this serves, and raises SystemExit when rank 0 ends.

    Args:
        workers: number of lanes; at most, and by default, the ranks beside the master's that live.
        faults: fate of each piece of work.

    Raises:
        ClusterError: the program does not run under ``mpiexec`` or ``srun``, or an engine is open already.

    Warns:
        RuntimeWarning: this MPI ends the job with the first rank that dies.
    """

    name = "mpi"

    def __init__(self, workers: int = 0, *, faults: FateOf | None = None) -> None:
        self._world = found = world()
        if found.comm.rank != 0:
            serve(found)
            raise SystemExit(0)
        living = found.living()
        if not living:
            raise ClusterError(
                "the mpi engine has no workers: start the program on several ranks, as in `mpiexec -n 9 python -m "
                "anyk.engines.mpi script.py`."
            )
        if found.engine is not None:
            raise ClusterError("an mpi engine is open already: pass it to every verb, or close it first.")
        if not found.survives_loss and not _warned:
            _warned.append(True)
            warnings.warn(
                "this MPI ends the whole job with the first rank that dies: late ranks are not waited for, but deaths "
                "are not survived. Open MPI 5 or later survives them when started with `mpiexec --with-ft ulfm`.",
                RuntimeWarning,
                stacklevel=3,
            )
        found.engine = self
        found.session += 1
        self._session = found.session
        self._ranks = living[: workers or None]
        self._looks, self._gifts = 0, itertools.count(1)
        self.caps = Caps(
            shared_memory=False,
            survives_loss=found.survives_loss,
            kill=False,
            respawn=False,
            remote=True,
            min_task_seconds=5e-3,
            exchange=True,
        )
        super().__init__(len(self._ranks), faults)
        self.later(0.0, self._look)
        self._muster()

    def say(self, rank: int, tag: Tag, seq: int, payload: bytes = b"") -> None:
        """Send something from the engine's thread."""

        def send() -> None:
            self._looks = 0
            try:
                self._world.send(rank, tag, self._session, seq, payload)
            except Exception as error:  # MPI's own, or a message that is too large for it
                self._bury(rank, f"rank {rank} cannot be reached: {error}")

        self.later(0.0, send)

    def give(self, source: int, key: str, target: int) -> int:
        """Let one rank send a block to another; the number it is sent under."""
        number = next(self._gifts)
        self.say(source, Tag.GIVE, number, desk.dumped((key, target)))
        return number

    def _look(self) -> None:
        if self._is_closed:
            return
        came, wrong = self._world.advance(self._world.living(), Tag.ANSWER)
        for rank, session, seq, payload in came:
            self._hear(rank, session, seq, payload)
        for rank, cause in wrong.items():
            self._bury(rank, cause)
        self._looks = 0 if came else self._looks + 1
        self._loop.later(self._world.nap(self._looks, any(lane.pending() for lane in self.lanes)), self._look)

    def _hear(self, rank: int, session: int, seq: int, payload: Any) -> None:
        if session == 0:
            self._world.there[rank] = desk.loaded(payload)
            if rank in self._ranks:
                self._greet(self.lanes[self._ranks.index(rank)], rank)
        elif session == self._session and rank in self._ranks:
            self.lanes[self._ranks.index(rank)].heard(seq, payload)

    def _bury(self, rank: int, cause: str) -> None:
        self._world.dead.setdefault(rank, cause)
        if rank in self._ranks:
            self.lost(self.lanes[self._ranks.index(rank)], cause)

    def _recruit(self, lane: RemoteLane) -> None:
        rank = self._ranks[lane.rank]
        if rank in self._world.there:
            self._greet(lane, rank)

    def _greet(self, lane: RemoteLane, rank: int) -> None:
        if not lane.born.is_set():
            self.arrived(lane, _Post(self, rank), *self._world.there[rank])

    def _release(self) -> None:
        """Let every rank forget this engine; from now on this thread speaks MPI, once the engine's own has ended."""
        self._loop.stop()
        self._loop.join(5.0)
        self._world.engine = None
        self._world.session += 1
        for rank in self._world.living():
            with contextlib.suppress(self._world.mpi.Exception):
                self._world.send(rank, Tag.CONTROL, self._world.session, 0)


_warned: list[bool] = []


def main(arguments: Sequence[str]) -> None:
    """Run a script, or with ``-m`` a module, on rank 0, and serve on the others."""
    if not arguments or (arguments[0] == "-m" and len(arguments) < 2):
        raise SystemExit("usage: mpiexec -n RANKS python -m anyk.engines.mpi (script.py | -m module) [arguments]")
    found = world()
    if found.comm.rank != 0:
        serve(found)
        return
    try:
        _run(arguments)
    except SystemExit as end:
        found.exit_code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


def _run(arguments: Sequence[str]) -> None:
    if arguments[0] == "-m":
        sys.argv = [*arguments[1:]]
        sys.path.insert(0, "")
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    sys.argv = [*arguments]
    sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    from anyk.engines import mpi  # the module that the engine lives in, and not this second copy

    mpi.main(sys.argv[1:])
