"""What each rank runs in the tests of real ranks: a small guarded training, its final weights written to a file."""

import json
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.nn import CodedSGD, Guard, ProcessGroup, SoftErrors, generalized_polydot, protect

STEPS, EVERY = 40, 10


def batch(number: int) -> tuple[Tensor, Tensor]:
    """The same at every rank, from the number of the step."""
    draw = torch.Generator().manual_seed(number)
    return torch.randn(16, 12, generator=draw), torch.randint(0, 4, (16,), generator=draw)


def model() -> nn.Module:
    """The same at every rank."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 4))


def main(directory: Path, rate: float, pause: float, dissent: int) -> None:
    """Train, and write what was learned and what happened.

    Args:
        directory: of all files.
        rate: of errors.
        pause: seconds between steps, so that there is time to do harm.
        dissent: a rank that once decides otherwise than the others.
    """
    torch.set_num_threads(1)
    group = ProcessGroup()
    group.errors = SoftErrors(rate, rng=group.rank)
    coded = protect(model(), generalized_polydot(1, 2, group.nodes), group)
    optimizer = CodedSGD(coded.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.9)
    guard = Guard(coded, optimizer, directory / "checkpoints", every=EVERY, others=[schedule])
    began = guard.step
    for step in guard.steps(STEPS):
        with step:
            if step.number == 12 and group.rank == dissent and not guard.report().joined:
                group.decided("that all others are wrong")
            x, y = batch(step.number)
            optimizer.zero_grad()
            functional.cross_entropy(coded(x), y).backward()
            optimizer.step()
            schedule.step()
        (directory / f"at-{group.rank}").write_text(str(guard.step))
        time.sleep(pause)
    weights = {name: tensor.tolist() for name, tensor in guard.export().items()}
    report = guard.report()
    told = {"weights": weights, "began": began, "joined": report.joined, "history": report.history}
    (directory / f"rank-{group.rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
