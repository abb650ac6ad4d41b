"""Ranks that meet in a key-value store over TCP: several hosts, and torchrun, whose agent keeps such a store.

Legend: P = ranks, S = rounds that stay, r = round.

    r/came       ranks whose pieces are there, in the order in which they came
    r/<rank>     a piece, its mark in front
    r/verdict    whose pieces count, who is a member from now on, who was admitted
    latest       a round that was closed of late
    join/<rank>  that rank waits to be admitted

Nobody leads. Whoever finds that a round may close (`anyk.nn.sequencer.Patience`, each by its own clock) proposes a
verdict; the store's compare-and-set lets the first one stand, and all ranks act on what stands. A host that is cut off
from the store cannot close a round, so there is never more than one run.
"""

import atexit
import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import numpy as np
import torch.distributed as dist
from numpy.typing import NDArray

from anyk.errors import ClusterError, LeftOut
from anyk.nn.sequencer import Patience
from anyk.nn.transport import Bytes, ByteTransport, Quota

#: S: pieces of so many rounds stay in the store, and ten times as many verdicts.
_KEPT = 32

#: Seconds between two looks at the store, at first and at most.
_SHORTEST, _LONGEST = 2e-4, 5e-3

#: Seconds that a rank is waited for where everybody is wanted: networks stall for longer than memory does.
_PATIENCE = 3.0

#: Seconds without a new round after which who waits to be admitted gives up.
_HOPELESS = 120.0

#: Seconds that a rank waits in the end for the others to come to theirs.
_FAREWELL = 3.0


def connected(host: str, port: int, *, serve: bool = False, timeout_seconds: float = 15.0) -> Any:
    """A store over TCP.

    Args:
        host: where it is.
        port: of it; 0 where it is served: any.
        serve: keep it in this process.
        timeout_seconds: for a connection, and for an answer.

    Raises:
        ClusterError: it cannot be reached, or served.
    """
    try:
        return dist.TCPStore(
            host, port, is_master=serve, wait_for_workers=False, timeout=timedelta(seconds=timeout_seconds)
        )
    except (RuntimeError, OSError) as problem:
        raise ClusterError(f"no store of ranks at {host}:{port}: {_line(problem)}") from problem


class StoreSeat(ByteTransport):
    """One rank's place at a store; a `anyk.nn.transport.Transport`.

    Args:
        store: of torch.distributed, with nothing else under the keys above.
        rank: whose.
        nodes: P.
        under_way: the others are in the middle of it.
        again: connects to the store once more, after the network has failed; None: it cannot be.
        capacity: bytes of one piece.
        settings: as for `Patience`.
    """

    def __init__(
        self,
        store: Any,  # torch.distributed may be absent
        rank: int,
        nodes: int,
        *,
        under_way: bool = False,
        again: Callable[[], Any] | None = None,
        capacity: int = 1 << 22,
        **settings: float,
    ) -> None:
        self.rank, self.nodes, self.capacity, self.under_way = rank, nodes, capacity, under_way
        self.round, self.admitted, self.marks = 0, list[int](), np.zeros(nodes, dtype=np.int64)
        self._store, self._again = store, again
        self._patience = Patience(**{"patience_seconds": _PATIENCE, **settings})
        self._members = np.ones(nodes, dtype=bool)
        self._seen = np.full(nodes, -1)
        atexit.register(self._leave)  # the store may be in the process of one of them

    @property
    def is_late(self) -> bool:
        """The next round was closed already."""
        return self._is_there(f"{self.round}/verdict")

    def exchange(self, piece: Bytes, into: Bytes, quota: Quota, mark: int) -> NDArray[np.bool_]:
        """One round: put a piece into the store, wait for the verdict, take what counts."""
        try:
            return self._exchanged(piece, into, quota, mark)
        except ClusterError:
            raise
        except RuntimeError as problem:  # what torch.distributed raises
            told = f"rank {self.rank} lost the store at round {self.round}: {_line(problem)}"
            if self._again is None:
                raise ClusterError(told) from problem
            self._store = _insistently(self._again)
            raise LeftOut(told) from problem

    def _exchanged(self, piece: Bytes, into: Bytes, quota: Quota, mark: int) -> NDArray[np.bool_]:
        number = self.round
        if self._latest() >= number + _KEPT - 2:
            raise LeftOut(f"rank {self.rank} fell behind at round {number}.")
        self.round += 1
        self._store.set(f"{number}/{self.rank}", np.int64(mark).tobytes() + piece.tobytes())
        self._store.append(f"{number}/came", f"{self.rank},")
        verdict = self._verdict(number, quota)
        self._members[:] = False
        self._members[verdict["members"]] = True
        self.admitted = verdict["admitted"]
        if not self._members[self.rank]:
            raise LeftOut(f"rank {self.rank} was left out at round {number}.")
        counted = np.zeros(self.nodes, dtype=bool)
        counted[verdict["counted"]] = True
        self._seen[[*verdict["counted"], *self.admitted]] = number
        keys = [f"{number}/{rank}" for rank in verdict["counted"]]
        if not self._store.check(keys):
            raise LeftOut(f"rank {self.rank} fell behind: the pieces of round {number} are gone.")
        for rank, told in zip(verdict["counted"], self._store.multi_get(keys), strict=True):
            if len(told) == 8 + piece.size:  # else it is out of step with the others, as its mark says
                into[rank] = np.frombuffer(told, np.uint8, offset=8)
            self.marks[rank] = np.frombuffer(told, np.int64, count=1)[0]
        if number >= _KEPT:
            self._store.delete_key(f"{number - _KEPT}/{self.rank}")
        return counted

    def _verdict(self, number: int, quota: Quota) -> dict[str, list[int]]:
        """What stands for a round."""
        key, pause = f"{number}/verdict", _SHORTEST
        while not self._is_there(key):
            arrived, now = self._arrived(number), time.monotonic()
            self._seen[arrived] = number
            missing = self._members & ~arrived
            behind = missing & (number - self._seen >= _KEPT - 2)
            over, left_out = self._patience.ends(number, arrived, missing, behind, quota, now)
            if over:
                self._propose(number, arrived, left_out, quota.boundary)
                break
            time.sleep(pause)
            pause = min(1.2 * pause, _LONGEST)
        self._patience.closed(number, time.monotonic())
        stands: dict[str, list[int]] = json.loads(self._store.get(key))
        return stands

    def _arrived(self, number: int) -> NDArray[np.bool_]:
        arrived = np.zeros(self.nodes, dtype=bool)
        arrived[list(_ranks(self._store.get(f"{number}/came")))] = True
        return arrived & self._members

    def _propose(self, number: int, arrived: NDArray[np.bool_], left_out: NDArray[np.bool_], boundary: bool) -> None:
        members = self._members & ~left_out
        outside = np.flatnonzero(~members).tolist() if boundary else []
        admitted = [rank for rank in outside if self._is_there(f"join/{rank}")]
        verdict = {
            "counted": np.flatnonzero(arrived).tolist(),
            "members": sorted([*np.flatnonzero(members).tolist(), *admitted]),
            "admitted": admitted,
        }
        proposed = json.dumps(verdict)
        if self._store.compare_set(f"{number}/verdict", "", proposed).decode() == proposed:
            self._store.set("latest", str(number))
            old = number - 10 * _KEPT
            for key in (f"{old}/came", f"{old}/verdict") if old >= 0 else ():
                self._store.delete_key(key)

    def join(self) -> None:
        """Ask to be admitted, and wait until it happens.

        Raises:
            ClusterError: there are no rounds any more.
        """
        try:
            self._store.set(f"join/{self.rank}", "1")
            number, since = max(0, self._latest()), time.monotonic()
            while True:
                if self._is_there(f"{number}/verdict"):
                    verdict, since = json.loads(self._store.get(f"{number}/verdict")), time.monotonic()
                    if self.rank in verdict["admitted"]:
                        break
                    number += 1
                elif self._latest() > number:
                    number = self._latest()
                elif time.monotonic() - since > _HOPELESS:
                    raise ClusterError(f"rank {self.rank}: the run has ended before it could join.")
                else:
                    time.sleep(_LONGEST)
            self._store.delete_key(f"join/{self.rank}")
        except ClusterError:
            raise
        except RuntimeError as problem:
            raise ClusterError(f"rank {self.rank} lost the store before it could join: {_line(problem)}") from problem
        self._members[:] = False
        self._members[verdict["members"]] = True
        self._seen[:] = number
        self._patience.closed(number, time.monotonic())  # nobody has waited yet
        self.round, self.under_way, self.admitted = number + 1, False, verdict["admitted"]

    def close(self) -> None:
        """Leave without farewell."""
        atexit.unregister(self._leave)

    def _leave(self) -> None:
        """Say farewell, and wait a little for the others."""
        with suppress(RuntimeError):
            self._store.append("gone", f"{self.rank},")
            until = time.monotonic() + _FAREWELL
            members = set(np.flatnonzero(self._members).tolist())
            while time.monotonic() < until and members - _ranks(self._store.get("gone")):
                time.sleep(_LONGEST)

    def _latest(self) -> int:
        return int(self._store.get("latest")) if self._is_there("latest") else -1

    def _is_there(self, key: str) -> bool:
        return bool(self._store.check([key]))


def _insistently(connect: Callable[[], Any]) -> Any:
    """A new connection, as soon as there can be one.

    Raises:
        ClusterError: not for long.
    """
    until = time.monotonic() + _HOPELESS
    while True:
        try:
            return connect()
        except ClusterError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def _ranks(told: bytes) -> set[int]:
    return {int(rank) for rank in told.decode().split(",") if rank}


def _line(problem: BaseException) -> str:
    """The first line: torch adds a stack of its own."""
    return str(problem).strip().partition("\n")[0]
