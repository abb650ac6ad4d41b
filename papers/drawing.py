"""How figures of papers look: lines that can be told apart with any colour vision and in grey, as SVG and PNG."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt

#: Differ in lightness as well as in hue; with the marker and the dash every line is told apart without colour, too.
COLOURS = ("#1b1b1b", "#0b4f8a", "#b3470f", "#1c8a6b", "#a2549b", "#d29a00", "#6fa8dc")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))

STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d8d8d8",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "svg.hashsalt": "anyk",  # the same figure has the same bytes
    "svg.fonttype": "none",
    "figure.dpi": 110,
}


def styles() -> Iterator[dict[str, Any]]:
    """One style per line."""
    for colour, marker, dash in zip(COLOURS, MARKERS, DASHES, strict=True):
        yield {"color": colour, "marker": marker, "linestyle": dash, "markeredgecolor": "white", "markeredgewidth": 0.6}


def panels(
    count: int = 1, *, width: float = 7.2, height: float = 3.8, columns: int | None = None, layout: str | None = None
) -> tuple[Any, Any]:
    """A figure and its axes, in one row unless said otherwise; layout "constrained" leaves room for colour bars."""
    mpl.rcParams.update(STYLE)
    across = columns or count
    figure, axes = plt.subplots(-(-count // across), across, figsize=(width, height), squeeze=False, layout=layout)
    return figure, axes.ravel()[:count] if count > 1 else axes[0, 0]


def legend_outside(axes: Any, **more: Any) -> None:
    """At the right of the axes, where it hides nothing."""
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), **more)


def save(figure: Any, place: Path) -> Sequence[Path]:
    """As SVG and PNG beside each other; the same figure gives the same files."""
    place.parent.mkdir(parents=True, exist_ok=True)
    paths = [place.with_suffix(".svg"), place.with_suffix(".png")]
    figure.savefig(paths[0], bbox_inches="tight", metadata={"Date": None})
    figure.savefig(paths[1], bbox_inches="tight", dpi=150, metadata={"Software": None})
    plt.close(figure)
    return paths
