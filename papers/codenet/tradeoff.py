"""How many answers are needed against how much they say: Generalized PolyDot between MatDot and Polynomial.

Each matrix is cut into K0 blocks, so every worker stores 1/K0 of each. With m blocks along the outer sides of the
product and n = K0/m along the inner one a worker's answer has N^2/m^2 numbers, and K of them are needed:

    MatDot            m = 1           K = 2 K0 - 1
    PolyDot                           K = m^2 (2n - 1)
    Generalized PolyDot               K = m^2 n + n - 1
    Polynomial        m = K0          K = K0^2
    anyk, approximate                 K = m^2 n, with a stated error

Thresholds are read off anyk's codes, not typed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import anyk
from papers import drawing

Row = Mapping[str, Any]

#: Blocks of each matrix, and every m that divides them.
BLOCKS, QUICK = 16, 4
FAMILIES = {
    "MatDot": lambda m, n, P: anyk.codes.matdot(n, P),
    "PolyDot": lambda m, n, P: anyk.codes.polydot(m, n, m, P),
    "Generalized PolyDot": lambda m, n, P: anyk.codes.generalized_polydot(m, n, m, P),
    "Polynomial": lambda m, n, P: anyk.codes.polynomial(m, m, P),
    "anyk, approximate": lambda m, n, P: anyk.codes.approximate_polydot(m, n, m, P),
}


def keys(figure: str, *, quick: bool = False) -> Iterator[dict[str, Any]]:
    """One row per family and grid."""
    blocks = QUICK if quick else BLOCKS
    for family in FAMILIES:
        for m in (m for m in range(1, blocks + 1) if blocks % m == 0):
            only = {"MatDot": m == 1, "Polynomial": m == blocks, "anyk, approximate": 1 < m < blocks}
            if only.get(family, True):
                yield {"table": "tradeoff", "code": family, "blocks": blocks, "m": m, "n": blocks // m}


def row(key: Row) -> dict[str, Any]:
    """Threshold, and numbers that are sent back to decode, in units of the product's."""
    m, n = key["m"], key["n"]
    needed = m * m * n if key["code"].startswith("anyk") else m * m * (2 * n - 1)
    code = FAMILIES[key["code"]](m, n, max(needed, m * m * n + n - 1))
    error = code.design_error if not code.is_exact else 0.0
    return {
        "K": code.recovery_threshold,
        "sent back": round(code.recovery_threshold / m**2, 4),
        "design error": float(f"{error:.1e}"),
    }


def formula(key: Row) -> int:
    """The papers' threshold."""
    m, n = key["m"], key["n"]
    return {
        "MatDot": 2 * n - 1,
        "PolyDot": m * m * (2 * n - 1),
        "Generalized PolyDot": m * m * n + n - 1,
        "Polynomial": m * m,
        "anyk, approximate": m * m * n,
    }[str(key["code"])]


def table(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """The papers' threshold beside that of the code."""
    for each in rows:
        yield {
            "code": each["code"],
            "m, n": f"{each['m']}, {each['n']}",
            "K by formula": formula(each),
            "K of anyk's code": each["K"],
            "sent back, in units of the product": f"{each['sent back']:.2f}",
            "error": f"{each['design error']:.0e}" if each["design error"] else "rounding",
        }


def draw(figure: str, rows: Sequence[Row]) -> Any:
    """Threshold against communication."""
    drawn, axes = drawing.panels(width=6.4, height=4.0)
    for style, family in zip(drawing.styles(), FAMILIES, strict=False):
        mine = [row for row in rows if row["code"] == family]
        end = (
            {
                "markersize": 12,
                "markerfacecolor": "none",
                "markeredgecolor": style["color"],
                "markeredgewidth": 1.6,
                "linestyle": "",
            }
            if len(mine) == 1
            else {}
        )
        axes.loglog([row["sent back"] for row in mine], [row["K"] for row in mine], label=family, **{**style, **end})
    for row in rows:
        if row["code"] == "Generalized PolyDot":
            place = {"xy": (row["sent back"], row["K"]), "xytext": (8, 5), "textcoords": "offset points"}
            axes.annotate(f"m = {row['m']}", **place, fontsize=8)
    ticks = [32, 64, 128, 256]
    axes.set(xlabel="numbers sent back to decode, in units of the product", ylabel="answers needed, K", xlim=(0.8, 48))
    axes.set_yticks(ticks, map(str, ticks))
    axes.set_xticks([1, 2, 4, 8, 16, 32], map(str, [1, 2, 4, 8, 16, 32]))
    axes.minorticks_off()
    drawing.legend_outside(axes)
    return drawn
