"""Starts ranks, closes their rounds, reaps the dead and starts others in their place. It sees none of their numbers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anyk.errors import ClusterError, InputError
from anyk.nn.board import Layout
from anyk.nn.forked import Forked
from anyk.nn.meeting import SEAT
from anyk.nn.tables import BoardTable, StoreTable, Table

#: Seconds between two looks at the board, and between two looks at the processes.
_LOOK, _REAP = 1e-4, 5e-3

#: Seconds that ranks may take after the first of them has finished.
_LAST = 30.0


@dataclass
class _Rank:
    process: "subprocess.Popen[bytes] | Forked"
    starts: int = 1


@dataclass(frozen=True)
class Launched:
    """How a run of ranks went.

    Args:
        finished: ranks that came to their end.
        lost: ranks whose processes died, once for each time.
        left_out: ranks of which the others had stopped to wait when the run ended.
        seconds: from the first start to the last end.
    """

    finished: tuple[int, ...]
    lost: tuple[int, ...]
    left_out: tuple[int, ...]
    seconds: float


def launch(
    program: Sequence[str] | Callable[[], object],
    nodes: int,
    *,
    here: Sequence[int] | None = None,
    meet: str | None = None,
    restarts: int = 3,
    environment: Mapping[str, str] | None = None,
    on_start: Callable[[int, int], None] | None = None,
    watch: Callable[[], None] | None = None,
    layout: Layout | None = None,
) -> Launched:
    """Run a program as P ranks that meet as `anyk.nn.ProcessGroup` finds them.

    A rank that dies is replaced; the others go on meanwhile and regenerate its blocks. A rank that is stopped or very
    slow is left out. The run ends when the ranks end.

    Args:
        program: a command and its arguments, the same for every rank. Or a function: the ranks are forked from this
            process, so that what it has loaded is loaded; it must not have started threads yet, torch's included.
        nodes: P.
        here: ranks of this host; default: all of them.
        meet: ``"host:port"`` of a store over TCP; the launcher of rank 0 serves it. Default: a board in memory of this
            host.
        restarts: how often a rank is replaced.
        environment: of the ranks; default: this process's, with one thread for each rank.
        on_start: called with a rank and its process number whenever one starts.
        watch: called every few milliseconds; whatever it raises ends the run.
        layout: sizes of the board.

    Returns:
        Who finished and who was lost, of the ranks of this host.

    Raises:
        InputError: fewer than one node, ranks that are not there, several hosts without a place to meet, a function in
            a process with threads.
        ClusterError: no rank finished, none is left that knows where the run is, or the place to meet is out of reach.
    """
    if type(nodes) is not int or nodes < 1:
        raise InputError(f"`launch(nodes={nodes!r})` needs an integer of at least 1.")
    own = list(range(nodes)) if here is None else list(here)
    if not own or not set(own) <= set(range(nodes)):
        raise InputError(f"`launch(here={here!r})` needs some of the ranks 0 … {nodes - 1}.")
    if callable(program) and (threads := len(list(Path("/proc/self/task").iterdir()))) > 1:
        raise InputError(
            f"`launch(program=<function>)` forks, and this process has {threads} threads. Set OMP_NUM_THREADS and "
            "OPENBLAS_NUM_THREADS to 1 before it starts, or give a command."
        )
    table: Table
    if meet is not None:
        host, _, port = meet.rpartition(":")
        if not host or not port.isdecimal():
            raise InputError(f"`launch(meet={meet!r})` needs a host and a port, as in '10.0.0.1:29500'.")
        table = StoreTable(host, int(port), nodes, serve=0 in own)
    elif len(own) < nodes:
        raise InputError("`launch(here=…)`: ranks of several hosts cannot share memory. Give `meet='host:port'`.")
    else:
        table = BoardTable(layout or Layout(nodes))
    hooks = on_start or (lambda rank, pid: None), watch or (lambda: None)
    return _Launch(program, nodes, own, table, restarts, environment, *hooks).run()


class _Launch:
    def __init__(
        self,
        program: Sequence[str] | Callable[[], object],
        nodes: int,
        here: Sequence[int],
        table: Table,
        restarts: int,
        environment: Mapping[str, str] | None,
        on_start: Callable[[int, int], None],
        watch: Callable[[], None],
    ) -> None:
        self._program, self._restarts, self._on_start, self._look = program, restarts, on_start, watch
        self._nodes, self._here, self._table = nodes, here, table
        self._environment = dict(os.environ if environment is None else environment)
        self._environment.setdefault("OMP_NUM_THREADS", "1")
        self._began = time.monotonic()
        self._ranks: dict[int, _Rank] = {}
        self._finished: list[int] = []
        self._lost: list[int] = []
        self._left_out: tuple[int, ...] = ()

    def run(self) -> Launched:
        """Until all ranks have ended."""
        before = signal.signal(signal.SIGTERM, _interrupt) if _is_main_thread() else None
        try:
            for rank in self._here:
                self._start(rank, 0)
            self._watch()
            self._left_out = tuple(sorted(self._ranks))
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)
            self._stop()
        if not self._finished:
            raise ClusterError(
                f"launch: no rank came to its end; ranks {sorted(set(self._lost))} died. What they wrote says why."
            )
        seconds = time.monotonic() - self._began
        return Launched(tuple(sorted(self._finished)), tuple(self._lost), self._left_out, seconds)

    def _start(self, rank: int, starts: int) -> None:
        seat = json.dumps(self._table.seat(rank, starts > 0))
        environment = {**self._environment, SEAT: seat, "RANK": str(rank), "WORLD_SIZE": str(self._nodes)}
        process: subprocess.Popen[bytes] | Forked
        if callable(self._program):
            process = Forked(self._program, environment)
        else:
            process = subprocess.Popen(
                list(self._program),
                env=environment,
                pass_fds=self._table.descriptors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the launcher, which ends them
            )
        self._ranks[rank] = _Rank(process, starts + 1)
        self._on_start(rank, process.pid)

    def _watch(self) -> None:
        reaped, last = 0.0, None
        while self._ranks:
            now = time.monotonic()
            busy = self._table.poll(now)
            if now - reaped > _REAP:
                reaped = now
                self._look()
                self._reap()
                last = now if self._finished and last is None else last
                stuck = last is not None and now - last > _LAST
                if stuck or (self._finished and not any(self._table.counts(rank) for rank in self._ranks)):
                    return
                if self._ranks and not self._finished and self._table.is_deserted():
                    raise ClusterError(
                        f"launch: none of the {self._nodes} ranks is left that could let another one in: ranks "
                        f"{sorted(set(self._lost))} died, the others fell behind. Start the run again: it goes on from "
                        "its checkpoint, where it keeps one."
                    )
            if not busy:
                time.sleep(_LOOK)

    def _reap(self) -> None:
        for rank, known in list(self._ranks.items()):
            code = known.process.poll()
            if code is None:
                continue
            del self._ranks[rank]
            self._table.ended(rank, well=code == 0)
            if code == 0:
                self._finished.append(rank)
                continue
            self._lost.append(rank)
            if known.starts <= self._restarts and not self._finished:
                self._start(rank, known.starts)

    def _stop(self) -> None:
        for known in self._ranks.values():
            known.process.kill()
        for known in self._ranks.values():
            known.process.wait()
        self._table.close()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interrupt(number: int, frame: object) -> None:
    sys.exit(128 + number)
