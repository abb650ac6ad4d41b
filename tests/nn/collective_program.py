"""What each rank does in the tests of collectives: the same few meetings, in torch's or MPI's."""

import sys

import torch

from anyk.errors import ClusterError
from anyk.nn import ProcessGroup


def main(kind: str) -> None:
    """Meet, and check what came."""
    if kind == "mpi":
        from mpi4py import MPI

        group = ProcessGroup(MPI.COMM_WORLD)
    else:
        torch.distributed.init_process_group("gloo")
        group = ProcessGroup()
    ranks = list(range(group.nodes))
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.int64):
        pieces, came = group.gather(torch.full((1, 2, 3), group.rank, dtype=dtype), wanted=2)
        assert came.all()
        assert pieces[:, 0, 0].tolist() == ranks
        assert pieces.dtype == dtype
    draws = torch.tensor([[group.random().random()]], dtype=torch.float64)
    assert len(set(group.gather(draws, 2)[0].flatten().tolist())) == 1
    wrong = torch.ones(1, 4) if group.rank else torch.zeros(1, 4)
    assert torch.equal(group.agree(wrong, "here"), torch.ones(1, 4))
    assert group.boundary() == []
    assert not group.is_late
    try:
        group.join()
    except ClusterError:
        print(f"rank {group.rank} of {group.nodes} is well")
    if kind != "mpi":
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
