"""A curve over steps as SVG: where there are many points, their mean and the band they lie in.

Numbers alone go in, so nothing needs escaping.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anyk.report.drawing import Picture
from anyk.report.scales import below, number, ticks

Array = NDArray[np.float64]

_TOP, _HEIGHT, _BOTTOM = 10.0, 180.0, 40.0
#: So many points, or columns of points, are drawn; up to so many with a dot each.
_COLUMNS, _DOTS = 240, 60


@dataclass(frozen=True, eq=False)
class _Axis:
    """The vertical axis; logarithms where values spread wide."""

    low: float
    high: float
    is_log: bool

    def y(self, values: Array) -> Array:
        """Where values lie, in px."""
        shown = np.log10(values) if self.is_log else values
        return np.asarray(_TOP + _HEIGHT * (1 - (shown - self.low) / (self.high - self.low)))

    def lines(self) -> Iterator[tuple[float, str]]:
        """Round values: (where, the number)."""
        for tick in ticks(self.low, self.high):
            value = 10**tick if self.is_log else tick
            yield float(self.y(np.array(value))), number(value)


def curve(values: Sequence[tuple[float, float]], steps: float, name: str, *, unit: bool = False) -> Picture:
    """A curve whose points, or columns of points, can be pointed at.

    Args:
        values: (step, value); values that are not finite leave a gap.
        steps: end of the horizontal axis.
        name: of the values.
        unit: the vertical axis goes from 0 to 1; otherwise it fits the values, on logarithms where they spread wide.
    """
    points = np.array(values, dtype=np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    axis = _axis(points[:, 1], unit)
    if axis.is_log:
        points = points[points[:, 1] > 0]
    names, plot = [], []
    for level, said in axis.lines():
        names.append(f'<text x="-8" y="{level + 4:.1f}" text-anchor="end">{said}</text>')
        plot.append(f'<line x1="0" x2="100%" y1="{level:.1f}" y2="{level:.1f}"/>')
    first, last, least, mean, most = _columns(points, steps)
    x = 50 * (first + last) / max(steps, 1.0)
    if len(points) > _COLUMNS:
        plot.append(
            _stretched(
                "polygon",
                "band",
                [*zip(x, axis.y(most), strict=True), *reversed([*zip(x, axis.y(least), strict=True)])],
            )
        )
    plot.append(_stretched("polyline", "curve", [*zip(x, axis.y(mean), strict=True)]))
    plot += _marks(x, axis.y(mean), [*zip(first, last, least, mean, most, strict=True)], name)
    plot.append(below(_TOP + _HEIGHT, steps, "update"))
    label = f"{name.capitalize()} over {number(steps)} updates{_summary(points)}."
    return Picture("".join(names), "".join(plot), _TOP + _HEIGHT + _BOTTOM, 0, label)


def _axis(values: Array, unit: bool) -> _Axis:
    positive = values[values > 0]
    spreads = values.size and values.min() >= 0 and values.max() > 30 * np.median(values) > 0
    if unit or not values.size:
        return _Axis(0.0, 1.0, False)
    if spreads:
        low, high = float(np.log10(positive.min())), float(np.log10(positive.max()))
    else:
        low, high = min(float(values.min()), 0.0), float(values.max())
    return _Axis(low, high if high > low else low + 1.0, bool(spreads))


def _columns(points: Array, steps: float) -> tuple[Array, Array, Array, Array, Array]:
    """First and last step, least, mean and most of the points in each column; few points have a column each."""
    column = np.arange(len(points))
    if len(points) > _COLUMNS:
        column = np.minimum((points[:, 0] * _COLUMNS / max(steps, 1.0)).astype(int), _COLUMNS - 1)
    parts = [points[column == each] for each in np.unique(column)]
    rows = [(p[:, 0].min(), p[:, 0].max(), p[:, 1].min(), p[:, 1].mean(), p[:, 1].max()) for p in parts]
    first, last, least, mean, most = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    return first, last, least, mean, most


def _stretched(shape: str, kind: str, points: Sequence[tuple[float, float]]) -> str:
    path = " ".join(f"{x:.2f},{y:.1f}" for x, y in points)
    return (
        f'<svg width="100%" height="{_TOP + _HEIGHT}" viewBox="0 0 100 {_TOP + _HEIGHT}" preserveAspectRatio="none" '
        f'overflow="visible"><{shape} class="{kind}" points="{path}"/></svg>'
    )


def _marks(x: Array, y: Array, rows: Sequence[tuple[float, ...]], name: str) -> Iterator[str]:
    """What each point tells: a strip of the whole height can be pointed at."""
    edges = np.concatenate([[0.0], (x[1:] + x[:-1]) / 2, [100.0]]) if len(x) else np.zeros(0)
    for place, (first, last, least, mean, most) in enumerate(rows):
        many = last > first
        when = f"Updates {first:,.0f} to {last:,.0f}" if many else f"Update {first:,.0f}"
        spread = f" on average, from {number(least)} to {number(most)}" if many else ""
        dot = f'<circle class="dot" cx="{x[place]:.2f}%" cy="{y[place]:.1f}" r="2.5"/>' if len(rows) <= _DOTS else ""
        yield (
            f'<g class="bar"><title>{when}: {name} {number(mean)}{spread}.</title><rect class="strip" '
            f'x="{edges[place]:.2f}%" y="{_TOP}" width="{edges[place + 1] - edges[place]:.2f}%" height="{_HEIGHT}"/>'
            f"{dot}</g>"
        )


def _summary(points: Array) -> str:
    return f": from {number(points[0, 1])} to {number(points[-1, 1])}" if len(points) else ""
