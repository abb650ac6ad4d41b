"""Which survivors give which error: every pair of missing workers, four codes.

Any 9 of 11 answers decode a MatDot code of five blocks. How exactly depends on who is missing: the field at (i, j) is
the expected relative error without workers i and j, on the diagonal without i alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

import anyk
from papers import drawing

WORKERS, INNER = 11, 5


def codes() -> dict[str, anyk.Code]:
    """Four codes with as many workers and blocks."""
    return {
        "trigonometric (default)": anyk.codes.matdot(INNER, WORKERS),
        "Chebyshev": anyk.codes.matdot(INNER, WORKERS, basis="chebyshev"),
        "powers": anyk.codes.matdot(INNER, WORKERS, basis="monomial"),
        "approximate, any 7 of 11": anyk.codes.approximate_matdot(INNER, WORKERS, results=7),
    }


def errors(code: anyk.Code) -> np.ndarray:
    """Expected error without i and j, shape (P, P)."""
    found = np.empty((WORKERS, WORKERS))
    for i in range(WORKERS):
        for j in range(i + 1):
            found[i, j] = found[j, i] = code.expected_error(sorted({*range(WORKERS)} - {i, j}))
    return found


def draw() -> Any:
    """Three maps on one scale, and one on its own."""
    tables = {name: np.log10(errors(code)) for name, code in codes().items()}
    exact, (name, rough) = [*tables.items()][:3], [*tables.items()][3]
    low, high = min(table.min() for _, table in exact), max(table.max() for _, table in exact)
    figure, axes = drawing.panels(4, width=12.0, height=2.9, layout="constrained")
    for part, (title, table) in zip(axes, exact, strict=False):
        shown = mapped(part, title, table, low, high)
    scale(figure, shown, axes[:3], (1e-15, 1e-14, 8e-14))
    scale(figure, mapped(axes[3], name, rough, rough.min(), rough.max()), axes[3:], (2e-8, 3e-8, 4e-8))
    axes[0].set_ylabel("missing worker")
    return figure


def mapped(part: Any, title: str, table: np.ndarray, low: float, high: float) -> Any:
    """One map."""
    part.set_title(title, fontsize=10)
    part.grid(False)
    part.set(xlabel="missing worker", xticks=range(0, WORKERS, 2), yticks=range(0, WORKERS, 2))
    return part.imshow(table, cmap="cividis_r", vmin=low, vmax=high)


def scale(figure: Any, shown: Any, axes: Any, ticks: Sequence[float]) -> None:
    """What the colours mean; darker is worse."""
    bar = figure.colorbar(shown, ax=list(axes), fraction=0.05, pad=0.02)
    bar.set_ticks(np.log10(ticks), labels=[f"{tick:.0e}" for tick in ticks])
    bar.set_label("expected relative error", fontsize=9)
