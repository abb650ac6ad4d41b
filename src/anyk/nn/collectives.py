"""Ranks that meet in collectives, torch's or MPI's: everybody is waited for, and nobody can come later."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from anyk.errors import ClusterError
from anyk.nn.agreement import bits
from anyk.nn.transport import Quota


class _Collective(ABC):
    """A transport over something that gathers bytes from everybody.

    Args:
        rank: of this process.
        nodes: P.
    """

    #: Nobody is late where all are waited for, and nobody comes later.
    is_late = under_way = False

    def __init__(self, rank: int, nodes: int) -> None:
        self.rank, self.nodes, self.round = rank, nodes, 0
        self.admitted: list[int] = []
        self.marks = np.zeros(nodes, dtype=np.int64)

    @abstractmethod
    def _everybodys(self, told: Tensor) -> Tensor:
        """Bytes of all ranks, shape (P, bytes), from those of this one, shape (bytes,)."""

    def gather(self, piece: Tensor, quota: Quota, mark: int) -> tuple[Tensor, NDArray[np.bool_]]:
        """Everybody's piece; the marks travel in front of them."""
        plain = bits(piece).contiguous().reshape(-1).view(torch.uint8)
        front = torch.tensor([mark], dtype=torch.int64, device=piece.device).view(torch.uint8)
        everybodys = self._everybodys(torch.cat([front, plain]))
        self.marks = everybodys[:, :8].reshape(-1).view(torch.int64).cpu().numpy()
        gathered = torch.empty(self.nodes, *piece.shape[1:], dtype=piece.dtype, device=piece.device)
        bits(gathered).reshape(self.nodes, -1).view(torch.uint8).copy_(everybodys[:, 8:])
        self.round += 1
        return gathered, np.ones(self.nodes, dtype=bool)

    def join(self) -> None:
        """There is no way in."""
        raise ClusterError(
            f"rank {self.rank} cannot join the others again: collectives take in nobody. Start the ranks with "
            "anyk.nn.launch, or with torchrun and without init_process_group."
        )


class TorchCollectives(_Collective):
    """Meetings in torch.distributed: gloo, NCCL.

    Args:
        group: of torch.distributed; None: the default one.
    """

    def __init__(self, group: Any = None) -> None:  # torch.distributed names no public type for it
        super().__init__(dist.get_rank(group), dist.get_world_size(group))
        self._group = group

    def _everybodys(self, told: Tensor) -> Tensor:
        gathered = torch.empty(self.nodes * told.numel(), dtype=torch.uint8, device=told.device)
        gather = getattr(dist, "all_gather_single", dist.all_gather_into_tensor)  # its name from torch 2.13 on
        gather(gathered, told, group=self._group)
        return gathered.reshape(self.nodes, -1)


class MpiCollectives(_Collective):
    """Meetings in an MPI communicator.

    Args:
        communicator: of mpi4py.
    """

    def __init__(self, communicator: Any) -> None:  # mpi4py may be absent
        super().__init__(communicator.Get_rank(), communicator.Get_size())
        self._communicator = communicator

    def _everybodys(self, told: Tensor) -> Tensor:
        gathered = np.empty((self.nodes, told.numel()), np.uint8)
        self._communicator.Allgather(told.cpu().numpy(), gathered)
        return torch.from_numpy(gathered).to(told.device)
