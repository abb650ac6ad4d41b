"""Logistic regression with every product from k of P workers: the worst set each time, a random one, or blocks lost.

As published: W starts at N(0, 1), plain SGD with rate 0.001 on batches of 128, pixels in [0, 1] and a bias; both
products of a step (W X for the scores, residual X^T for the gradient) are coded products, m inner blocks, P = k + 2.
Ours to choose, for the paper's text does not say: the gradient is the sum over the batch, and two blocks lost are
random ones. Published: about 40,000 steps, 10 folds. Done here: all folds with 3,000 steps, one with 40,000.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import anyk
from papers import drawing
from papers.approximate_matmul import codes
from papers.approximate_matmul.loss import losses, pinv_weights, ridge_weights, survivor_sets
from papers.approximate_matmul.search import search

Array = NDArray[Any]
Row = Mapping[str, Any]
Times = Callable[[Array, Array], Array]

RATE, BATCH, MISSING = 0.001, 128, 2
CASES = (*((5, k) for k in range(5, 10)), (20, 20))
KINDS = ("MatDot, small points", "code found by a search", "OrthoMatDot", "anyk")
SETS = ("worst", "random")
SAID = {"worst": "the worst set each time", "random": "a random set each time"}
#: Divisors of the published "MatDot" codes of this experiment, by m.
DIVISORS = {5: 400.0, 20: 2.0}
#: The data in ten parts, each unseen in one fold; and how many folds are run with so many steps.
FOLDS, RUNS = 10, ((3_000, 10), (40_000, 1))


@dataclass(frozen=True, eq=False)
class Coded:
    """A code's products from given survivor sets.

    Args:
        left: table of A, shape (m, P).
        right: table of B, shape (m, P).
        sets: shape (S, k).
        weights: decoding weights of each, shape (S, k).
        worst: which set has the largest loss.
        centres: whether the part that does not vary along the inner dimension is taken out and added exactly.
    """

    left: Array
    right: Array
    sets: Array
    weights: Array
    worst: int
    centres: bool

    def times(self, which: int, A: Array, B: Array) -> Array:
        """A B from one set of answers."""
        tasks, weights, inner = self.sets[which], self.weights[which], len(self.left)
        exact = 0.0
        if self.centres:
            rows, columns = A.mean(axis=1, keepdims=True), B.mean(axis=0, keepdims=True)
            A, B, exact = A - rows, B - columns, A.shape[1] * (rows @ columns)
        filled = -A.shape[1] % inner
        blocks = np.pad(A, ((0, 0), (0, filled))).reshape(len(A), inner, -1)
        others = np.pad(B, ((0, filled), (0, 0))).reshape(inner, -1, B.shape[1])
        mine = np.einsum("ik,rid->krd", self.left[:, tasks] * weights, blocks)
        return np.asarray((mine @ np.tensordot(self.right[:, tasks], others, (0, 0))).sum(axis=0) + exact)


@lru_cache
def coded(kind: str, inner: int, results: int) -> Coded | None:
    """The code by name; None where it refuses to be made."""
    workers, decode = results + MISSING, pinv_weights
    if kind == "OrthoMatDot":
        tables = codes.orthomatdot(inner, workers)
    elif kind == "anyk":
        try:
            tables, decode = codes.ours(inner, workers, results), ridge_weights
        except anyk.CodeError:
            return None
    elif kind.startswith("MatDot"):
        tables = codes.matdot(inner, workers, DIVISORS[inner])
    else:
        seeds, sweeps = (20, 2_000) if inner < 10 else (3, 200)
        found, left, right = search(inner, results, workers, seeds=seeds, sweeps=sweeps)
        best = int(np.nanargmin(found))
        tables = left[best], right[best]
    sets = survivor_sets(workers, results)
    weights = decode(*tables, sets)
    return Coded(*tables, sets, weights, int(losses(*tables, weights, sets).argmax()), kind == "anyk")


def keys(figure: str, *, quick: bool = False, data: str = "digits") -> Iterator[dict[str, Any]]:
    """Every run."""
    for steps, folds in ((60, 1),) if quick else RUNS:
        for fold in range(folds):
            common = {"table": "logistic", "data": Path(data).name, "steps": steps, "fold": fold}
            yield {**common, "m": None, "k": None, "products": "exact", "set": None}
            for inner in (5,) if quick else (5, 20):
                yield {**common, "m": inner, "k": None, "products": "two blocks lost", "set": None}
            for inner, results in ((5, 7),) if quick else CASES:
                for kind in KINDS:
                    for which in SETS:
                        if not (quick and kind.startswith("code found")):
                            yield {**common, "m": inner, "k": results, "products": kind, "set": which}


def row(key: Row, *, data: str) -> dict[str, Any]:
    """One run: accuracy on the samples it learned from and on those it did not see."""
    x, y = samples(data)
    mine = np.arange(len(x)) % FOLDS != key["fold"]
    times = products(key)
    if times is None:
        return {"train": None, "test": None}
    W = regress(x[mine], y[mine], int(y.max()) + 1, key["steps"], times, seed=key["fold"])
    return {"train": _right(W, x[mine], y[mine]), "test": _right(W, x[~mine], y[~mine])}


def products(key: Row) -> Times | None:
    """How a run multiplies; None: its code cannot be made."""
    rng = np.random.default_rng([key["fold"], 1])
    if key["products"] == "exact":
        return np.matmul
    if key["products"] == "two blocks lost":

        def some(A: Array, B: Array) -> Array:
            block = np.arange(A.shape[1]) * key["m"] // A.shape[1]
            there = ~np.isin(block, rng.choice(key["m"], MISSING, replace=False))
            return np.asarray(A[:, there] @ B[there])

        return some
    code = coded(key["products"], key["m"], key["k"])
    if code is None:
        return None
    if key["set"] == "worst":
        return lambda A, B: code.times(code.worst, A, B)
    return lambda A, B: code.times(int(rng.integers(len(code.sets))), A, B)


def regress(x: Array, y: Array, classes: int, steps: int, times: Times, *, seed: int) -> Array:
    """Weights after so many steps; shape (classes, features). The same seed sees the same batches."""
    rng = np.random.default_rng(seed)
    W, wanted = rng.standard_normal((classes, x.shape[1])), np.eye(classes)[:, y]
    for _ in range(steps):
        some = rng.integers(len(x), size=BATCH)
        batch = x[some].T
        scores = times(W, batch)
        chances = np.exp(scores - scores.max(axis=0))
        residual = chances / chances.sum(axis=0) - wanted[:, some]
        W -= RATE * times(residual, batch.T)
    return W


@lru_cache(maxsize=1)
def samples(data: str) -> tuple[Array, Array]:
    """All images pooled, a one beside each for the bias; float64, shape (N, features + 1)."""
    from anyk.nn.data import load

    loaded = load(data)
    x = np.concatenate([loaded.x_train, loaded.x_test]).astype(np.float64)
    return np.hstack([x, np.ones((len(x), 1))]), np.concatenate([loaded.y_train, loaded.y_test])


def _right(W: Array, x: Array, y: Array) -> float:
    return round(float((np.argmax(W @ x.T, axis=0) == y).mean()), 4)


def table(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Test accuracy, in per cent: mean over the folds that were run; worst set / random set."""
    for data, steps in dict.fromkeys((row["data"], row["steps"]) for row in rows):
        mine = [row for row in rows if (row["data"], row["steps"]) == (data, steps)]
        for inner, results in dict.fromkeys((row["m"], row["k"]) for row in mine if row["k"]):
            cells = {
                kind: " / ".join(said(mine, products=kind, set=which, m=inner, k=results) for which in SETS)
                for kind in KINDS
            }
            yield {
                "data": data,
                "steps": f"{steps:,}",
                "folds": len({row["fold"] for row in mine}),
                "m, k, P": f"{inner}, {results}, {results + MISSING}",
                "exact": said(mine, products="exact"),
                "two blocks lost": said(mine, products="two blocks lost", m=inner),
                **cells,
            }


def said(rows: Sequence[Row], **wanted: Any) -> str:
    """A mean in per cent; what cannot be made is refused."""
    values = [row["test"] for row in rows if all(row[name] == value for name, value in wanted.items())]
    if not values:
        return "–"
    return "refused" if None in values else f"{100 * np.mean(values):.1f}"


def draw(figure: str, rows: Sequence[Row]) -> Any:
    """A line of panels by number of steps: accuracy against answers, m = 5, and by code, m = 20."""
    lengths = sorted({row["steps"] for row in rows})
    drawn, axes = drawing.panels(3 * len(lengths), width=11.4, height=3.6 * len(lengths), columns=3)
    for at, steps in enumerate(lengths):
        _draw_line(axes[3 * at : 3 * at + 3], steps, [row for row in rows if row["steps"] == steps])
    for part in axes[-3:-1]:
        part.set_xlabel("answers k, of k + 2")
    axes[-1].set_xlabel("full: the worst set, hollow: a random one")
    drawn.tight_layout()
    handles = axes[0].get_legend_handles_labels()
    drawn.legend(*handles, loc="lower center", bbox_to_anchor=(0.5, -0.1 / len(lengths)), ncols=6)
    return drawn


def _draw_line(axes: Any, steps: int, rows: Sequence[Row]) -> None:
    """Three panels: worst sets, random sets, m = 20."""
    known = [row for row in rows if row["test"] is not None]
    styles = [{**style, "markersize": 6.5} for style in drawing.styles()]
    ring = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "markeredgecolor": "#1b1b1b"}
    styles[0] |= ring  # lies below
    for part, which in zip(axes, SETS, strict=False):
        for style, kind in zip(styles, KINDS, strict=False):
            mine = [row for row in known if (row["m"], row["products"], row["set"]) == (5, kind, which)]
            across = sorted({row["k"] for row in mine})
            part.plot(across, [_mean(mine, k=k) for k in across], label=kind, **style)
        part.set(title=f"m = 5, {SAID[which]}", xticks=range(5, 10))
    for at, kind in enumerate(KINDS):
        for which, face in (("worst", styles[at]["color"]), ("random", "white")):
            mine = [row for row in known if (row["m"], row["products"], row["set"]) == (20, kind, which)]
            mark = {"marker": ("o", *drawing.MARKERS[1:])[at], "color": styles[at]["color"], "linestyle": ""}
            axes[2].plot([at] * bool(mine), [_mean(mine)] * bool(mine), markersize=8, markerfacecolor=face, **mark)
    axes[2].set_xticks(range(len(KINDS)), ["MatDot", "found", "Ortho-\nMatDot", "anyk"])
    axes[2].set(title="m = k = 20, P = 22", xlim=(-0.6, 3.6))
    for part, inner in zip(axes, (5, 5, 20), strict=True):
        for name, dash in (("exact", "-"), ("two blocks lost", ":")):
            values = [row for row in known if row["products"] == name and row["m"] in (None, inner)]
            if values:
                part.axhline(_mean(values), color="#777777", lw=1.2, ls=dash, label=name, zorder=1)
        part.set(ylim=(20, 95))
    axes[0].set_ylabel(f"{steps:,} steps: right on unseen images, %")


def _mean(rows: Sequence[Row], **wanted: Any) -> float:
    """Per cent of the test samples."""
    return float(100 * np.mean([row["test"] for row in rows if all(row[k] == v for k, v in wanted.items())]))
