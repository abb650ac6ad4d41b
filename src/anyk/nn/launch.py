"""Starts ranks, closes their rounds, reaps the dead and starts others in their place. It sees none of their numbers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from anyk.errors import ClusterError, InputError
from anyk.nn.board import ABSENT, ACTIVE, BEHIND, DEAD, Board, Layout, Sequencer
from anyk.nn.process_group import SEAT

#: Seconds between two looks at the board, and between two looks at the processes.
_LOOK, _REAP = 1e-4, 5e-3

#: Seconds that ranks may take after the first of them has finished.
_LAST = 30.0


@dataclass
class _Rank:
    process: subprocess.Popen[bytes]
    starts: int = 1


@dataclass(frozen=True)
class Launched:
    """How a run of ranks went.

    Args:
        finished: ranks that came to their end.
        lost: ranks whose processes died, once for each time.
        left_out: ranks that were too slow when the run ended.
        seconds: from the first start to the last end.
    """

    finished: tuple[int, ...]
    lost: tuple[int, ...]
    left_out: tuple[int, ...]
    seconds: float


def launch(
    command: Sequence[str],
    nodes: int,
    *,
    restarts: int = 3,
    environment: Mapping[str, str] | None = None,
    on_start: Callable[[int, int], None] | None = None,
    layout: Layout | None = None,
) -> Launched:
    """Run a program as P ranks that meet at a board (see `anyk.nn.ProcessGroup`).

    A rank that dies is replaced; the others go on meanwhile and regenerate its blocks. A rank that is stopped or very
    slow is left out. The run ends when the ranks end.

    Args:
        command: the program and its arguments, the same for every rank.
        nodes: P.
        restarts: how often a rank is replaced.
        environment: of the ranks; default: this process's, with one thread for each rank.
        on_start: called with a rank and its process number whenever one starts.
        layout: sizes of the board.

    Returns:
        Who finished and who was lost.

    Raises:
        InputError: fewer than one node.
        ClusterError: no rank finished.
    """
    if type(nodes) is not int or nodes < 1:
        raise InputError(f"`launch(nodes={nodes!r})` needs an integer of at least 1.")
    return _Launch(command, nodes, restarts, environment, on_start or (lambda rank, pid: None), layout).run()


class _Launch:
    def __init__(
        self,
        command: Sequence[str],
        nodes: int,
        restarts: int,
        environment: Mapping[str, str] | None,
        on_start: Callable[[int, int], None],
        layout: Layout | None,
    ) -> None:
        self._command, self._restarts, self._on_start = list(command), restarts, on_start
        self._environment = dict(os.environ if environment is None else environment)
        self._environment.setdefault("OMP_NUM_THREADS", "1")
        self._board = Board.create(layout or Layout(nodes))
        self._sequencer = Sequencer(self._board)
        self._board.status[:] = ACTIVE
        self._began = time.monotonic()
        self._ranks: dict[int, _Rank] = {}
        self._finished: list[int] = []
        self._lost: list[int] = []

    def run(self) -> Launched:
        """Until all ranks have ended."""
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            for rank in range(self._board.layout.ranks):
                self._start(rank, 0)
            self._watch()
        finally:
            signal.signal(signal.SIGTERM, before)
            self._stop()
            os.close(self._board.descriptor)
        if not self._finished:
            raise ClusterError(
                f"launch: no rank came to its end; ranks {sorted(set(self._lost))} died. What they wrote says why."
            )
        return Launched(
            tuple(sorted(self._finished)),
            tuple(self._lost),
            tuple((self._board.status == BEHIND).nonzero()[0].tolist()),
            time.monotonic() - self._began,
        )

    def _start(self, rank: int, starts: int) -> None:
        layout = self._board.layout
        seat = {
            "descriptor": self._board.descriptor,
            "ranks": layout.ranks,
            "slots": layout.slots,
            "capacity": layout.capacity,
            "rank": rank,
            "under_way": starts > 0,
        }
        process = subprocess.Popen(
            self._command,
            env={**self._environment, SEAT: json.dumps(seat), "RANK": str(rank), "WORLD_SIZE": str(layout.ranks)},
            pass_fds=[self._board.descriptor],
        )
        self._ranks[rank] = _Rank(process, starts + 1)
        self._on_start(rank, process.pid)

    def _watch(self) -> None:
        reaped, last = 0.0, None
        while self._ranks:
            now = time.monotonic()
            busy = self._sequencer.poll(now)
            if now - reaped > _REAP:
                reaped = now
                self._reap()
                last = now if self._finished and last is None else last
                stuck = last is not None and now - last > _LAST
                if stuck or (self._finished and all(self._board.status[rank] == BEHIND for rank in self._ranks)):
                    return
            if not busy:
                time.sleep(_LOOK)

    def _reap(self) -> None:
        for rank, known in list(self._ranks.items()):
            code = known.process.poll()
            if code is None:
                continue
            del self._ranks[rank]
            if code == 0:
                self._board.status[rank] = ABSENT
                self._finished.append(rank)
                continue
            self._board.status[rank] = DEAD
            self._lost.append(rank)
            if known.starts <= self._restarts and not self._finished:
                self._start(rank, known.starts)

    def _stop(self) -> None:
        self._board.end()
        for known in self._ranks.values():
            known.process.kill()
        for known in self._ranks.values():
            known.process.wait()


def _interrupt(number: int, frame: object) -> None:
    sys.exit(128 + number)
