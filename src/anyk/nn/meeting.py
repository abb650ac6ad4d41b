"""Where this process finds the other ranks: at a board, at a store, in collectives."""

import json
import os
from functools import partial
from typing import Any

import torch.distributed as dist

from anyk.errors import ClusterError
from anyk.nn.board import Board, Layout, Seat
from anyk.nn.collectives import MpiCollectives, TorchCollectives
from anyk.nn.store import StoreSeat, connected
from anyk.nn.transport import Transport

#: Where `anyk.nn.launch` says how ranks meet.
SEAT = "ANYK_SEAT"


def is_rank() -> bool:
    """This process is one of several ranks: started by `anyk.nn.launch` or by torchrun."""
    return SEAT in os.environ or (dist.is_available() and dist.is_torchelastic_launched())


def found(group: Any = None) -> Transport:  # torch.distributed names no public type for groups
    """The way to the others.

    Args:
        group: of torch.distributed, a communicator of mpi4py, or a `Transport`; None: what whoever started this process
            has arranged.

    Raises:
        ClusterError: there are no others.
    """
    if hasattr(group, "Allgather"):
        return MpiCollectives(group)
    if hasattr(group, "is_late"):
        transport: Transport = group
        return transport
    if group is None and SEAT in os.environ:
        return _seated(json.loads(os.environ[SEAT]))
    if dist.is_available() and dist.is_initialized():
        return TorchCollectives(group)
    if dist.is_available() and dist.is_torchelastic_launched():
        store, rank, nodes = next(dist.rendezvous("env://"))
        restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # what a life before has left does not count
        return StoreSeat(dist.PrefixStore(f"anyk/{restarts}", store), rank, nodes)
    raise ClusterError(
        "ProcessGroup() found no other ranks. Start the program with `anyk.nn.launch`, with torchrun, or with mpiexec "
        "and `ProcessGroup(MPI.COMM_WORLD)`."
    )


def _seated(seat: dict[str, Any]) -> Transport:
    """Where the launcher says."""
    if "store" in seat:
        again = partial(connected, *seat["store"])
        return StoreSeat(again(), seat["rank"], seat["ranks"], under_way=seat["under_way"], again=again)
    board = Board(seat["descriptor"], Layout(seat["ranks"], seat["slots"], seat["capacity"]))
    return Seat(board, seat["rank"], seat["under_way"])
