"""One run of the experiment: a strategy on its nodes, the paper's errors, checkpoints in memory, roll-backs counted.

What the published program does (see the README): batch 1, a learning rate of 0.005, ReLU, biases, Xavier-normal
weights, pixels divided by 128. Before every product forward and backward, and after every update, each node's stored
block of each layer is hit with probability 3e-4: uniform noise in (-5, 5) is added to 0.5 % of its numbers, and stays.
Every C iterations stored blocks are verified and saved; whatever cannot be corrected returns to the last checkpoint.

Here all nodes are in one process, and a plain network without errors is trained beside them on the same samples: its
losses are what the others' have to be.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.errors import Uncorrectable
from anyk.nn import (
    CodedLinear,
    CodedSGD,
    SoftErrors,
    TrainingCode,
    VirtualNodes,
    generalized_polydot,
    product_mds,
    replication,
    uncoded,
)
from anyk.nn.data import Data

RATE, LEARNING = 3e-4, 0.005
#: Operations of a node on each layer in which it can be hit: forward, backward, update.
OPERATIONS = 3

STRATEGIES: Mapping[str, Callable[[], TrainingCode]] = {
    "uncoded, 40 nodes": lambda: uncoded(5, 8, 40),
    "replication, 40 nodes": lambda: replication(5, 4, 40),
    "product MDS, 38 nodes": lambda: product_mds(5, 4, 38),
    "GPD 5 x 4, 38 nodes": lambda: generalized_polydot(5, 4, 38),
    "GPD 5 x 4, 40 nodes": lambda: generalized_polydot(5, 4, 40),
    "GPD 2 x 10, 38 nodes": lambda: generalized_polydot(2, 10, 38),
    "GPD 2 x 10, 40 nodes": lambda: generalized_polydot(2, 10, 40),
}


@dataclass(frozen=True)
class Setting:
    """What is run.

    Args:
        strategy: one of `STRATEGIES`.
        width: of both hidden layers; 10,000 in the paper.
        interval: iterations C between checkpoints.
        useful: iterations to be made.
        executed: iterations after which the run ends, whatever was made.
        seed: of weights, samples and errors.
        rate: probability of a hit, for each node, layer and operation.
    """

    strategy: str
    width: int
    interval: int
    useful: int
    executed: int
    seed: int = 0
    rate: float = RATE

    def key(self) -> dict[str, Any]:
        """What tells the run apart."""
        return {
            "strategy": self.strategy,
            "width": self.width,
            "C": self.interval,
            "asked": self.useful,
            "limit": self.executed,
            "seed": self.seed,
        }


class Plain:
    """The network without errors, in plain torch; loss and accuracy after any iteration.

    Args:
        data: samples.
        width: of both hidden layers.
        seed: of the weights and the order of samples.
    """

    def __init__(self, data: Data, width: int, seed: int) -> None:
        torch.manual_seed(seed)
        sizes = (data.features, width, width, data.classes)
        self.linear = [nn.Linear(before, after) for before, after in pairwise(sizes)]
        for layer in self.linear:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.net = network(self.linear)
        self.x, self.y = torch.from_numpy(data.x_train) * (255 / 128), torch.from_numpy(data.y_train)
        self.test = torch.from_numpy(data.x_test) * (255 / 128), torch.from_numpy(data.y_test)
        self.losses: list[float] = []
        self._order = np.random.default_rng(seed).permutation(len(self.x))
        self._optimizer = torch.optim.SGD(self.net.parameters(), lr=LEARNING)

    def sample(self, step: int) -> tuple[Tensor, Tensor]:
        """The one sample of an iteration; the first layer's backward product is made, as in the published program."""
        place = self._order[step % len(self._order)]
        return self.x[place : place + 1].clone().requires_grad_(), self.y[place : place + 1]

    def loss(self, step: int) -> float:
        """The loss of an iteration, before its update."""
        while len(self.losses) <= step:
            self.losses.append(iteration(self.net, self._optimizer, *self.sample(len(self.losses))))
        return self.losses[step]


def network(layers: list[Any]) -> nn.Sequential:
    """With ReLU between them."""
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]


def iteration(net: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> float:
    """One update; its loss."""
    optimizer.zero_grad()
    loss = functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def right(net: nn.Module, test: tuple[Tensor, Tensor]) -> float:
    """Share of the test samples put into the right class."""
    with torch.no_grad():
        return float((net(test[0]).argmax(dim=1) == test[1]).double().mean())


class Checkpoint:
    """All that nodes store, as it was when last verified."""

    def __init__(self, layers: list[CodedLinear]) -> None:
        self.step, self._layers = 0, layers
        self._saved = [param.detach().clone() for layer in layers for param in layer.parameters()]

    def verify(self) -> None:
        """Check and mend everything stored by random probes.

        Raises:
            Uncorrectable: it cannot be mended.
        """
        for layer in self._layers:
            layer.program.mend(layer.state)

    def save(self, step: int) -> None:
        """Keep what was verified."""
        self.step = step
        with torch.no_grad():
            for saved, param in zip(self._saved, self._params(), strict=True):
                saved.copy_(param)

    def restore(self) -> int:
        """Go back, and say where to."""
        with torch.no_grad():
            for saved, param in zip(self._saved, self._params(), strict=True):
                param.copy_(saved)
        return self.step

    def _params(self) -> list[nn.Parameter]:
        return [param for layer in self._layers for param in layer.parameters()]


def run(setting: Setting, data: Data) -> dict[str, Any]:
    """One run, and what came of it."""
    code, plain = STRATEGIES[setting.strategy](), Plain(data, setting.width, setting.seed)
    errors = SoftErrors(
        setting.rate, ("stored", "update"), kind="paper", rng=np.random.default_rng([setting.seed, code.nodes])
    )
    nodes = VirtualNodes(code.nodes, errors=errors, attempts=1, seed=setting.seed)
    layers = [CodedLinear.from_linear(layer, code, nodes) for layer in plain.linear]
    net, checkpoint = network(layers), Checkpoint(layers)
    optimizer = CodedSGD(net.parameters(), lr=LEARNING)
    step = executed = rollbacks = 0
    losses: dict[int, float] = {}
    spent = {"iterations": 0.0, "checkpoints": 0.0}
    path = [(0, 0)]
    while (step < setting.useful or checkpoint.step < step) and executed < setting.executed:
        began, what = time.thread_time(), "iterations"
        try:
            if step < setting.useful:
                executed += 1
                losses[step] = iteration(net, optimizer, *plain.sample(step))
                step += 1
            spent[what] += time.thread_time() - began
            if step - checkpoint.step >= setting.interval or step == setting.useful:
                began, what = time.thread_time(), "checkpoints"
                checkpoint.verify()
                checkpoint.save(step)
                spent[what] += time.thread_time() - began
        except Uncorrectable:
            rollbacks += 1
            step = checkpoint.restore()
            nodes.health.caught.clear()
            spent[what] += time.thread_time() - began
            path.append((executed, step))
        if executed % max(1, setting.executed // 50) == 0:
            path.append((executed, step))
    done = checkpoint.restore()
    nodes.errors = None
    return {
        "nodes": code.nodes,
        "useful": done,
        "executed": executed,
        "rollbacks": rollbacks,
        "hits": errors.injected,
        "located": nodes.health.counts["located"],
        "regenerated": nodes.health.counts["regenerated"],
        "loss": difference(plain, losses, done),
        "accuracy": accuracy(net, plain, done),
        "seconds per iteration": round(spent["iterations"] / max(1, executed), 5),
        "seconds in checkpoints": round(spent["checkpoints"], 3),
        "path": [*path, (executed, done)],
    }


def difference(plain: Plain, losses: Mapping[int, float], done: int) -> float | None:
    """The largest difference of an iteration's loss from that without errors; None: not finite."""
    worst = max((abs(losses[step] - plain.loss(step)) for step in range(done)), default=0.0)
    return float(f"{worst:.2g}") if np.isfinite(worst) else None


def accuracy(net: nn.Module, plain: Plain, done: int) -> str:
    """On the test samples; of the network without errors after as many iterations, too."""
    plain.loss(max(0, done - 1))
    try:
        found = f"{right(net, plain.test):.3f}"
    except Uncorrectable:
        found = "none"
    return f"{found} ({right(plain.net, plain.test):.3f})"
