"""What a launcher keeps for its ranks to meet at: a board in shared memory, or a store over TCP."""

import json
import os
import time
from typing import Any, Protocol

from anyk.nn.board import ABSENT, ACTIVE, DEAD, Board, Layout
from anyk.nn.sequencer import Sequencer
from anyk.nn.store import connected

#: Seconds that whoever serves a store waits for the ranks of other hosts in the end.
_FAREWELL = 10.0


class Table(Protocol):
    """Where the ranks of one launcher meet."""

    def seat(self, rank: int, under_way: bool) -> dict[str, Any]:
        """What `anyk.nn.meeting` needs to find it."""
        ...

    @property
    def descriptors(self) -> list[int]:
        """Files that the ranks inherit."""
        ...

    def poll(self, now: float) -> bool:
        """Close a round if that is the launcher's business; whether one was closed."""
        ...

    def ended(self, rank: int, well: bool) -> None:
        """A rank's process is gone."""
        ...

    def counts(self, rank: int) -> bool:
        """The others go on with this rank."""
        ...

    def is_deserted(self) -> bool:
        """Nobody is left who could let another one in, as far as it is known here."""
        ...

    def close(self) -> None:
        """Nobody meets any more; whoever waits is told."""
        ...


class BoardTable:
    """A board in memory of this machine; the launcher closes its rounds.

    Args:
        layout: of the board.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout, self._board = layout, Board.create(layout)
        self._sequencer = Sequencer(self._board)
        self._board.status[:] = ACTIVE

    def seat(self, rank: int, under_way: bool) -> dict[str, Any]:
        """The descriptor and the sizes."""
        layout = self._layout
        sizes = {"ranks": layout.ranks, "slots": layout.slots, "capacity": layout.capacity}
        return {"descriptor": self._board.descriptor, "rank": rank, "under_way": under_way, **sizes}

    @property
    def descriptors(self) -> list[int]:
        """Of the memory."""
        return [self._board.descriptor]

    def poll(self, now: float) -> bool:
        """Close the next round if it can be."""
        return self._sequencer.poll(now)

    def ended(self, rank: int, well: bool) -> None:
        """Nobody waits for it any more."""
        self._board.status[rank] = ABSENT if well else DEAD

    def counts(self, rank: int) -> bool:
        """It is neither too slow nor still on its way."""
        return bool(self._board.status[rank] == ACTIVE)

    def is_deserted(self) -> bool:
        """Every rank is gone, behind, or waits to be let in."""
        return not (self._board.status == ACTIVE).any()

    def close(self) -> None:
        """The memory is gone with the last rank."""
        if not self._board.ended[0]:
            self._board.end()
            os.close(self._board.descriptor)


class StoreTable:
    """A store over TCP; the ranks close their rounds themselves.

    Args:
        host: of the store.
        port: of it.
        nodes: P.
        serve: keep it in this process.
    """

    def __init__(self, host: str, port: int, nodes: int, serve: bool) -> None:
        self._store = connected(host, port, serve=serve, timeout_seconds=60)
        self._place, self._nodes, self._serves = [host, self._store.port], nodes, serve

    def seat(self, rank: int, under_way: bool) -> dict[str, Any]:
        """Host and port."""
        return {"store": self._place, "ranks": self._nodes, "rank": rank, "under_way": under_way}

    @property
    def descriptors(self) -> list[int]:
        """There are none."""
        return []

    def poll(self, now: float) -> bool:
        """Not the launcher's business."""
        return False

    def ended(self, rank: int, well: bool) -> None:
        """The others find out."""

    def counts(self, rank: int) -> bool:
        """It is a member by the latest verdict."""
        return rank in self._members()

    def is_deserted(self) -> bool:
        """Other hosts' ranks may be there: nobody here can know."""
        return False

    def _members(self) -> list[int]:
        try:
            if not self._store.check(["latest"]):
                return list(range(self._nodes))
            latest = f"{int(self._store.get('latest'))}/verdict"
            members: list[int] = json.loads(self._store.get(latest))["members"]
            return members
        except RuntimeError:  # the store is out of reach
            return []

    def close(self) -> None:
        """Whoever serves it stays until all members have gone."""
        until = time.monotonic() + (_FAREWELL if self._serves else 0)
        while time.monotonic() < until and set(self._members()) - set(gone(self._store)):
            time.sleep(0.05)


def gone(store: Any) -> list[int]:
    """Ranks that have said farewell."""
    told = store.get("gone").decode() if store.check(["gone"]) else ""
    return [int(rank) for rank in told.split(",") if rank]
