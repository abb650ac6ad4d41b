"""Real ranks: the node program with one node in each process."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from anyk.errors import InputError, LeftOut, Uncorrectable
from anyk.nn.agreement import bits, majority, middle
from anyk.nn.health import Health
from anyk.nn.meeting import found
from anyk.nn.soft_errors import SoftErrors
from anyk.nn.transport import Quota


class ProcessGroup:
    """One node in this process, the others in theirs.

    Started by `anyk.nn.launch`, ranks meet at a board in shared memory; started by ``torchrun``, in the store that
    torchrun keeps. In both, a product goes on when enough of them have answered, whoever is slow, stopped or dead.
    Where torch.distributed is initialized already, or a communicator of mpi4py is given, they meet in collectives,
    which wait for everybody.

    With every piece go 64 bits that stand for all decisions the rank has made so far. Whoever has decided otherwise
    than most no longer counts; it is told, and joins the others again.

    Args:
        group: of torch.distributed, a communicator of mpi4py, or a `anyk.nn.transport.Transport`; default: the board or
            store of whoever started this process, else torch's default group.
        errors: what hits the node here.
        attempts: see `VirtualNodes`.
        evict_after: see `VirtualNodes`.
        seed: of the random probes; the same at every rank.

    Raises:
        ClusterError: there are no other ranks.
        InputError: attempts that are not an integer of at least 1.
    """

    def __init__(
        self,
        group: Any = None,  # torch.distributed and mpi4py name no public type for it
        *,
        errors: SoftErrors | None = None,
        attempts: int = 2,
        evict_after: int = 0,
        seed: int = 0,
    ) -> None:
        if type(attempts) is not int or attempts < 1:
            raise InputError(f"`ProcessGroup(attempts={attempts!r})` needs an integer of at least 1.")
        self._transport = found(group)
        self.nodes, self.rank = self._transport.nodes, self._transport.rank
        self.here = range(self.rank, self.rank + 1)
        self.errors, self.attempts, self.seed = errors, attempts, seed
        self.health = Health(self.nodes, evict_after)
        self._quorum, self._decisions = self.nodes // 2 + 1, b""

    def __repr__(self) -> str:
        return f"ProcessGroup(rank {self.rank} of {self.nodes})"

    @property
    def under_way(self) -> bool:
        """This rank replaces one of a run that others go on with: it has to join."""
        return self._transport.under_way

    @property
    def is_late(self) -> bool:
        """The others have gone on without the next piece of the node here."""
        return self._transport.is_late

    # --- the port -----------------------------------------------------------------------------------------------------

    def gather(self, pieces: Tensor, wanted: int, needed: int | None = None) -> tuple[Tensor, NDArray[np.bool_]]:
        """Everybody's piece, or enough of them."""
        return self._gathered(pieces.detach(), wanted, needed)

    def random(self) -> Generator:
        """From the seed and the number of the round, which all ranks share."""
        return np.random.default_rng([self.seed, self._transport.round])

    def refresh(self, copies: Tensor, nodes: list[int], sources: list[int]) -> Tensor:
        """Everybody shows its copy; whoever needs it takes the first source's that is there."""
        if not nodes:
            return copies
        for wanted in (self._quorum, self.nodes):
            shown, came = self._gathered(copies.detach().contiguous(), wanted)
            there = [node for node in sources if came[node]]
            if there:
                return shown[there[0]][None].clone() if self.rank in nodes else copies
        raise Uncorrectable(f"ranks {sources}, one of whose copies is needed, are gone.")

    def agree(self, copies: Tensor, place: str, *, everybody: bool = False, new: Sequence[int] = ()) -> Tensor:
        """The majority's copy to everybody; digests are compared, and copies travel only where they differ."""
        digests, came = self._gathered(_digest(copies), self.nodes if everybody or new else self._quorum)
        asked = came & self.health.active
        asked[list(new)] = False
        source, others = majority(digests, asked)
        if 2 * (asked.sum() - asked[others].sum()) <= asked.sum():
            # rounded differently here and there: whoever is nearest to all of them
            shown, there = self._gathered(copies.detach().contiguous(), self.nodes)
            source = middle(shown, there & asked)
            others = [node for node in range(self.nodes) if node != source]
        others = [node for node in others if came[node]]
        self.health.note("refreshed", set(others) - set(new), place)
        held = [node for node in np.flatnonzero(asked).tolist() if node not in others]
        return self.refresh(copies, others, [source, *held])

    def reveal(self, copies: Tensor) -> int:
        """There is one copy here."""
        return 0

    def strike(self, step: str, copies: Tensor, place: str) -> Tensor:
        """Let the fault model hit the node here."""
        if self.errors is None:
            return copies
        copies, hit = self.errors.strike(step, copies, self.here)
        self.health.note("injected", hit, f"{place} {step}")
        return copies

    def decided(self, what: str) -> None:
        """Remember a decision; what follows counts only with those that have decided alike."""
        self._decisions = blake2b(self._decisions + what.encode(), digest_size=8).digest()

    # --- ranks that come and go ---------------------------------------------------------------------------------------

    def boundary(self) -> list[int]:
        """Between two steps: whoever waits may join.

        Returns:
            Ranks that have just joined: everybody must now show what it holds.
        """
        self._gathered(torch.zeros(1, 1), 1, boundary=True)
        admitted = list(self._transport.admitted)
        if admitted:
            self._begin_anew()
        return admitted

    def join(self) -> list[int]:
        """Wait until the others admit this rank, between two of their steps.

        Returns:
            Ranks that have joined with it, itself among them.
        """
        self._transport.join()
        self._begin_anew()
        return list(self._transport.admitted)

    def _begin_anew(self) -> None:
        """What was decided before is forgotten: who has just come cannot know of it."""
        self._decisions = self._transport.round.to_bytes(8, "big")

    # --- transport ----------------------------------------------------------------------------------------------------

    def _gathered(
        self, pieces: Tensor, wanted: int, needed: int | None = None, boundary: bool = False
    ) -> tuple[Tensor, NDArray[np.bool_]]:
        mark = int.from_bytes(self._decisions, "big", signed=True)
        quota = Quota(min(wanted, self._quorum) if needed is None else needed, wanted, boundary)
        gathered, came = self._transport.gather(pieces, quota, mark)
        marks = self._transport.marks
        usual = max(marks[came].tolist(), key=marks[came].tolist().count)
        if mark != usual:
            raise LeftOut(f"rank {self.rank} has decided otherwise than most.")
        return gathered, came & (marks == usual)


def _digest(copies: Tensor) -> Tensor:
    """64 bits of each copy, shape (L, 1): equal copies have equal ones."""
    each = bits(copies).cpu().numpy().reshape(len(copies), -1)
    digests = [int.from_bytes(blake2b(copy.tobytes(), digest_size=8).digest(), "big", signed=True) for copy in each]
    return torch.tensor(digests, dtype=torch.int64)[:, None]
