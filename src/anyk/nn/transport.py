"""How pieces get from rank to rank: the port behind which every way for ranks to meet stands.

Every meeting is a round, numbered from 0. All ranks that take part in a round see the same pieces of the same ranks,
or are told that they are left out: whatever lies below has to see to that, for all else follows from it.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anyk.nn.agreement import bits

Bytes = NDArray[np.uint8]


class Quota(NamedTuple):
    """When a round may close.

    Args:
        needed: fewer pieces are of no use: the others are waited for, for long.
        wanted: with so many a round closes at once; with fewer the others are waited for a while, and then left out.
        boundary: between two steps, with this round ranks that wait are let in.
    """

    needed: int
    wanted: int
    boundary: bool = False


class Transport(Protocol):
    """One rank's way to the others.

    Attributes:
        rank: of this process.
        nodes: P.
        round: number of the next round; the same at every rank that takes part.
        under_way: the others are in the middle of it: this rank has to `join`.
        admitted: ranks let in with the last round.
        marks: what came with the pieces of the last round, shape (P,), int64.
    """

    rank: int
    nodes: int
    round: int
    under_way: bool
    admitted: list[int]
    marks: NDArray[np.int64]

    @property
    def is_late(self) -> bool:
        """The next round was closed already: a piece of this rank would not count."""
        ...

    def gather(self, piece: Tensor, quota: Quota, mark: int) -> tuple[Tensor, NDArray[np.bool_]]:
        """One round: give a piece, get those that count.

        Args:
            piece: shape (1, …), the same at every rank.
            quota: how many pieces are waited for.
            mark: 64 bits that go with the piece.

        Returns:
            All pieces, shape (P, …), and which of them count; the same at every rank.

        Raises:
            LeftOut: this rank was too slow; it can `join` again.
            ClusterError: the run has ended.
        """
        ...

    def join(self) -> None:
        """Ask to be admitted, and wait until it happens; the next round is the first to take part in.

        ``admitted`` then says who comes with this rank: all of them hold nothing yet.

        Raises:
            ClusterError: the run has ended, or nobody can be admitted here.
        """
        ...


class ByteTransport(ABC):
    """A transport that carries bytes, at most ``capacity`` of them at a time."""

    nodes: int
    capacity: int

    @abstractmethod
    def exchange(self, piece: Bytes, into: Bytes, quota: Quota, mark: int) -> NDArray[np.bool_]:
        """One round.

        Args:
            piece: at most ``capacity`` bytes, as many at every rank.
            into: all pieces, shape (P, bytes); those that do not count are left as they are.
            quota: how many pieces are waited for.
            mark: 64 bits that go with the piece.

        Returns:
            Whose piece counts, shape (P,); the same at every rank.
        """

    def gather(self, piece: Tensor, quota: Quota, mark: int) -> tuple[Tensor, NDArray[np.bool_]]:
        """As many rounds as the piece takes; it counts where all its parts do."""
        # torch's memory is aligned alike in all ranks, and so is the rounding of what they compute from it
        gathered = torch.zeros(self.nodes, *piece.shape[1:], dtype=piece.dtype)
        plain = bits(piece).cpu().numpy().reshape(-1).view(np.uint8)
        into = bits(gathered).numpy().reshape(self.nodes, -1).view(np.uint8)
        came = np.ones(self.nodes, dtype=bool)
        for start in range(0, max(1, plain.size), self.capacity):
            part = slice(start, start + self.capacity)
            came &= self.exchange(plain[part], into[:, part], quota, mark)
        return gathered.to(piece.device), came
