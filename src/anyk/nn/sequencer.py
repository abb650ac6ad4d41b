"""When a round may close: as soon as enough pieces are there, after a moment for those that are nearly there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anyk.nn.board import ACTIVE, BEHIND, DEAD, JOINING, Board
from anyk.nn.transport import Quota

Ranks = NDArray[np.bool_]


class Patience:
    """How long whoever closes rounds waits for those that are missing.

    Args:
        grace: once enough pieces are there, the others are waited for this part of the time it took, again.
        patience_seconds: a rank is waited for so long, or for ten times what a round usually takes, where its piece is
            wanted, or where it is a whole board behind; then it is left out.
        give_up_seconds: ... and so long where nothing can go on without it.
        start_seconds: the first round is waited for so long by all.
    """

    def __init__(
        self,
        *,
        grace: float = 0.5,
        patience_seconds: float = 1.0,
        give_up_seconds: float = 60.0,
        start_seconds: float = 120.0,
    ) -> None:
        self._grace, self._least, self._give_up, self._start = grace, patience_seconds, give_up_seconds, start_seconds
        self._first: float | None = None
        self._enough: float | None = None
        self._usual, self._last = 0.0, 0.0

    def ends(
        self, number: int, arrived: Ranks, missing: Ranks, behind: Ranks, quota: Quota, now: float
    ) -> tuple[bool, Ranks]:
        """Whether a round closes now, and who is left out with it.

        Args:
            number: of the round.
            arrived: whose pieces are there, shape (P,).
            missing: who is one of the ranks and has not come.
            behind: those of them that are a whole board late.
            quota: how many pieces are waited for.
            now: seconds, ascending.
        """
        nobody = np.zeros_like(missing)
        if not arrived.any():
            return False, nobody
        self._first = now if self._first is None else self._first
        if not missing.any():
            return True, nobody
        if number == 0:
            return now >= self._first + self._start, nobody
        patience = max(self._least, 10 * self._usual)
        if arrived.sum() < quota.wanted:
            over = now >= self._first + (self._give_up if arrived.sum() < quota.needed else patience)
            return over, missing if over else nobody
        self._enough = now if self._enough is None else self._enough
        if now < self._enough + max(2e-3, self._grace * (self._enough - self._first)):
            return False, nobody
        # whoever is a whole board behind would find its slots overwritten
        if behind.any():
            over = now >= self._enough + patience
            return over, behind if over else nobody
        return True, nobody

    def closed(self, number: int, now: float) -> None:
        """A round was closed."""
        self._first = self._enough = None
        if number > 1:
            self._usual += 0.1 * (min(now - self._last, self._least) - self._usual)  # not what was waited for the dead
        self._last = now


class Sequencer:
    """Closes rounds at a board. It knows who is there and who answered, and none of the numbers.

    Args:
        board: the memory.
        settings: as for `Patience`.
    """

    def __init__(self, board: Board, **settings: float) -> None:
        self.board, self._patience = board, Patience(**settings)
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
        missing = active & ~arrived
        behind = missing & (number - board.written >= board.layout.slots - 1)
        quota = Quota(int(board.needed[arrived].max()), int(board.wanted[arrived].max()))
        over, left_out = self._patience.ends(number, arrived, missing, behind, quota, now)
        if over:
            board.status[left_out] = BEHIND
            self._close(number, arrived, missing, now)
        return over

    def _close(self, number: int, arrived: Ranks, missing: Ranks, now: float) -> None:
        board = self.board
        slot = number % board.layout.slots
        self.late[missing] += 1
        joining = (board.status == JOINING) & bool(board.boundary[arrived].all())
        board.counted[slot], board.admitted[slot] = arrived, joining
        for rank in np.flatnonzero(joining).tolist():
            board.written[rank], board.epoch[rank] = number, number + 1
        board.status[joining] = ACTIVE
        board.closed[0] = number
        self._patience.closed(number, now)

    def died(self, ranks: Sequence[int]) -> None:
        """Some ranks' processes are gone."""
        self.board.status[list(ranks)] = DEAD
