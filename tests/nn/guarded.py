"""A small run under a guard: momentum, dropout, a schedule, so that everything there is to put back counts."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import StepLR

from anyk.nn import CodedSGD, Guard, Protected, VirtualNodes, generalized_polydot, protect
from anyk.nn.codes import TrainingCode

NODES = 8
CODE = generalized_polydot(2, 2, nodes=NODES)


class Run:
    """Eight nodes on a grid of 2 x 2 by default: one wrong node is corrected in each product, three stored blocks."""

    def __init__(self, nodes: VirtualNodes | None = None, code: TrainingCode | None = None, width: int = 8) -> None:
        torch.manual_seed(5)
        self.plain = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Dropout(0.2), nn.Linear(width, 3)).double()
        code = code or CODE
        self.collective = nodes or VirtualNodes(code.nodes)
        self.model: Protected = protect(self.plain, code, self.collective)
        self.optimizer = CodedSGD(self.model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
        self.schedule = StepLR(self.optimizer, step_size=5, gamma=0.7)

    def guarded(self, directory: Path, every: int = 4) -> Guard:
        return Guard(self.model, self.optimizer, directory, every=every, others=[self.schedule])

    def step(self, number: int) -> None:
        """One ordinary training step; the batch follows from its number."""
        drawn = torch.Generator().manual_seed(number)
        x, y = torch.randn(4, 6, generator=drawn, dtype=torch.float64), torch.randint(0, 3, (4,), generator=drawn)
        self.optimizer.zero_grad()
        functional.cross_entropy(self.model(x), y).backward()
        self.optimizer.step()
        self.schedule.step()

    def make(self, guard: Guard, total: int, limit: int | None = None) -> dict[str, Tensor]:
        """All steps, and the weights then."""
        for step in guard.steps(total, limit=limit):
            with step:
                self.step(step.number)
        return guard.export()


def without_guard(total: int) -> dict[str, Tensor]:
    """The weights of the same run where nothing goes wrong and nobody watches."""
    run = Run()
    for number in range(total):
        run.step(number)
    return run.model.export()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Bit by bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference between two sets of weights, relative to the largest weight."""
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max() / other[name].abs().max()) for name in one)
