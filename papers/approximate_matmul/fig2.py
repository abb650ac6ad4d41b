"""Fig. 2: loss and error against the number of answers, and over the scaling of points; m = 3, P = 6, k = 3 … 6.

The set of answers is the worst one by loss, as published; the error is the largest entry's, of products of matrices
100 x 100 with unit Frobenius norm, and beside it the relative Frobenius error. Two curves are anyk's: a code made for
each number of answers, and one graceful code for all of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import anyk
from papers import drawing
from papers.approximate_matmul import codes, published
from papers.approximate_matmul.codes import Tables
from papers.approximate_matmul.loss import errors, losses, pinv_weights, ridge_weights, survivor_sets
from papers.approximate_matmul.search import search

Row = Mapping[str, Any]

INNER, WORKERS, ANSWERS = 3, 6, (3, 4, 5, 6)
#: What the points are divided by: in the published lines, and in the sweep.
DIVISORS = (1, 400, 1_000, 5_000, 10_000, 70_000)
SWEEP = tuple(float(f"{value:.3g}") for value in np.geomspace(1, 500_000, 24))
QUICK_SWEEP = (1.0, 1_000.0, 70_000.0)
SWEEPS = 10_000

SEARCHED = "code found by the search anew"
OURS = ("anyk, made for k answers", "anyk, one graceful code")


@lru_cache
def tables_of(name: str, results: int) -> Tables:
    """The tables of a named code, for so many answers."""
    if name == OURS[0]:
        return codes.ours(INNER, WORKERS, results)
    if name == OURS[1]:
        return codes.ours(INNER, WORKERS, INNER, profile="graceful")
    if name == "OrthoMatDot":
        return codes.orthomatdot(INNER, WORKERS)
    if name == SEARCHED:
        return searched()
    return codes.matdot(INNER, WORKERS, float(name.partition("points / ")[2] or 1))


@lru_cache
def searched() -> Tables:
    """The best of twenty starts of the published search, for as many answers as blocks."""
    found, left, right = search(INNER, INNER, WORKERS, seeds=20, sweeps=SWEEPS)
    best = int(np.nanargmin(found))
    return left[best], right[best]


def scaled(divisor: float) -> str:
    """How MatDot with these points is named."""
    return "MatDot" if divisor == 1 else f"MatDot, points / {divisor:g}"


NAMES: dict[str, Callable[[bool], Sequence[str]]] = {
    "fig2a": lambda quick: ("OrthoMatDot", "MatDot", scaled(70_000), SEARCHED, *OURS),
    "fig2b": lambda quick: ("OrthoMatDot", "MatDot", scaled(70_000), SEARCHED, *OURS),
    "fig2c": lambda quick: (*(scaled(divisor) for divisor in DIVISORS), OURS[0]),
    "fig2d": lambda quick: (*(scaled(divisor) for divisor in (QUICK_SWEEP if quick else SWEEP)), *OURS),
}


def keys(figure: str, *, quick: bool = False) -> Iterator[dict[str, Any]]:
    """One row per code and number of answers; the four figures share them."""
    for name in NAMES[figure](quick):
        if not (quick and name == SEARCHED):  # takes seconds
            for results in ANSWERS:
                yield {"table": "fig2", "code": name, "k": results}


def row(key: Row) -> dict[str, Any]:
    """One code, one number of answers."""
    tables, sets = tables_of(key["code"], key["k"]), survivor_sets(WORKERS, key["k"])
    weights = (ridge_weights if key["code"] in OURS else pinv_weights)(*tables, sets)
    each = losses(*tables, weights, sets)
    worst = int(each.argmax())
    largest, relative = errors(*tables, weights[worst], sets[worst])
    return {
        "loss": float(f"{each.sum():.3e}"),
        "largest entry error": float(f"{largest:.3e}"),
        "relative error": float(f"{relative:.3e}"),
    }


def table(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Loss / largest error of an entry / relative error, by code and number of answers; what is published first."""
    yield {"code": "found by the authors' search (their file)"} | {
        f"k = {k}": f"{loss:.1e} / {error:.1e} / –" for k, (loss, error) in published.FOUND.items()
    }
    for name in dict.fromkeys(row["code"] for row in rows):
        mine = {row["k"]: row for row in rows if row["code"] == name}
        if name in published.PROGRAM:
            yield {"code": f"{name}: the authors' program"} | {
                f"k = {k}": said for k, said in zip(ANSWERS, published.PROGRAM[name], strict=True)
            }
        if name in (*NAMES["fig2a"](False), *NAMES["fig2c"](False)):
            yield {"code": name} | {f"k = {k}": _cell(mine[k]) for k in ANSWERS if k in mine}


def _cell(row: Row) -> str:
    return f"{row['loss']:.1e} / {row['largest entry error']:.1e} / {row['relative error']:.0e}"


def draw(figure: str, rows: Sequence[Row]) -> Any:
    """The figure."""
    value = "loss" if figure in ("fig2a", "fig2c") else "largest entry error"
    said = "total loss over all sets" if value == "loss" else "largest error of an entry, worst set"
    drawn, axes = drawing.panels(width=6.2, height=4.0)
    if figure == "fig2d":
        _over_divisors(axes, rows, value)
    else:
        for style, name in zip(drawing.styles(), NAMES[figure](False), strict=False):
            mine = {row["k"]: max(row[value], 1e-32) for row in rows if row["code"] == name}
            axes.semilogy([*mine], [*mine.values()], label=name, **style)
        if figure in ("fig2a", "fig2b"):
            place = 0 if value == "loss" else 1
            theirs = [each[place] for each in published.FOUND.values()]
            axes.semilogy([*published.FOUND], theirs, "*", color="#777777", ms=9, label="found by the authors")
        axes.set(xlabel="answers k", xticks=ANSWERS)
    axes.set(ylabel=said)
    drawing.legend_outside(axes)
    return drawn


def _over_divisors(axes: Any, rows: Sequence[Row], value: str) -> None:
    for style, results in zip(drawing.styles(), ANSWERS, strict=False):
        mine = {
            float(row["code"].partition("points / ")[2] or 1): row[value]
            for row in rows
            if row["k"] == results and row["code"].startswith("MatDot")
        }
        axes.loglog(sorted(mine), [mine[at] for at in sorted(mine)], label=f"MatDot, k = {results}", **style)
    ours: dict[float, list[int]] = {}  # exact codes differ by less than a line is thick
    for row in rows:
        if row["code"] == OURS[0]:
            ours.setdefault(round(np.log10(row[value])), []).append(row["k"])
    for power, answers in ours.items():
        height = next(row[value] for row in rows if row["code"] == OURS[0] and row["k"] == answers[0])
        label = "anyk, made for k answers" if answers[0] == ANSWERS[0] else None
        axes.axhline(height, color="#a2549b", lw=1.1, ls=(0, (5, 1)), zorder=1, label=label)
        said = "anyk, k = " + " and ".join(map(str, sorted(answers)))
        axes.text(1.1 if power > -15 else 2e4, 1.5 * height, said, fontsize=8, color="#a2549b")
    axes.axvline(1 / radius(), color="#888888", lw=1, label="one over the best radius\nby the law, 2 λ^(1/m)")
    axes.set(xlabel="divisor of the points")


def radius() -> float:
    """Where error and rounding meet at k = m: about twice lambda^(1/m)."""
    return float(2 * anyk.weights.product_error("float64") ** (1 / INNER))
