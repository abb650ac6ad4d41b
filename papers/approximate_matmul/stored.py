"""The codes of the logistic regression: those that the authors stored, the same ones made here, and anyk's.

Not a figure of the paper. Total loss over all survivor sets, and the relative error it means for random matrices: root
mean square and worst set. anyk's have rounding in float64 in them; the others, as stored, have not.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import anyk
from papers import drawing
from papers.approximate_matmul import codes, published
from papers.approximate_matmul.loss import losses, pinv_weights, ridge_weights, rounding, survivor_sets

Row = Mapping[str, Any]

CASES = tuple(sorted({case for _, case in published.STORED}))
QUICK = CASES[:2]
#: Name -> tables from (m, k, P). What the authors' search found is known from their files alone.
MADE = {
    "MatDot, small points": lambda m, k, P: codes.matdot(m, P, {5: 400.0, 20: 2.0}[m]),
    "OrthoMatDot": lambda m, k, P: codes.orthomatdot(m, P),
    "anyk": lambda m, k, P: codes.ours(m, P, k),
}
NAMES = ("found by the authors' search", *MADE)


def keys(figure: str, *, quick: bool = False) -> Iterator[dict[str, Any]]:
    """One row per code that is stored, and anyk's beside it."""
    for inner, results, workers in QUICK if quick else CASES:
        for name in MADE:
            if name == "anyk" or (name, (inner, results, workers)) in published.STORED:
                yield {"table": "stored", "code": name, "m": inner, "k": results, "P": workers}


def row(key: Row) -> dict[str, Any]:
    """Loss and errors of one code; None where it refuses to be made."""
    m, k, P = key["m"], key["k"], key["P"]
    try:
        tables, sets = MADE[key["code"]](m, k, P), survivor_sets(P, k)
    except anyk.CodeError:
        return {"loss": None, "rms": None, "worst": None}
    weights = (ridge_weights if key["code"] == "anyk" else pinv_weights)(*tables, sets)
    each = losses(*tables, weights, sets)
    if key["code"] == "anyk":
        each = each + rounding(*tables, weights, sets)
    found = {"loss": each.sum(), "rms": np.sqrt(each.mean() / m), "worst": np.sqrt(each.max() / m)}
    return {name: float(f"{value:.3e}") for name, value in found.items()}


def table(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Loss / root mean square error / worst error: as stored, and as made here."""
    for case in CASES:
        for name in NAMES:
            mine = [row for row in rows if (row["code"], row["m"], row["k"], row["P"]) == (name, *case)]
            if mine or (name, case) in published.STORED:
                yield {
                    "m, k, P": ", ".join(map(str, case)),
                    "code": name,
                    "stored by the authors": _cell(published.STORED.get((name, case))),
                    "made here": _cell(tuple(mine[0][part] for part in ("loss", "rms", "worst")) if mine else None),
                }


def _cell(values: tuple[float | None, ...] | None) -> str:
    if values is None:
        return "–"
    return "refused" if None in values else " / ".join(f"{value:.1e}" for value in values)


def draw(figure: str, rows: Sequence[Row]) -> Any:
    """Root mean square error by case: full as made here, hollow as stored."""
    drawn, axes = drawing.panels(width=7.6, height=4.0)
    for style, name in zip(drawing.styles(), NAMES, strict=False):
        look = {**style, "linestyle": ""}
        theirs = {
            at: published.STORED[name, case][1] for at, case in enumerate(CASES) if (name, case) in published.STORED
        }
        ours = {CASES.index((r["m"], r["k"], r["P"])): r["rms"] for r in rows if r["code"] == name and r["rms"]}
        hollow = {
            "markersize": 10,
            "markerfacecolor": "none",
            "markeredgecolor": style["color"],
            "markeredgewidth": 1.3,
        }
        axes.semilogy([*theirs], [*theirs.values()], **{**look, **hollow}, label="" if ours else name)
        axes.semilogy([*ours], [*ours.values()], label=name if ours else "", **look)
    axes.set_xticks(range(len(CASES)), [f"m={m}\nk={k}, P={P}" for m, k, P in CASES], fontsize=9)
    axes.set(ylabel="relative error, root mean square over sets")
    drawing.legend_outside(axes, title="hollow: as stored by the authors\nfull: made here")
    return drawn
