"""What each rank runs in the tests of real ranks: a small guarded training, its final weights written to a file."""

import json
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.nn import CodedSGD, Guard, ProcessGroup, SoftErrors, generalized_polydot, protect

STEPS, PAUSE_SECONDS = 60, 0.05


def batch(number: int) -> tuple[Tensor, Tensor]:
    """The same at every rank, from the number of the step."""
    draw = torch.Generator().manual_seed(number)
    return torch.randn(16, 12, generator=draw), torch.randint(0, 4, (16,), generator=draw)


def model() -> nn.Module:
    """The same at every rank."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 4))


def main(directory: Path, rate: float) -> None:
    """Train, and write what was learned and what happened."""
    torch.set_num_threads(1)
    group = ProcessGroup()
    group.errors = SoftErrors(rate, rng=group.rank)
    coded = protect(model(), generalized_polydot(1, 2, group.nodes), group)
    optimizer = CodedSGD(coded.parameters(), lr=0.1, momentum=0.9)
    guard = Guard(coded, optimizer, directory / "checkpoints", every=20)
    for step in guard.steps(STEPS):
        with step:
            x, y = batch(step.number)
            optimizer.zero_grad()
            functional.cross_entropy(coded(x), y).backward()
            optimizer.step()
        (directory / f"at-{group.rank}").write_text(str(guard.step))
        time.sleep(PAUSE_SECONDS)
    weights = {name: tensor.tolist() for name, tensor in guard.export().items()}
    told = {"weights": weights, "joined": sum("joined" in line for line in guard.report().history)}
    (directory / f"rank-{group.rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
