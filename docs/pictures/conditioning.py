"""How rounding grows with the number of missing workers, by basis.

MatDot with eight blocks: 15 answers decode, P = 15 + s workers. Shown is the relative error of the product per relative
error of an answer: the median over 300 random survivor sets, and the worst of these and of the one whose missing tasks
are neighbours among the evaluation points.
"""

from typing import Any

import numpy as np

import anyk
from anyk.weights import product_error
from benchmarks.stability import neighbours
from papers import drawing

INNER, SPARE, SETS = 8, range(1, 11), 300
BASES = {
    "trigonometric": "trigonometric, real (default)",
    "unit_circle": "roots of unity, complex",
    "chebyshev": "Chebyshev",
    "monomial": "powers",
}


def amplification(basis: str) -> np.ndarray:
    """Median and worst by spare workers, shape (s, 2); NaN where the basis refuses."""
    found = []
    for spare in SPARE:
        try:
            code = anyk.codes.matdot(INNER, 2 * INNER - 1 + spare, basis=basis)
        except anyk.CodeError:
            found.append((np.nan, np.nan))
            continue
        errors = code.errors(2 * INNER - 1, sets=SETS)
        worst = max(errors.max(), code.expected_error(neighbours(code)))
        found.append(np.array([np.median(errors), worst]) / product_error("float64"))
    return np.array(found)


def draw() -> Any:
    """Two lines per basis."""
    figure, axes = drawing.panels(width=7.0, height=4.0)
    for style, (basis, name) in zip(drawing.styles(), BASES.items(), strict=False):
        median, worst = amplification(basis).T
        axes.semilogy(SPARE, median, label=name, **style)
        axes.semilogy(
            SPARE, worst, **{**style, "lw": 0.9, "markerfacecolor": "white", "markeredgecolor": style["color"]}
        )
    axes.set(
        xlabel="missing workers s, of 15 + s", ylabel="error of the product\nper error of an answer", xticks=[*SPARE]
    )
    drawing.legend_outside(axes, title="filled: median set\nhollow, thin: worst set")
    return figure
