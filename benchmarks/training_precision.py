"""Which training codes hold in which precision, with how many answers missing or wrong.

    python -m benchmarks.training_precision --data path/to/mnist --json docs/_data/training_precision.json
    python -m benchmarks.training_precision --quick

*Products*: one layer, many random sets of missing and of wrong nodes; a product holds if it is neither declared
undecodable nor off by more than the limit the program itself asks of decoding (1e-3, or ten roundings where products
are coarser). *Training*: a perceptron F - 128 - 128 - 10, batch 32, plain SGD, with answers missing or wrong at random
at every product, beside the same network uncoded. ``bfloat16`` stands for products in bfloat16 of weights stored in
float32. Rows that are in the file already are not measured again; after ``--budget`` seconds no further one is begun.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anyk.code import WORST_USEFUL_ERROR
from anyk.errors import AnykError, CodeError, Uncorrectable
from anyk.nn import CodedLinear, CodedSGD, TrainingCode, VirtualNodes, generalized_polydot, verdict
from anyk.nn.data import Data, load
from anyk.weights import product_error
from benchmarks.kept import Kept, Row

DTYPES = ("float64", "float32", "bfloat16")
#: Grid and nodes.
GRIDS = (((2, 2), 8), ((2, 2), 12), ((3, 3), 20), ((2, 4), 20), ((2, 8), 32), ((4, 4), 32), ((4, 4), 40), ((2, 10), 40))
SETS, SIZE, BATCH = 20, 80, 32
STEPS, RATE = 600, 0.1


class Faulty(VirtualNodes):
    """Nodes some of whose answers are missing, or wrong by noise as large as the answer, at every product.

    Args:
        nodes: P.
        missing: how many answers do not come.
        wrong: how many are wrong.
        seed: of who.
    """

    def __init__(self, nodes: int, missing: int = 0, wrong: int = 0, seed: int = 0) -> None:
        super().__init__(nodes, attempts=1)
        self.missing, self.wrong = missing, wrong
        self._rng, self._asked = np.random.default_rng(seed), False

    def strike(self, step: str, copies: Tensor, place: str) -> Tensor:
        """Make some answers wrong."""
        if step != "product":
            return copies
        self._asked, order = True, self._rng.permutation(self.nodes)
        self._gone, hit = order[: self.missing], order[self.missing : self.missing + self.wrong].tolist()
        if hit:
            copies = copies.clone()
            noise = torch.from_numpy(self._rng.standard_normal(copies[hit].shape))
            copies[hit] += (noise * copies.double().square().mean().sqrt()).to(copies.dtype)
        return copies

    def gather(self, pieces: Tensor, wanted: int, needed: int | None = None) -> tuple[Tensor, NDArray[np.bool_]]:
        """Lose some of the answers to a product; what is stored is always there."""
        came = np.ones(self.nodes, dtype=bool)
        if self._asked:
            came[self._gone] = False
        self._asked = False
        return pieces, came


def coded(dtype: str, plain: nn.Linear, code: TrainingCode, nodes: VirtualNodes) -> CodedLinear:
    """A layer whose products are in some precision."""
    return CodedLinear.from_linear(plain, code, nodes, products=torch.bfloat16 if dtype == "bfloat16" else None)


def stored(dtype: str) -> torch.dtype:
    """The precision of stored weights."""
    return torch.float64 if dtype == "float64" else torch.float32


# --- one product ------------------------------------------------------------------------------------------------------


def product_row(grid: tuple[int, int], count: int, dtype: str, sets: int) -> Row:
    """How many missing and wrong answers one product bears, forward and backward."""
    code, refused = generalized_polydot(*grid, count, dtype="float64"), "no"
    try:
        generalized_polydot(*grid, count, dtype="float64" if dtype == "float64" else "float32")
    except CodeError:
        refused = "yes"
    row: Row = {"K": f"{code.forward.code.recovery_threshold}, {code.backward.code.recovery_threshold}"}
    for kind in ("missing", "wrong"):
        held, errors = [], []
        for phase in ("forward", "backward"):
            spare = count - getattr(code, phase).code.recovery_threshold
            most, error = _most(code, phase, dtype, kind, spare if kind == "missing" else spare - 1, sets)
            held.append(f"{most} of {spare if kind == 'missing' else spare - 1}")
            errors.append(error)
        row |= {kind: ", ".join(held), f"error, {kind}": float(f"{max(errors):.2g}")}
    return row | {"refused": refused}


def _most(code: TrainingCode, phase: str, dtype: str, kind: str, promised: int, sets: int) -> tuple[int, float]:
    """The most faults with which every set holds, and the worst error with so many; -1: not even without."""
    worst = float("nan")
    for faults in range(promised + 1):
        errors = [product_error_of(code, phase, dtype, kind, faults, seed) for seed in range(sets if faults else 1)]
        if max(errors) > limit(dtype):
            return faults - 1, worst
        worst = max(errors)
    return promised, worst


def limit(dtype: str) -> float:
    """The error up to which a product holds."""
    return max(WORST_USEFUL_ERROR, 10 * product_error(dtype))


def product_error_of(code: TrainingCode, phase: str, dtype: str, kind: str, faults: int, seed: int) -> float:
    """Relative error of one product with so many faults; infinite where it was declared undecodable."""
    torch.manual_seed(seed)
    nodes = Faulty(code.nodes, seed=seed, **{kind: faults if phase == "forward" else 0})
    plain = nn.Linear(SIZE, SIZE, bias=False, dtype=stored(dtype))
    layer = coded(dtype, plain, code, nodes)
    x = torch.randn(BATCH, SIZE, dtype=stored(dtype), requires_grad=True)
    delta = torch.randn(BATCH, SIZE, dtype=stored(dtype))
    truth = (x @ plain.weight.T if phase == "forward" else delta @ plain.weight).detach().double()
    try:
        found = layer(x)
        if phase == "backward":
            setattr(nodes, kind, faults)
            (found,) = torch.autograd.grad(found, x, delta)
    except Uncorrectable:
        return float("inf")
    return float(torch.linalg.norm(found.detach().double() - truth) / torch.linalg.norm(truth))


# --- training ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One training run.

    Args:
        dtype: of products.
        grid: of the code; None: uncoded.
        nodes: P.
        missing: answers at every product.
        wrong: answers at every product.
        basis: of the code.
        checked: what would decode badly is refused, as it is by default.
    """

    dtype: str
    grid: tuple[int, int] | None = None
    nodes: int = 0
    missing: int = 0
    wrong: int = 0
    basis: str = "trigonometric"
    checked: bool = True

    def key(self) -> Row:
        """What tells the run apart."""
        how = self.basis if self.checked else f"{self.basis}, decoded whatever the error"
        code = "uncoded" if self.grid is None else f"{self.grid[0]} x {self.grid[1]}"
        return {
            "grid": code,
            "P": self.nodes,
            "basis": how,
            "dtype": self.dtype,
            "missing": self.missing,
            "wrong": self.wrong,
        }

    def code(self) -> TrainingCode:
        """Its code."""
        assert self.grid is not None
        return generalized_polydot(*self.grid, self.nodes, basis=self.basis, dtype="float64")


def cases() -> Iterator[Case]:
    """Every run of the manual."""
    for dtype in DTYPES:
        yield Case(dtype)
    for dtype in ("float32", "float64"):
        yield Case(dtype, (4, 4), 32)
        yield Case(dtype, (2, 8), 32)
    yield Case("float32", (2, 2), 8, missing=2)
    yield Case("float32", (4, 4), 32, missing=4)
    yield Case("float32", (2, 8), 32, missing=6)
    yield Case("float32", (4, 4), 32, wrong=3)
    yield Case("float32", (2, 8), 32, wrong=5)
    yield Case("float32", (4, 4), 32, basis="monomial")
    yield Case("float32", (4, 4), 32, basis="monomial", checked=False)
    yield Case("float64", (4, 4), 32, basis="monomial")
    yield Case("bfloat16", (2, 2), 8)
    yield Case("bfloat16", (2, 2), 8, wrong=1)
    yield Case("bfloat16", (2, 2), 12, wrong=3)
    yield Case("bfloat16", (4, 4), 32)
    yield Case("bfloat16", (2, 8), 32)
    yield Case("bfloat16", (2, 8), 32, missing=2)


def training_row(case: Case, data: Data, steps: int, seed: int = 0) -> Row:
    """Accuracy of one run, or why there is none."""
    torch.manual_seed(seed)
    sizes, dtype = (data.features, 128, 128, data.classes), stored(case.dtype)
    linear = [nn.Linear(before, after, dtype=dtype) for before, after in pairwise(sizes)]
    nodes = Faulty(case.nodes or 1, case.missing, case.wrong, seed)
    layers: list[nn.Module] = (
        [_Coarse(each) if case.dtype == "bfloat16" else each for each in linear]
        if case.grid is None
        else [coded(case.dtype, each, case.code(), nodes) for each in linear]
    )
    net = nn.Sequential(*(part for each in layers for part in (each, nn.ReLU())))[:-1]
    optimizer = (torch.optim.SGD if case.grid is None else CodedSGD)(net.parameters(), lr=RATE)
    x, y = torch.from_numpy(data.x_train).to(dtype), torch.from_numpy(data.y_train)
    rng, made, loss = np.random.default_rng(seed), 0, torch.tensor(float("nan"))
    unchecked: AbstractContextManager[object] = nullcontext()
    if not case.checked:
        unchecked = patch.object(verdict, "decodes", lambda *_: True)
    try:
        with unchecked:
            for _ in range(steps):
                chosen = rng.choice(len(x), BATCH, replace=False)
                optimizer.zero_grad()
                loss = functional.cross_entropy(net(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                made += 1
            nodes.missing = nodes.wrong = 0
            with torch.no_grad():
                right = net(torch.from_numpy(data.x_test).to(dtype)).argmax(dim=1) == torch.from_numpy(data.y_test)
    except AnykError as problem:
        return {"accuracy": None, "loss": None, "updates": made, "declared": str(problem)}
    finite = bool(torch.isfinite(loss))
    return {
        "accuracy": round(float(right.double().mean()), 4),
        "loss": round(float(loss.detach()), 5) if finite else None,
        "updates": made,
        "declared": "",
    }


class _Coarse(nn.Linear):
    """A plain layer whose products are in bfloat16, of weights in float32."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__(plain.in_features, plain.out_features, dtype=plain.weight.dtype)
        self.load_state_dict(plain.state_dict())

    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply; gradients flow in bfloat16 too."""
        return functional.linear(inputs.bfloat16(), self.weight.bfloat16()).float() + self.bias


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_precision", description=__doc__)
    parser.add_argument("--data", default="digits", help="digits, a folder of IDX files, a .npz")
    parser.add_argument("--json", type=Path, default=None, help="where rows are kept, and what was measured before")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no row is begun")
    parser.add_argument("--quick", action="store_true", help="a few small runs: does it run at all?")
    options = parser.parse_args(arguments)
    kept, data = Kept(options.json, options.budget), load(options.data)
    for grid, count in GRIDS[:1] if options.quick else GRIDS:
        for dtype in DTYPES:
            key = {"table": "products", "grid": f"{grid[0]} x {grid[1]}", "P": count, "dtype": dtype}
            sets = 2 if options.quick else SETS
            kept.row(key, lambda grid=grid, count=count, dtype=dtype, sets=sets: product_row(grid, count, dtype, sets))
    few = Case("float32", (2, 2), 8, missing=1), Case("float32"), Case("float32", (2, 2), 8, checked=False)
    for case in few if options.quick else cases():
        key = {"table": "training", "data": Path(options.data).name, **case.key()}
        kept.row(key, lambda case=case: training_row(case, data, 3 if options.quick else STEPS))
    print("\n".join(kept.printed()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
