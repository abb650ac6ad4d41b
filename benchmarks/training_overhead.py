"""What a training step of a coded layer costs beside plain torch doing as much arithmetic.

    python -m benchmarks.training_overhead --json docs/_data/training_overhead.json    # go on until all is there
    python -m benchmarks.training_overhead --quick

One layer N x N on 8 nodes of a 2 x 2 grid in one process, float32: forward product, backward product, update by
`CodedSGD`. Beside it the same P block products forward and backward and the same update of P blocks in plain torch:
once as torch trains (the gradient formed, then subtracted), once as lean as it can be (`baddbmm_` into the blocks).
Overhead is against the lean one. All on one thread, in processor time of that thread, in turns; the least of all turns
counts, and the median of the ratios within a turn is told beside it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.nn import CodedLinear, CodedSGD, TrainingCode, VirtualNodes, generalized_polydot, protect
from benchmarks.kept import Kept, Row

SIZES, BATCHES = (512, 2048, 4096), (1, 32, 256)
RATE = 1e-4
#: Layers of whole networks: the one for digits, and a wider one.
NETWORKS = ((64, 128, 128, 10), (784, 256, 256, 10))

Calls = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Bench:
    """One coded layer and as many plain blocks, with everything a step needs.

    Args:
        layer: coded.
        optimizer: of the layer.
        inputs: shape (B, N).
        deltas: gradient of the output, shape (B, N).
    """

    layer: CodedLinear
    optimizer: CodedSGD
    inputs: Tensor
    deltas: Tensor

    @classmethod
    def of(cls, size: int, batch: int, code: TrainingCode) -> "Bench":
        """A layer of size x size."""
        torch.manual_seed(0)
        layer = CodedLinear(size, size, code, VirtualNodes(code.nodes))
        inputs, deltas = torch.randn(batch, size, requires_grad=True), torch.randn(batch, size)
        return cls(layer, CodedSGD(layer.parameters(), lr=RATE), inputs, deltas)

    def step(self) -> None:
        """A whole training step."""
        self.optimizer.zero_grad()
        self.inputs.grad = None
        self.layer(self.inputs).backward(self.deltas)
        self.optimizer.step()

    def wholes(self) -> Calls:
        """The coded step and both plain ones."""
        plain = self.layer.coded.detach().clone()
        x, d = (torch.randn(len(plain), len(self.inputs), size) for size in (plain.shape[2], plain.shape[1]))

        def as_torch() -> None:
            torch.bmm(x, plain.transpose(1, 2))
            torch.bmm(d, plain)
            plain.add_(torch.bmm(d.transpose(1, 2), x), alpha=-RATE)

        def lean() -> None:
            torch.bmm(x, plain.transpose(1, 2))
            torch.bmm(d, plain)
            plain.baddbmm_(d.transpose(1, 2), x, alpha=-RATE)

        return {"coded": self.step, "plain": lean, "as torch trains": as_torch}

    def phases(self) -> Calls:
        """The parts of a coded step, each by itself on numbers as they come."""
        layer, program, code = self.layer, self.layer.program, self.layer.code
        blocks, here = layer.coded.detach(), len(layer.coded)
        came = np.ones(here, dtype=bool)
        copies, deltas = self.inputs.detach().expand(here, -1, -1), self.deltas.expand(here, -1, -1)
        sides = [(code.forward, copies, blocks.transpose(1, 2)), (code.backward, deltas, blocks)]
        encoded = [program._encode(given, stage.inputs) for stage, given, _ in sides]
        answers = [torch.matmul(each, factor) for each, (_, _, factor) in zip(encoded, sides, strict=True)]
        tasks = list(range(code.forward.code.workers))

        def encode() -> None:
            for stage, given, _ in sides:
                program._encode(given, stage.inputs)

        def product() -> None:
            for each, (_, _, factor) in zip(encoded, sides, strict=True):
                torch.matmul(each, factor)

        def screen() -> None:
            for (stage, _, _), answer in zip(sides, answers, strict=True):
                program._screened(stage, answer, came)

        def decode() -> None:
            for (stage, _, _), answer in zip(sides, answers, strict=True):
                program._decoded(stage, answer, tasks)

        def update() -> None:
            layer.coded.factors = [(encoded[1], encoded[0])]
            layer.coded.add_gradient_to(layer.coded, beta=1, alpha=-RATE, scales=None)

        return {"products": product, "update": update, "encode": encode, "screen": screen, "decode": decode}


def least(calls: Calls, turns: int, least_seconds: float = 0.01) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Processor time of each call in seconds: the least of all turns, and all of them."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    counts = {}
    for name, call in calls.items():
        call()
        counts[name] = max(1, min(200, round(least_seconds / max(spent(call, 1), 1e-6))))
    for _ in range(turns):
        for name, call in calls.items():
            found[name].append(spent(call, counts[name]))
    return {name: min(times) for name, times in found.items()}, found


def spent(call: Callable[[], object], count: int) -> float:
    """Processor time of this thread for one of several calls."""
    began = time.thread_time()
    for _ in range(count):
        call()
    return (time.thread_time() - began) / count


def layer_row(size: int, batch: int, turns: int) -> Row:
    """One layer: milliseconds of a step and its phases."""
    bench = Bench.of(size, batch, generalized_polydot(2, 2, nodes=8))
    whole, turn_by_turn = least(bench.wholes(), turns)
    phases, _ = least(bench.phases(), turns)
    ratios = [ours / plain for ours, plain in zip(turn_by_turn["coded"], turn_by_turn["plain"], strict=True)]
    row = {name: 1e3 * seconds for name, seconds in (whole | phases).items()}
    row["rest"] = row["coded"] - sum(row[name] for name in phases)
    row["overhead %"] = 100 * (whole["coded"] / whole["plain"] - 1)
    row["median %"] = 100 * (median(ratios) - 1)
    row["against torch's way %"] = 100 * (whole["coded"] / whole["as torch trains"] - 1)
    return {name: round(value, 4) for name, value in row.items()}


def network_row(layers: Sequence[int], turns: int) -> Row:
    """A whole network under `protect`, batch 32: milliseconds of a step, beside the same network uncoded."""
    torch.manual_seed(0)
    parts = [part for before, after in pairwise(layers) for part in _pair(before, after)]
    plain = nn.Sequential(*parts[:-1])
    coded = protect(plain, generalized_polydot(2, 2, nodes=8), VirtualNodes(8))
    x, y = torch.randn(32, layers[0]), torch.randint(0, layers[-1], (32,))
    calls = {}
    for name, net, optimizer in (
        ("coded", coded, CodedSGD(coded.parameters(), lr=0.1)),
        ("plain", plain, torch.optim.SGD(plain.parameters(), lr=0.1)),
    ):

        def step(net: nn.Module = net, optimizer: torch.optim.Optimizer = optimizer) -> None:
            optimizer.zero_grad()
            functional.cross_entropy(net(x), y).backward()
            optimizer.step()

        calls[name] = step
    times, _ = least(calls, turns)
    return {name: round(1e3 * seconds, 3) for name, seconds in times.items()}


def _pair(before: int, after: int) -> tuple[nn.Module, nn.Module]:
    return nn.Linear(before, after), nn.ReLU()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_overhead", description=__doc__)
    parser.add_argument("--json", type=Path, default=None, help="where rows are kept, and what was measured before")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no row is begun")
    parser.add_argument("--turns", type=int, default=9, help="of all contenders")
    parser.add_argument("--quick", action="store_true", help="one small layer and network: does it run at all?")
    options = parser.parse_args(arguments)
    kept, threads = Kept(options.json, options.budget), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        cells = [(16, 2)] if options.quick else [(size, batch) for size in SIZES for batch in BATCHES]
        turns = 2 if options.quick else options.turns
        for size, batch in reversed(cells):
            kept.row({"table": "layer", "N": size, "B": batch}, lambda n=size, b=batch: layer_row(n, b, turns))
        for layers in ((8, 8, 4),) if options.quick else NETWORKS:
            name = " – ".join(map(str, layers))
            kept.row({"table": "network", "network": name}, lambda sizes=layers: network_row(sizes, 2 * turns))
    finally:
        torch.set_num_threads(threads)
    print("\n".join(kept.printed()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
