"""A board in shared memory: every rank pins its piece to it, and all of them read the same pieces.

Legend: P = ranks, S = slots, r = round (every gathering of pieces is one), C = bytes a slot holds.

A rank writes its piece of round r into slot r mod S and says so. A `Sequencer`, which sees no numbers, closes the round
as soon as enough pieces are there, and writes down whose count; all ranks read that verdict, so all of them use the
very same pieces, however late they look. A rank that is late reads what it missed from the slots; one that falls S
rounds behind is left out until it is admitted again. Nothing is locked, so nobody can die holding a lock.
"""

import mmap
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anyk.errors import ClusterError, LeftOut

Bytes = NDArray[np.uint8]

#: What a rank is: not there, one of them, left out for being too slow, waiting to be admitted, dead.
ABSENT, ACTIVE, BEHIND, JOINING, DEAD = range(5)

#: What a round is: closed when enough pieces are there; when everybody's is; one with which ranks that wait are let in.
ENOUGH, EVERYBODY, BOUNDARY = range(3)

#: Seconds a rank sleeps between two looks at the board, at first and at most.
_SHORTEST, _LONGEST = 2e-5, 1e-3


@dataclass(frozen=True)
class Layout:
    """Sizes of a board.

    Args:
        ranks: P.
        slots: S; so many rounds a rank may be late.
        capacity: C, bytes of one piece; larger ones take several rounds.
    """

    ranks: int
    slots: int = 8
    capacity: int = 1 << 20

    @property
    def header(self) -> int:
        """Bytes before the pieces."""
        words = 8 + 8 * self.ranks + self.slots * (3 * self.ranks + 1)
        return -(-8 * words // mmap.PAGESIZE) * mmap.PAGESIZE

    @property
    def size(self) -> int:
        """Bytes of it all; pages nobody writes to take no memory."""
        return self.header + self.slots * self.ranks * self.capacity


class Board:
    """The shared memory, seen from one process.

    Args:
        descriptor: of the memory.
        layout: its sizes.
    """

    def __init__(self, descriptor: int, layout: Layout) -> None:
        self.descriptor, self.layout = descriptor, layout
        memory = mmap.mmap(descriptor, layout.size)
        words = np.frombuffer(memory, np.int64, layout.header // 8)
        ranks, slots = layout.ranks, layout.slots
        taken = 0

        def part(*shape: int) -> NDArray[np.int64]:
            nonlocal taken
            count = int(np.prod(shape))
            taken += count
            return words[taken - count : taken].reshape(shape)

        self.closed, self.ended = part(1), part(1)
        self.written, self.needed, self.status, self.epoch, self.kind = (part(ranks) for _ in range(5))
        self.counted, self.admitted, self.tags = (part(slots, ranks) for _ in range(3))
        pieces = np.frombuffer(memory, np.uint8, offset=layout.header)
        self.pieces = pieces.reshape(slots, ranks, layout.capacity)

    @classmethod
    def create(cls, layout: Layout) -> "Board":
        """A fresh board in anonymous memory; it is gone with the last process that holds its descriptor."""
        descriptor = os.memfd_create("anyk-board")
        os.ftruncate(descriptor, layout.size)
        os.set_inheritable(descriptor, True)
        board = cls(descriptor, layout)
        board.closed[0] = -1
        board.written[:] = -1
        board.tags[:] = -1
        return board

    def end(self) -> None:
        """Nobody closes rounds any more: whoever waits is told."""
        self.ended[0] = 1


class Seat:
    """One rank's place at the board.

    Args:
        board: the memory.
        rank: whose.
    """

    def __init__(self, board: Board, rank: int) -> None:
        self.board, self.rank, self.round = board, rank, int(board.written[rank]) + 1
        self.admitted: list[int] = []
        self._parent = os.getppid()

    def exchange(self, piece: Bytes, into: Bytes, needed: int, kind: int = ENOUGH) -> NDArray[np.bool_]:
        """One round: pin a piece, wait for the verdict, read what counts.

        Args:
            piece: at most C bytes.
            into: all pieces, shape (P, bytes); those that do not count are left as they are.
            needed: fewer pieces are of no use.
            kind: `ENOUGH`, `EVERYBODY` or `BOUNDARY`.

        Returns:
            Whose piece counts, shape (P,).

        Raises:
            LeftOut: this rank was too slow.
            ClusterError: the run has ended.
        """
        board, number = self.board, self.round
        slot = number % board.layout.slots
        board.tags[slot, self.rank] = -1
        board.pieces[slot, self.rank, : piece.size] = piece
        board.tags[slot, self.rank] = number
        board.needed[self.rank], board.kind[self.rank] = needed, kind
        board.written[self.rank] = number
        self.round += 1
        self.wait_for(number)
        counted = board.counted[slot].astype(bool)
        self.admitted = np.flatnonzero(board.admitted[slot]).tolist()
        for rank in np.flatnonzero(counted).tolist():
            into[rank] = board.pieces[slot, rank, : piece.size]
        if (board.tags[slot][counted] != number).any() or board.status[self.rank] != ACTIVE:
            raise LeftOut(f"rank {self.rank} fell behind at round {number} of {int(board.closed[0])}.")
        return counted

    def wait_for(self, number: int) -> None:
        """Until a round is closed.

        Raises:
            LeftOut: this rank was too slow.
            ClusterError: the run has ended.
        """
        board, pause, looked = self.board, _SHORTEST, time.monotonic()
        while board.closed[0] < number:
            if board.ended[0]:
                raise ClusterError(f"rank {self.rank}: the run was ended from outside at round {number}.")
            if board.status[self.rank] != ACTIVE:
                raise LeftOut(f"rank {self.rank} was left out at round {number}.")
            time.sleep(pause)
            pause = min(1.2 * pause, _LONGEST)
            if time.monotonic() - looked > 1.0:
                looked = time.monotonic()
                if os.getppid() != self._parent:
                    raise ClusterError(f"rank {self.rank}: whoever started the ranks is gone.")

    def join(self) -> None:
        """Ask to be admitted, and wait until it happens; the next round is the first to take part in.

        Raises:
            ClusterError: the run has ended.
        """
        board = self.board
        board.status[self.rank] = JOINING
        while board.status[self.rank] == JOINING:
            if board.ended[0] or os.getppid() != self._parent:
                raise ClusterError(f"rank {self.rank}: the run has ended before it could join.")
            time.sleep(_LONGEST)
        self.round = int(board.epoch[self.rank])


class Sequencer:
    """Closes rounds. It knows who is there and who answered, and none of the numbers.

    Args:
        board: the memory.
        grace: once enough pieces are there, the others are waited for this part of the time it took, again.
        patience_seconds: a rank is waited for so long, or for ten times what a round usually takes, where everybody is
            wanted, or where it is a whole board behind; then it is left out.
        give_up_seconds: ... and so long where nothing can go on without it.
        start_seconds: the first round is waited for so long by all.
    """

    def __init__(
        self,
        board: Board,
        *,
        grace: float = 0.5,
        patience_seconds: float = 1.0,
        give_up_seconds: float = 60.0,
        start_seconds: float = 120.0,
    ) -> None:
        self.board, self._grace, self._start = board, grace, start_seconds
        self._least, self._give_up = patience_seconds, give_up_seconds
        self._first: float | None = None
        self._enough: float | None = None
        self._usual, self._last = 0.0, 0.0
        self.late = np.zeros(board.layout.ranks, dtype=np.int64)

    def poll(self, now: float) -> bool:
        """Close the next round if it can be.

        Args:
            now: seconds, ascending.

        Returns:
            Whether a round was closed.
        """
        board, number = self.board, int(self.board.closed[0]) + 1
        active = board.status == ACTIVE
        arrived = active & (board.written >= number)
        if not arrived.any():
            return False
        self._first = now if self._first is None else self._first
        missing = active & ~arrived
        if missing.any() and not self._goes_on_without(missing, arrived, number, now):
            return False
        self._close(number, arrived, missing, now)
        return True

    def _goes_on_without(self, missing: NDArray[np.bool_], arrived: NDArray[np.bool_], number: int, now: float) -> bool:
        assert self._first is not None
        board = self.board
        if number == 0:
            return now >= self._first + self._start
        patience = max(self._least, 10 * self._usual)
        if arrived.sum() < board.needed[arrived].max():  # without these nothing can go on
            return self._left_out(missing, now >= self._first + self._give_up)
        if (board.kind[arrived] == EVERYBODY).any():
            return self._left_out(missing, now >= self._first + patience)
        self._enough = now if self._enough is None else self._enough
        if now < self._enough + max(2e-3, self._grace * (self._enough - self._first)):
            return False
        # whoever is a whole board behind would find its slots overwritten
        behind = missing & (number - board.written >= board.layout.slots - 1)
        return not behind.any() or self._left_out(behind, now >= self._enough + patience)

    def _left_out(self, ranks: NDArray[np.bool_], now: bool) -> bool:
        if now:
            self.board.status[ranks] = BEHIND
        return now

    def _close(self, number: int, arrived: NDArray[np.bool_], missing: NDArray[np.bool_], now: float) -> None:
        board = self.board
        slot = number % board.layout.slots
        self.late[missing] += 1
        joining = (board.status == JOINING) & bool((board.kind[arrived] == BOUNDARY).all())
        board.counted[slot], board.admitted[slot] = arrived, joining
        for rank in np.flatnonzero(joining).tolist():
            board.written[rank], board.epoch[rank] = number, number + 1
        board.status[joining] = ACTIVE
        board.closed[0] = number
        self._first = self._enough = None
        if number > 1:
            self._usual += 0.1 * (now - self._last - self._usual)
        self._last = now

    def died(self, ranks: Sequence[int]) -> None:
        """Some ranks' processes are gone."""
        self.board.status[list(ranks)] = DEAD
