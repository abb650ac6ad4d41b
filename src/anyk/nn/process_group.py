"""Real ranks: the node program with one node in each process."""

import json
import os
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from anyk.errors import ClusterError, InputError, Uncorrectable
from anyk.nn.agreement import bits, majority, middle
from anyk.nn.board import BOUNDARY, ENOUGH, EVERYBODY, Board, Layout, Seat
from anyk.nn.health import Health
from anyk.nn.soft_errors import SoftErrors

#: Where the launcher says how ranks meet: descriptor, sizes, rank, whether the run is under way already.
SEAT = "ANYK_SEAT"


class ProcessGroup:
    """One node in this process, the others in theirs.

    Started by `anyk.nn.launch`, ranks meet at a board in shared memory: a product goes on when enough of them have
    answered, whoever is slow, stopped or dead. Started by ``torchrun``, they meet in torch's own collectives (gloo,
    NCCL), which wait for everybody.

    Args:
        group: of torch.distributed; default: the board where there is one, else the default group.
        errors: what hits the node here.
        attempts: see `VirtualNodes`.
        evict_after: see `VirtualNodes`.
        seed: of the random probes; the same at every rank.

    Raises:
        ClusterError: there is neither a board nor an initialized process group.
    """

    def __init__(
        self,
        group: Any = None,  # torch.distributed names no public type for it
        *,
        errors: SoftErrors | None = None,
        attempts: int = 2,
        evict_after: int = 0,
        seed: int = 0,
    ) -> None:
        if type(attempts) is not int or attempts < 1:
            raise InputError(f"`ProcessGroup(attempts={attempts!r})` needs an integer of at least 1.")
        self._seat: Seat | None = None
        self._group, self._under_way = group, False
        if group is None and SEAT in os.environ:
            given = json.loads(os.environ[SEAT])
            board = Board(given["descriptor"], Layout(given["ranks"], given["slots"], given["capacity"]))
            self._seat, self._under_way = Seat(board, given["rank"]), given["under_way"]
            self.nodes, self.rank = given["ranks"], given["rank"]
        elif dist.is_available() and dist.is_initialized():
            self.nodes, self.rank = dist.get_world_size(group), dist.get_rank(group)
        else:
            raise ClusterError(
                "ProcessGroup() found no other ranks. Start the program with `anyk.nn.launch`, or with torchrun and "
                "torch.distributed.init_process_group first."
            )
        self.here = range(self.rank, self.rank + 1)
        self.errors, self.attempts, self.seed = errors, attempts, seed
        self.health = Health(self.nodes, evict_after)
        self._draws, self._quorum = 0, self.nodes // 2 + 1

    def __repr__(self) -> str:
        return f"ProcessGroup(rank {self.rank} of {self.nodes})"

    @property
    def under_way(self) -> bool:
        """This rank replaces one of a run that others go on with: it has to join."""
        return self._under_way

    # --- the port -----------------------------------------------------------------------------------------------------

    def gather(self, pieces: Tensor, needed: int) -> tuple[Tensor, NDArray[np.bool_]]:
        """Everybody's piece, or enough of them."""
        if needed >= self.nodes:
            return self._gathered(pieces.detach())
        self._quorum = max(self._quorum, needed)
        return self._gathered(pieces.detach(), needed, ENOUGH)

    def random(self) -> Generator:
        """From the seed and the number of the round, which all ranks share."""
        if self._seat is not None:
            return np.random.default_rng([self.seed, self._seat.round])
        self._draws += 1
        return np.random.default_rng([self.seed, self._draws])

    def refresh(self, copies: Tensor, nodes: list[int], sources: list[int]) -> Tensor:
        """Everybody shows its copy; whoever needs it takes the first source's that is there."""
        if not nodes:
            return copies
        shown, came = self._gathered(copies.detach().contiguous())
        there = [node for node in sources if came[node]]
        if not there:
            raise Uncorrectable(f"ranks {sources}, one of whose copies is needed, are gone.")
        return shown[there[0]][None].clone() if self.rank in nodes else copies

    def agree(self, copies: Tensor, place: str) -> Tensor:
        """The majority's copy to everybody; digests are compared, and copies travel only where they differ."""
        digests, came = self._gathered(_digest(copies))
        asked = came & self.health.active
        source, others = majority(digests, asked)
        if 2 * len(others) >= self.nodes:  # rounded differently here and there: whoever is nearest to all of them
            shown, came = self._gathered(copies.detach().contiguous())
            source = middle(shown, came & asked)
            others = [node for node in range(self.nodes) if node != source]
        others = [node for node in others if came[node]]
        self.health.note("refreshed", others, place)
        held = [node for node in range(self.nodes) if node not in others]
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

    # --- ranks that come and go ---------------------------------------------------------------------------------------

    def boundary(self) -> list[int]:
        """Between two steps: whoever waits may join.

        Returns:
            Ranks that have just joined: everybody must now show what it holds.
        """
        if self._seat is None:
            return []
        self._gathered(torch.zeros(1, 1), 1, BOUNDARY)
        return list(self._seat.admitted)

    def join(self) -> None:
        """Wait until the others admit this rank, between two of their steps."""
        if self._seat is None:
            raise ClusterError(
                "ProcessGroup.join(): torch's collectives cannot take in a rank. Start with anyk.nn.launch."
            )
        self._seat.join()
        self._under_way = False

    # --- transport ----------------------------------------------------------------------------------------------------

    def _gathered(
        self, pieces: Tensor, needed: int | None = None, kind: int = EVERYBODY
    ) -> tuple[Tensor, NDArray[np.bool_]]:
        needed = self._quorum if needed is None else needed
        if self._seat is None:
            gathered = torch.empty(self.nodes, *pieces.shape[1:], dtype=pieces.dtype, device=pieces.device)
            dist.all_gather_into_tensor(gathered, pieces.contiguous(), group=self._group)
            return gathered, np.ones(self.nodes, dtype=bool)
        # torch's memory is aligned alike in all ranks, and so is the rounding of what they compute from it
        gathered = torch.zeros(self.nodes, *pieces.shape[1:], dtype=pieces.dtype)
        plain = bits(pieces).cpu().numpy().reshape(-1).view(np.uint8)
        into = bits(gathered).numpy().reshape(self.nodes, -1).view(np.uint8)
        came, chunk = np.ones(self.nodes, dtype=bool), self._seat.board.layout.capacity
        for start in range(0, max(1, plain.size), chunk):
            part = slice(start, start + chunk)
            came &= self._seat.exchange(plain[part], into[:, part], needed, kind)
        return gathered.to(pieces.device), came


def _digest(copies: Tensor) -> Tensor:
    """64 bits of each copy, shape (L, 1): equal copies have equal ones."""
    each = bits(copies).cpu().numpy().reshape(len(copies), -1)
    digests = [int.from_bytes(blake2b(copy.tobytes(), digest_size=8).digest(), "big", signed=True) for copy in each]
    return torch.tensor(digests, dtype=torch.int64)[:, None]
