"""How many wrong nodes coded training corrects, beside its rivals and by trial; how far weights drift from their code.

    python -m benchmarks.training_gains --json docs/_data/training_gains.json      # go on until all is there
    python -m benchmarks.training_gains --quick

*Gains*: tolerance of Generalized PolyDot, of the largest product code and of as many copies as the nodes allow, from
the codes. *Trials*: one layer, so many answers made wrong at one product, as many as promised and one more; what came
of it. *Drift*: residual of the stored blocks after T updates without errors, in units of epsilon, block norm and root
of P. Rows that are in the file already are not measured again; after ``--budget`` seconds no further one is begun.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.errors import CodeError, Uncorrectable
from anyk.nn import STRATEGIES, CodedLinear, CodedSGD, TrainingCode, VirtualNodes, generalized_polydot
from anyk.nn.data import load
from benchmarks.kept import Kept, Row

NAMES = ("gpd", "mds", "replication")
MODELS = ("random", "adversarial")
SIDES = (2, 3, 4, 5, 6, 8)
#: Nodes per block of W in the curves.
SHARES = (2, 3, 4)
#: Codes tried: strategy, grid, nodes.
TRIED = (
    ("gpd", (2, 2), 8),
    ("gpd", (2, 2), 12),
    ("gpd", (1, 3), 9),
    ("gpd", (3, 1), 9),
    ("gpd", (2, 3), 14),
    ("gpd", (3, 3), 20),
    ("gpd", (2, 4), 20),
    ("gpd", (2, 8), 32),
    ("mds", (2, 2), 12),
    ("mds", (3, 3), 27),
    ("replication", (2, 2), 12),
    ("replication", (3, 3), 36),
)
TRIALS = 200
#: Grid, nodes, dtype, updates.
DRIFTS = (
    ((2, 2), 8, "float32", 10_000),
    ((2, 2), 8, "float64", 10_000),
    ((2, 8), 32, "float32", 3_000),
    ((4, 4), 32, "float32", 3_000),
    ((4, 4), 32, "float64", 3_000),
)
MOMENTS = (1, 10, 100, 300, 1_000, 3_000, 10_000)


# --- from the codes ---------------------------------------------------------------------------------------------------


def built(name: str, grid: tuple[int, int], nodes: int) -> TrainingCode | None:
    """The largest code of a strategy with at most so many nodes; None: there is none."""
    least = grid[0] * grid[1]
    for count in range(nodes, least - 1, -1):
        try:
            if name == "gpd":
                return generalized_polydot(*grid, count, dtype="float64")
            return STRATEGIES[name](*grid, count)
        except CodeError:
            continue
    return None


def gains_row(grid: tuple[int, int], nodes: int) -> Row:
    """Tolerances of all strategies, ``t_f, t_b`` for both models."""
    row: Row = {"mn": grid[0] * grid[1]}
    for name in NAMES:
        code = built(name, grid, nodes)
        for model in MODELS:
            stages = None if code is None else code.tolerance(model)  # type: ignore[arg-type]
            row[f"{name} {model}"] = None if stages is None else f"{stages.forward}, {stages.backward}"
    return row


def curves() -> Iterator[tuple[tuple[int, int], int]]:
    """Grids and nodes: square ones, and those with two block rows."""
    for share in SHARES:
        for side in SIDES:
            yield (side, side), share * side * side
        for inner in (4, 8, 16):
            yield (2, inner), share * 2 * inner


# --- by trial ---------------------------------------------------------------------------------------------------------


class Hit(VirtualNodes):
    """Nodes of which some answer one product wrongly, by noise as large as the answer; conspirers by the same noise."""

    def __init__(self, nodes: int, seed: int) -> None:
        super().__init__(nodes, attempts=1, seed=seed)
        self.chosen: list[int] = []
        self.conspire = False
        self._rng = np.random.default_rng(seed)

    def strike(self, step: str, copies: Tensor, place: str) -> Tensor:
        """Hit the chosen."""
        if step != "product" or not self.chosen:
            return copies
        copies, size = copies.clone(), float(copies.square().mean().sqrt())
        drawn = self._rng.standard_normal((1 if self.conspire else len(self.chosen), *copies.shape[1:]))
        copies[self.chosen] += size * torch.from_numpy(drawn)
        return copies


def outcome(code: TrainingCode, phase: str, model: str, count: int, conspire: bool, seed: int) -> str:
    """What one product with so many wrong answers gives: right, declared, wrong."""
    torch.manual_seed(seed)
    nodes = Hit(code.nodes, seed)
    layer = CodedLinear(12, 12, code, nodes, model=model, dtype=torch.float64)  # type: ignore[arg-type]
    x, delta = torch.randn(2, 4, 12, dtype=torch.float64)
    weight, bias = layer.weight, layer.bias
    assert bias is not None
    nodes.conspire = conspire
    chosen = np.random.default_rng([seed, 1]).permutation(code.nodes)[:count].tolist()
    try:
        if phase == "forward":
            nodes.chosen = chosen
            found, truth = layer(x), x @ weight.T + bias[0]
        else:
            out = layer(x.requires_grad_())
            nodes.chosen = chosen
            (found,) = torch.autograd.grad(out, x, delta)
            truth = delta @ weight
    except Uncorrectable:
        return "declared"
    return "right" if torch.allclose(found, truth, rtol=1e-8, atol=1e-8) else "wrong"


def trial_row(name: str, grid: tuple[int, int], nodes: int, model: str, trials: int) -> Row:
    """As many wrong answers as promised, and one more: independent errors, or one and the same of all conspirers."""
    code = built(name, grid, nodes)
    assert code is not None
    row: Row = {}
    for phase in ("forward", "backward"):
        promised = getattr(code.tolerance(model), phase)  # type: ignore[arg-type]
        row[f"{phase} t"] = promised
        row[f"{phase}, t wrong"] = _counted(code, phase, model, promised, model == "adversarial", trials)
        row[f"{phase}, t + 1 wrong"] = _counted(code, phase, model, promised + 1, False, trials)
        if model == "adversarial":
            row[f"{phase}, t + 1 conspire"] = _counted(code, phase, model, promised + 1, True, trials)
    return row


def _counted(code: TrainingCode, phase: str, model: str, count: int, conspire: bool, trials: int) -> str:
    found = [outcome(code, phase, model, count, conspire, seed) for seed in range(trials)]
    return ", ".join(f"{found.count(each)} {each}" for each in ("right", "declared", "wrong") if each in found)


# --- drift ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Net:
    """A perceptron of coded layers for the digits, 64 - 128 - 128 - 10, and what it learns from."""

    layers: list[CodedLinear]
    net: nn.Module
    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, code: TrainingCode, dtype: torch.dtype) -> "Net":
        """Initialized by seed."""
        torch.manual_seed(0)
        data, nodes = load("digits"), VirtualNodes(code.nodes)
        sizes = (data.features, 128, 128, data.classes)
        layers = [CodedLinear(before, after, code, nodes, dtype=dtype) for before, after in pairwise(sizes)]
        net = nn.Sequential(*(part for each in layers for part in (each, nn.ReLU())))[:-1]
        return cls(layers, net, torch.from_numpy(data.x_train).to(dtype), torch.from_numpy(data.y_train))

    def residual(self) -> float:
        """Of the stored blocks, the worst layer's."""
        return max(residual(layer.code, layer.coded.detach()) for layer in self.layers)


def residual(code: TrainingCode, blocks: Tensor) -> float:
    """What parity checks leave of stored blocks (P, h, w), in units of epsilon, the median block norm and root of P."""
    storage, told = code.storage, blocks.double().flatten(1).numpy()
    told = told / storage.answer_sizes[:, None]
    left = storage.parity_checks(range(code.nodes), "float64").T @ told
    unit = torch.finfo(blocks.dtype).eps * float(np.median(np.linalg.norm(told, axis=1))) * np.sqrt(code.nodes)
    return float(np.linalg.norm(left) / unit)


def drift_row(grid: tuple[int, int], nodes: int, dtype: str, updates: int) -> Row:
    """Residuals after T updates, and what is added per root of T at most."""
    trained = Net.of(generalized_polydot(*grid, nodes, dtype="float64"), getattr(torch, dtype))
    optimizer = CodedSGD(trained.net.parameters(), lr=0.1)
    rng, found = np.random.default_rng(0), {0: trained.residual()}
    for step in range(1, updates + 1):
        chosen = rng.choice(len(trained.x), 32, replace=False)
        optimizer.zero_grad()
        functional.cross_entropy(trained.net(trained.x[chosen]), trained.y[chosen]).backward()
        optimizer.step()
        if step in MOMENTS or step == updates:
            found[step] = trained.residual()
    slope = max((value - found[0]) / step**0.5 for step, value in found.items() if step)
    told = {f"T = {step:,}": round(found[step], 3) if step in found else None for step in (0, *MOMENTS)}
    return {**told, "largest slope": round(slope, 4)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_gains", description=__doc__)
    parser.add_argument("--json", type=Path, default=None, help="where rows are kept, and what was measured before")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no row is begun")
    parser.add_argument("--quick", action="store_true", help="a few small rows: does it run at all?")
    options = parser.parse_args(arguments)
    kept, trials = Kept(options.json, options.budget), 2 if options.quick else TRIALS
    for grid, nodes in [((2, 2), 12)] if options.quick else curves():
        key = {"table": "gains", "grid": f"{grid[0]} x {grid[1]}", "P": nodes}
        kept.row(key, lambda grid=grid, nodes=nodes: gains_row(grid, nodes))
    for name, grid, nodes in TRIED[:1] if options.quick else TRIED:
        for model in MODELS:
            key = {"table": "trials", "strategy": name, "grid": f"{grid[0]} x {grid[1]}", "P": nodes, "errors": model}
            kept.row(key, lambda case=(name, grid, nodes, model): trial_row(*case, trials))
    for grid, nodes, dtype, updates in [(*DRIFTS[0][:3], 2)] if options.quick else DRIFTS:
        key = {"table": "drift", "grid": f"{grid[0]} x {grid[1]}", "P": nodes, "dtype": dtype}
        kept.row(key, lambda case=(grid, nodes, dtype, updates): drift_row(*case))
    print("\n".join(kept.printed()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
