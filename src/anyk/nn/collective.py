"""How nodes meet: each gives its small piece, all of them see the same pieces. Here: every node in one process."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from anyk.errors import InputError
from anyk.nn.agreement import majority
from anyk.nn.health import Health
from anyk.nn.soft_errors import SoftErrors


class Collective(Protocol):
    """P nodes, some of them in this process.

    ``nodes`` is P; ``here`` are the numbers of those in this process; ``health`` is what all of them know of one
    another; ``errors`` hits the copies of those here; ``attempts`` says how often a product is tried before it
    counts as uncorrectable.
    """

    nodes: int
    here: range
    health: Health
    errors: SoftErrors | None
    attempts: int

    def gather(self, pieces: Tensor, wanted: int, needed: int | None = None) -> tuple[Tensor, NDArray[np.bool_]]:
        """Everybody's piece.

        Args:
            pieces: of the nodes here, shape (L, …).
            wanted: so many nodes' pieces are enough to go on with.
            needed: who is slow is not waited for long once there are so many; default: wanted, at most more than half.

        Returns:
            All pieces, shape (P, …), the same at every node; and which of them came, shape (P,).
        """
        ...

    def random(self) -> Generator:
        """Fresh random numbers, the same at every node."""
        ...

    def refresh(self, copies: Tensor, nodes: list[int], sources: list[int]) -> Tensor:
        """Give some nodes the copy of another one.

        Args:
            copies: of the nodes here, shape (L, …); left as they are.
            nodes: who gets it.
            sources: whose copy; the first of them that can be had.

        Returns:
            The copies as they are then.
        """
        ...

    def agree(self, copies: Tensor, place: str, *, everybody: bool = False, new: Sequence[int] = ()) -> Tensor:
        """Give the nodes the copy that most of them hold.

        Args:
            copies: of the nodes here, shape (L, …).
            place: whose, for the record.
            everybody: wait for all nodes; else whoever is late is looked at another time.
            new: nodes that have just come and hold nothing; they get one, too.
        """
        ...

    def reveal(self, copies: Tensor) -> int:
        """Place (0 … L-1) of a node here that holds the copy most nodes hold."""
        ...

    def strike(self, step: str, copies: Tensor, place: str) -> Tensor:
        """Let the fault model hit the copies of the nodes here."""
        ...

    def decided(self, what: str) -> None:
        """The nodes here have come to a decision that all others must come to, too."""
        ...

    @property
    def is_late(self) -> bool:
        """The others have gone on without the next pieces of the nodes here."""
        ...

    @property
    def under_way(self) -> bool:
        """The others are in the middle of it: the node here has to `join` them first."""
        ...

    def boundary(self) -> list[int]:
        """Between two steps: let in who waits, and return them. They hold nothing yet."""
        ...

    def join(self) -> list[int]:
        """Wait until the others let the node here in, between two of their steps.

        Returns:
            Nodes that have come with it, itself among them.
        """
        ...


class VirtualNodes:
    """All nodes in one process, batched: each has its own copies, its own errors and its own decoder.

    Args:
        nodes: P, at least 1.
        errors: what hits them; default: nothing.
        attempts: how often a product is tried before it counts as uncorrectable; between two tries stored blocks are
            checked and mended.
        evict_after: a node caught in so many of the last 40 products is no longer asked; 0: never.
        seed: of the random probes; the same at every node.

    Raises:
        InputError: a count that is not an integer of at least 1.

    >>> VirtualNodes(8)
    VirtualNodes(8)
    """

    def __init__(
        self, nodes: int, *, errors: SoftErrors | None = None, attempts: int = 2, evict_after: int = 0, seed: int = 0
    ) -> None:
        for name, count in (("nodes", nodes), ("attempts", attempts)):
            if type(count) is not int or count < 1:
                raise InputError(f"`VirtualNodes({name}={count!r})` needs an integer of at least 1.")
        self.nodes, self.here, self.errors = nodes, range(nodes), errors
        self.health, self.seed, self.attempts = Health(nodes, evict_after), seed, attempts
        self._draws = 0

    def __repr__(self) -> str:
        return f"VirtualNodes({self.nodes})"

    def gather(self, pieces: Tensor, wanted: int, needed: int | None = None) -> tuple[Tensor, NDArray[np.bool_]]:
        """All of them are here, whether asked or not."""
        return pieces, np.ones(self.nodes, dtype=bool)

    def random(self) -> Generator:
        """From the seed and how often it was asked."""
        self._draws += 1
        return np.random.default_rng([self.seed, self._draws])

    def refresh(self, copies: Tensor, nodes: list[int], sources: list[int]) -> Tensor:
        """Copy within this process."""
        if not nodes:
            return copies
        with torch.no_grad():
            copies = copies.clone(memory_format=torch.contiguous_format)
            copies[nodes] = copies[sources[0]].clone()
        return copies

    def decided(self, what: str) -> None:
        """They are decided upon together."""

    @property
    def is_late(self) -> bool:
        """They wait for one another."""
        return False

    @property
    def under_way(self) -> bool:
        """All of them start together."""
        return False

    def boundary(self) -> list[int]:
        """Nobody comes later."""
        return []

    def join(self) -> list[int]:
        """They are never apart."""
        return list(self.here)

    def agree(self, copies: Tensor, place: str, *, everybody: bool = False, new: Sequence[int] = ()) -> Tensor:
        """The majority's copy to everybody."""
        source, others = majority(copies, self.health.active)
        self.health.note("refreshed", others, place)
        return self.refresh(copies, others, [source])

    def reveal(self, copies: Tensor) -> int:
        """The majority's lowest node."""
        return majority(copies, self.health.active)[0]

    def strike(self, step: str, copies: Tensor, place: str) -> Tensor:
        """Let the fault model hit the copies."""
        if self.errors is None:
            return copies
        copies, hit = self.errors.strike(step, copies, self.here)
        self.health.note("injected", hit, f"{place} {step}")
        return copies
