"""How many wrong nodes are corrected in each product, whoever they are, against the number of nodes.

At the left the grid of the papers' small example, 2 x 2: a quarter of the weights at every node. At the right the
claim of gains without bound: three times as many nodes as blocks, and more and more blocks. Tolerances are read off
anyk's training codes. The smaller one of the forward and the backward product counts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import anyk.nn
from anyk.errors import CodeError
from anyk.nn import TrainingCode
from papers import drawing

Row = Mapping[str, Any]

SMALL, RATIO = (2, 2), 3
STRATEGIES: Mapping[str, Callable[[int, int, int], TrainingCode]] = {
    # As published in float64; in float32 more than about a hundred nodes of few blocks are refused.
    "Generalized PolyDot": partial(anyk.nn.generalized_polydot, dtype="float64"),
    "product MDS": anyk.nn.product_mds,
    "replication": anyk.nn.replication,
}
MODELS = {"random": "errors independent", "adversarial": "errors may conspire"}


def keys(figure: str, *, quick: bool = False) -> Iterator[dict[str, Any]]:
    """Grid, nodes and strategy."""
    small, large = (range(4, 13, 4), (2, 3)) if quick else (range(4, 33), (2, 3, 4, 5, 6))
    cases = [(SMALL, nodes) for nodes in small] + [((side, side), RATIO * side * side) for side in large]
    for grid, nodes in dict.fromkeys(cases):
        for name in STRATEGIES:
            yield {"table": "tolerance", "strategy": name, "grid": list(grid), "nodes": nodes}


def row(key: Row) -> dict[str, Any]:
    """Forward and backward, for both models; with as many of the nodes as the strategy can use."""
    code = largest(STRATEGIES[key["strategy"]], *key["grid"], key["nodes"])
    found: dict[str, Any] = {"used": 0 if code is None else code.nodes}
    for model in MODELS:
        stages = None if code is None else code.tolerance(model)
        found[model] = [0, 0] if stages is None else [stages.forward, stages.backward]
    return found


def largest(make: Callable[[int, int, int], TrainingCode], rows: int, inner: int, nodes: int) -> TrainingCode | None:
    """The strategy's code on as many of the nodes as it can use; None: on none."""
    for used in range(nodes, rows * inner - 1, -1):
        try:
            return make(rows, inner, used)
        except CodeError:
            continue
    return None


def formula(strategy: str, m: int, n: int, nodes: int, model: str) -> tuple[int, int]:
    """What the papers' analysis says: t_f, t_b."""
    if strategy == "Generalized PolyDot":
        spare = nodes - (m * n + n - 1), nodes - (2 * m * n - n)
        return tuple(max(0, each - 1 if model == "random" else each // 2) for each in spare)  # type: ignore[return-value]
    parity = (nodes - m * n) // (m + n) if strategy == "product MDS" else nodes // (m * n) - 1
    each = max(0, parity - 1 if model == "random" else parity // 2)
    return each, each


def table(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Forward, backward: the analysis beside anyk's codes."""
    wanted = [row for row in rows if row["nodes"] in (8, 10, 12) or row["grid"] != list(SMALL)]
    for each in wanted:
        m, n = each["grid"]
        line = {"grid": f"{m} x {n}", "nodes": each["nodes"], "strategy": each["strategy"]}
        for model, said in MODELS.items():
            theirs = formula(each["strategy"], m, n, each["nodes"], model)
            line[f"{said}: analysis"] = f"{theirs[0]}, {theirs[1]}"
            line[f"{said}: anyk"] = f"{each[model][0]}, {each[model][1]}"
        yield line


def draw(figure: str, rows: Sequence[Row]) -> Any:
    """Both models, both questions."""
    drawn, axes = drawing.panels(4, width=8.8, height=6.2, columns=2)
    for place, model in enumerate(MODELS):
        for style, name in zip(drawing.styles(), STRATEGIES, strict=False):
            mine = [row for row in rows if row["strategy"] == name]
            small = [row for row in mine if row["grid"] == list(SMALL) and row["nodes"] < 33]
            square = sorted(
                (row for row in mine if row["nodes"] == RATIO * row["grid"][0] ** 2), key=lambda r: r["nodes"]
            )
            kind = {**style, "markevery": 4}
            axes[place].plot([row["nodes"] for row in small], [min(row[model]) for row in small], label=name, **kind)
            axes[2 + place].plot([row["nodes"] for row in square], [min(row[model]) for row in square], **style)
        axes[place].set(title=f"grid 2 × 2, {MODELS[model]}", xlabel="nodes P")
        axes[2 + place].set(title=f"P = {RATIO} nodes per block, {MODELS[model]}", xlabel="nodes P")
        for part in (axes[place], axes[2 + place]):
            part.set_ylabel("wrong nodes corrected")
            part.yaxis.get_major_locator().set_params(integer=True)
    drawn.tight_layout()
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, -0.05), ncols=3)
    return drawn
