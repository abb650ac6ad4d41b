"""A board in shared memory: every rank pins its piece to it, and all of them read the same pieces.

Legend: P = ranks, S = slots, r = round (every gathering of pieces is one), C = bytes a slot holds.

A rank writes its piece of round r into slot r mod S and says so. A `anyk.nn.sequencer.Sequencer`, which sees no
numbers, closes the round as soon as enough pieces are there, and writes down whose count; all ranks read that verdict,
so all of them use the very same pieces, however late they look. A rank that is late reads what it missed from the
slots; one that falls S rounds behind is left out until it is admitted again. Nothing is locked, so nobody can die
holding a lock.
"""

import mmap
import os
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anyk.errors import ClusterError, LeftOut
from anyk.nn.transport import Bytes, ByteTransport, Quota

#: What a rank is: not there, one of them, left out for being too slow, waiting to be admitted, dead.
ABSENT, ACTIVE, BEHIND, JOINING, DEAD = range(5)

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
        words = 8 + 8 * self.ranks + self.slots * (4 * self.ranks + 1)
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
        self.written, self.status, self.epoch, self.needed, self.wanted, self.boundary = (part(ranks) for _ in range(6))
        self.counted, self.admitted, self.tags, self.marks = (part(slots, ranks) for _ in range(4))
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


class Seat(ByteTransport):
    """One rank's place at the board; a `anyk.nn.transport.Transport`.

    Args:
        board: the memory.
        rank: whose.
        under_way: the others are in the middle of it.
    """

    def __init__(self, board: Board, rank: int, under_way: bool = False) -> None:
        self.board, self.rank, self.nodes = board, rank, board.layout.ranks
        self.capacity, self.under_way = board.layout.capacity, under_way
        self.round = int(board.written[rank]) + 1
        self.admitted: list[int] = []
        self.marks = np.zeros(self.nodes, dtype=np.int64)
        self._parent = os.getppid()

    @property
    def is_late(self) -> bool:
        """The next round was closed already."""
        return bool(self.board.closed[0] >= self.round)

    def exchange(self, piece: Bytes, into: Bytes, quota: Quota, mark: int = 0) -> NDArray[np.bool_]:
        """One round: pin a piece, wait for the verdict, read what counts.

        Args:
            piece: at most C bytes.
            into: all pieces, shape (P, bytes); those that do not count are left as they are.
            quota: how many pieces are waited for.
            mark: 64 bits that go with the piece; everybody's are in ``marks`` then.

        Returns:
            Whose piece counts, shape (P,).

        Raises:
            LeftOut: this rank was too slow.
            ClusterError: the run has ended.
        """
        board, number = self.board, self.round
        slot = number % board.layout.slots
        board.tags[slot, self.rank] = -1
        board.pieces[slot, self.rank, : piece.size], board.marks[slot, self.rank] = piece, mark
        board.tags[slot, self.rank] = number
        board.needed[self.rank], board.wanted[self.rank], board.boundary[self.rank] = quota
        board.written[self.rank] = number
        self.round += 1
        self.wait_for(number)
        counted = board.counted[slot].astype(bool)
        self.admitted = np.flatnonzero(board.admitted[slot]).tolist()
        self.marks = board.marks[slot].copy()
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
        """Ask to be admitted, and wait until it happens; ``admitted`` says with whom.

        Raises:
            ClusterError: the run has ended.
        """
        board = self.board
        board.status[self.rank] = JOINING
        while board.status[self.rank] == JOINING:
            if board.ended[0] or os.getppid() != self._parent:
                raise ClusterError(f"rank {self.rank}: the run has ended before it could join.")
            time.sleep(_LONGEST)
        self.round, self.under_way = int(board.epoch[self.rank]), False
        self.admitted = np.flatnonzero(board.admitted[(self.round - 1) % board.layout.slots]).tolist()
