"""Fig. 1: the loss of the published search against m, against k, and over its seeds; and that of codes not searched.

A fourth part, 1d, is not in the paper: every instance its authors searched, their best loss beside that of anyk's code.

The search is run anew, with fewer starts and sweeps than the authors' (about 1000 starts, up to 10^6 sweeps). anyk's
curve is the loss of `anyk.codes.approximate_matdot`, with the loss that rounding in float64 brings added to it, which
the paper's loss does not count.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import comb
from typing import Any

import numpy as np

from papers import drawing
from papers.approximate_matmul import codes, published
from papers.approximate_matmul.loss import losses, ridge_weights, rounding, survivor_sets
from papers.approximate_matmul.search import search

Row = Mapping[str, Any]
Instance = tuple[int, int, int]

#: (a) k = 2m - 2 and one to three workers more; (b) one worker more, every k below exact recovery.
INSTANCES: dict[str, tuple[Instance, ...]] = {
    "fig1a": tuple((m, 2 * m - 2, 2 * m - 2 + more) for more in (1, 2, 3) for m in range(2, 7)),
    "fig1b": tuple((m, k, k + 1) for m in range(3, 7) for k in range(m, 2 * m - 1) if (m, k) != (6, 6)),
    "fig1c": ((3, 3, 5), (3, 4, 6), (4, 4, 6), (4, 6, 8), (5, 5, 7), (5, 6, 8), (5, 7, 9), (5, 8, 10)),
}
#: All that the authors searched.
INSTANCES["fig1d"] = tuple(published.SEARCHES)
#: Tiny ones, whose results are stored with the tests.
QUICK: dict[str, tuple[Instance, ...]] = {
    "fig1a": ((2, 2, 3), (3, 4, 5), (3, 4, 6)),
    "fig1b": ((3, 3, 4), (3, 4, 5), (4, 6, 7)),
    "fig1c": ((3, 3, 5), (3, 4, 6)),
    "fig1d": ((2, 2, 3), (3, 4, 6)),
}
SEEDS, SWEEPS = 40, 10_000
QUICK_SEEDS, QUICK_SWEEPS = 8, 300
#: The parts in which the search is done anew.
DRAWN = ("fig1a", "fig1b", "fig1c")
#: Where there are more sets than this, fewer starts and sweeps: each costs as many times more.
MOST_SETS, MANY_SETS = 60, (20, 2_000)


def keys(figure: str, *, quick: bool = False) -> Iterator[dict[str, Any]]:
    """What tells the runs apart; the three figures share those they have in common."""
    for inner, results, workers in (QUICK if quick else INSTANCES)[figure]:
        sets = comb(workers, results)
        starts, sweeps = (QUICK_SEEDS, QUICK_SWEEPS) if quick else MANY_SETS if sets > MOST_SETS else (SEEDS, SWEEPS)
        if figure == "fig1d" and not any((inner, results, workers) in INSTANCES[part] for part in DRAWN):
            starts, sweeps = 0, 0  # known from the authors' logs alone; here only anyk's code is made
        yield {"table": "fig1", "m": inner, "k": results, "P": workers, "starts": starts, "sweeps": sweeps}


def row(key: Row) -> dict[str, Any]:
    """One instance: the search anew, and anyk's code."""
    inner, results, workers = key["m"], key["k"], key["P"]
    found: Any = ()
    if key["starts"]:
        found, _, _ = search(inner, results, workers, seeds=key["starts"], sweeps=key["sweeps"])
    sets = survivor_sets(workers, results)
    tables = codes.ours(inner, workers, results)
    weights = ridge_weights(*tables, sets)
    alone = float(losses(*tables, weights, sets).sum())
    return {
        "search": [None if np.isnan(loss) else float(f"{loss:.3e}") for loss in found],
        "anyk, without rounding": float(f"{alone:.3e}"),
        "anyk": float(f"{alone + rounding(*tables, weights, sets).sum():.3e}"),
    }


def best(row: Row) -> float:
    """The best start's loss."""
    return min((loss for loss in row["search"] if loss is not None), default=float("nan"))


def table(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Published beside ours."""
    for each in sorted(rows, key=lambda row: (row["m"], row["k"], row["P"])):
        said = published.SEARCHES.get((each["m"], each["k"], each["P"]))
        per = each["m"] * len(survivor_sets(each["P"], each["k"]))
        yield {
            "m, k, P": f"{each['m']}, {each['k']}, {each['P']}",
            "published search: best": "–" if said is None else f"{said[3]:.1e}",
            "median": "–" if said is None else f"{said[4]:.1e}",
            "search anew: best": f"{best(each):.1e}" if each["search"] else "–",
            "median ": f"{np.median([loss for loss in each['search'] if loss is not None]):.1e}"
            if each["search"]
            else "–",
            "anyk": f"{each['anyk']:.1e}",
            "relative error: published best": "–" if said is None else f"{np.sqrt(said[3] / per):.0e}",
            "of anyk": f"{np.sqrt(each['anyk'] / per):.0e}",
        }


def draw(figure: str, rows: Sequence[Row]) -> Any:
    """The figure."""
    ways = {"fig1a": _against_blocks, "fig1b": _against_answers, "fig1c": _over_seeds, "fig1d": _every_instance}
    return ways[figure](rows)


def _against_blocks(rows: Sequence[Row]) -> Any:
    figure, axes = drawing.panels(3, width=9.6, height=3.6)
    for more, part in zip((1, 2, 3), axes, strict=True):
        mine = sorted((row for row in rows if row["P"] - row["k"] == more), key=lambda row: row["m"])
        _three_curves(part, [row["m"] for row in mine], mine)
        part.set(title=f"k = 2m − 2 of P = k + {more}", xlabel="blocks m", xticks=range(2, 7))
    return _finished(figure, axes)


def _against_answers(rows: Sequence[Row]) -> Any:
    figure, axes = drawing.panels(4, width=9.6, height=3.4)
    for inner, part in zip((3, 4, 5, 6), axes, strict=True):
        mine = sorted((row for row in rows if row["m"] == inner), key=lambda row: row["k"])
        _three_curves(part, [row["k"] for row in mine], mine)
        part.set(title=f"m = {inner}, P = k + 1", xlabel="answers k", xticks=[row["k"] for row in mine])
    return _finished(figure, axes)


def _three_curves(part: Any, across: Sequence[int], rows: Sequence[Row]) -> None:
    lines = (
        ("published search, best run", [published.SEARCHES.get((r["m"], r["k"], r["P"]), (0,) * 5)[3] for r in rows]),
        ("search anew, best start", [best(row) for row in rows]),
        ("anyk, not searched, rounding counted", [row["anyk"] for row in rows]),
    )
    for style, (name, values) in zip(drawing.styles(), lines, strict=False):
        part.semilogy(across, [value or np.nan for value in values], label=name, **style)


def _finished(figure: Any, axes: Any) -> Any:
    low = min(part.get_ylim()[0] for part in axes)
    high = max(part.get_ylim()[1] for part in axes)
    for part in axes:
        part.set_ylim(low, high)
        part.margins(x=0.12)
    for part in axes[1:]:
        part.set_yticklabels([])
    axes[0].set_ylabel("total loss over all sets")
    figure.tight_layout()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, -0.08), ncols=3)
    return figure


def _over_seeds(rows: Sequence[Row]) -> Any:
    figure, axes = drawing.panels(width=8.6, height=4.0)
    wanted = [each for each in INSTANCES["fig1c"] if any((r["m"], r["k"], r["P"]) == each for r in rows)]
    for place, instance in enumerate(wanted):
        row = next(r for r in rows if (r["m"], r["k"], r["P"]) == instance)
        values = sorted(loss for loss in row["search"] if loss is not None and loss > 0)
        beside = place + np.linspace(-0.3, 0.3, len(values))
        first = {"label": ""} if place else {}
        axes.semilogy(beside, values, ".", color="#0b4f8a", label=first.get("label", "search anew, each start"))
        said = published.SEARCHES[instance]
        axes.semilogy(
            [place] * 2,
            said[3:],
            "_",
            color="#1b1b1b",
            ms=26,
            mew=2,
            label="" if place else "published: best and median",
        )
        axes.semilogy(place, row["anyk"], "^", color="#b3470f", ms=8, label="" if place else "anyk, not searched")
    axes.set_xticks(range(len(wanted)), [f"m={m}\nk={k}, P={P}" for m, k, P in wanted], fontsize=9)
    axes.set(ylabel="total loss over all sets")
    drawing.legend_outside(axes)
    return figure


def _every_instance(rows: Sequence[Row]) -> Any:
    figure, axes = drawing.panels(width=9.6, height=3.8)
    rows = sorted(rows, key=lambda row: (row["m"], row["k"], row["P"]))
    lines = (
        ("published search, best run", [published.SEARCHES[r["m"], r["k"], r["P"]][3] for r in rows]),
        ("anyk, not searched,\nrounding counted", [row["anyk"] for row in rows]),
    )
    for style, (name, values) in zip(list(drawing.styles())[::2], lines, strict=False):
        axes.semilogy(range(len(rows)), values, label=name, **{**style, "linestyle": "", "markersize": 6.5})
    axes.set_xticks(range(len(rows)), [f"{r['m']}, {r['k']}, {r['P']}" for r in rows], rotation=90, fontsize=8)
    axes.set(xlabel="blocks m, answers k, workers P", ylabel="total loss over all sets")
    axes.margins(x=0.02)
    drawing.legend_outside(axes)
    return figure
