"""Pictures as inline SVG: a curve over steps, and a map of counts. Numbers alone go in, so nothing needs escaping.

Colours can be told apart with any colour vision: what matters differs in lightness.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 720.0, 56.0, 56.0, 10.0, 34.0
_CURVE_HEIGHT, _ROW_HEIGHT, _LEAST_MAP_HEIGHT = 200.0, 13.0, 52.0
_BLUE, _BAND = "#1f5fa8", "#c4d8ee"
#: From few to many: the colour map cividis, from its light end to its dark one.
LEVELS = ("#f2e26b", "#d9c55a", "#bcaa6c", "#a09276", "#867d78", "#6b6a74", "#4d566d", "#1f3f6c")
_NOTHING = "#f3f4f6"
#: More than so many points of a curve are drawn as a band and its mean.
_COLUMNS = 240


def curve(values: Sequence[tuple[float, float]], steps: float, name: str, *, unit: bool = False) -> str:
    """A curve: where there are many points, their mean and the band they lie in.

    Args:
        values: (step, value); values that are not finite leave a gap.
        steps: end of the horizontal axis.
        name: of the values.
        unit: the vertical axis goes from 0 to 1; otherwise it fits the values, on logarithms where they spread wide.
    """
    points = np.array(values, dtype=np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    is_log = not unit and bool(points.size) and _spreads(points[:, 1])
    if is_log:
        points = points[points[:, 1] > 0]
        points[:, 1] = np.log10(points[:, 1])
    low, high = (0.0, 1.0) if unit or not len(points) else (float(points[:, 1].min()), float(points[:, 1].max()))
    low = low if is_log else min(low, 0.0)
    high = high if high > low else low + 1.0
    height = _CURVE_HEIGHT - _TOP - _BOTTOM

    def x(step: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / max(steps, 1.0)

    def y(value: float) -> float:
        return _TOP + height * (1 - (value - low) / (high - low))

    parts = [*_grid([(y(tick), _said(10**tick if is_log else tick)) for tick in ticks(low, high)])]
    parts += _below(_CURVE_HEIGHT - _BOTTOM, [(x(tick), _said(tick)) for tick in ticks(0, steps)])
    if len(points) > _COLUMNS:
        at, least, mean, most = _columns(points, steps)
        outline = [*zip(at, most, strict=True), *reversed([*zip(at, least, strict=True)])]
        parts.append(f'<polygon points="{_path(outline, x, y)}" fill="{_BAND}"/>')
        points = np.stack([at, mean], axis=1)
    parts.append(f'<polyline points="{_path(points.tolist(), x, y)}" fill="none" stroke="{_BLUE}" stroke-width="1.8"/>')
    if len(points) <= 60:
        parts += [f'<circle cx="{x(step):.1f}" cy="{y(value):.1f}" r="2.5" fill="{_BLUE}"/>' for step, value in points]
    return _svg(_CURVE_HEIGHT, f"{name} over {_said(steps)} steps", parts)


def heat_map(counts: Sequence[Sequence[int]], steps: float, name: str) -> str:
    """Counts by row and column of steps, with each row's total at its end.

    Args:
        counts: of each row, one count for each of equally many columns.
        steps: end of the horizontal axis.
        name: of what is counted.
    """
    table = np.array(counts, dtype=np.int64).reshape(len(counts), -1)
    rows, columns = table.shape
    row_height = max(_ROW_HEIGHT, _LEAST_MAP_HEIGHT / max(rows, 1))
    bottom, span = _TOP + rows * row_height, _WIDTH - _LEFT - _RIGHT
    parts = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{span}" height="{bottom - _TOP:.1f}" fill="{_NOTHING}"/>',
        *_cells(table, span / max(columns, 1), row_height),
    ]
    for row, total in enumerate(table.sum(axis=1).tolist()):
        middle = _TOP + (row + 0.5) * row_height + 4
        parts.append(f'<text x="{_LEFT - 8}" y="{middle:.1f}" text-anchor="end">node {row}</text>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 8}" y="{middle:.1f}">{total:,}</text>')
    parts += _below(bottom, [(_LEFT + span * tick / max(steps, 1.0), _said(tick)) for tick in ticks(0, steps)])
    return _svg(bottom + _BOTTOM, f"{name} by node over {_said(steps)} steps", parts)


def legend(most: int) -> str:
    """What the colours of a `heat_map` mean, for its largest count."""
    shown = [(_NOTHING, "0"), *((LEVELS[level], said) for level, said in _levels(most))]
    parts = [
        f'<rect x="{_LEFT + 74 * place:.0f}" y="2" width="16" height="12" fill="{colour}"/>'
        f'<text x="{_LEFT + 74 * place + 21:.0f}" y="12">{said}</text>'
        for place, (colour, said) in enumerate(shown)
    ]
    return _svg(18.0, "legend: darker is more", parts)


def level(count: int, most: int) -> int:
    """Which colour a count of at least 1 has, where the largest one is ``most``: few counts have one each."""
    return round((count - 1) * (len(LEVELS) - 1) / (most - 1)) if most > 1 else len(LEVELS) // 2


def ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers between two.

    >>> ticks(0, 225)
    [0.0, 50.0, 100.0, 150.0, 200.0]
    """
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    rough = span / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(round_ * power for round_ in (1, 2, 5, 10) if round_ * power >= rough)
    return [
        round(place * step, 12) for place in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


# --- pieces -----------------------------------------------------------------------------------------------------------


def _svg(height: float, name: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(name)}">{"".join(parts)}</svg>'
    )


def _grid(lines: Sequence[tuple[float, str]]) -> Iterator[str]:
    for place, said in lines:
        yield f'<path d="M{_LEFT} {place:.1f}H{_WIDTH - _RIGHT}" stroke="#d5dae0"/>'
        yield f'<text x="{_LEFT - 8}" y="{place + 4:.1f}" text-anchor="end">{said}</text>'


def _below(bottom: float, lines: Sequence[tuple[float, str]]) -> list[str]:
    words = [f'<text x="{place:.1f}" y="{bottom + 15:.1f}" text-anchor="middle">{said}</text>' for place, said in lines]
    return [*words, f'<text x="{_WIDTH - _RIGHT}" y="{bottom + 30:.1f}" text-anchor="end">step</text>']


def _cells(table: NDArray[np.int64], width: float, height: float) -> Iterator[str]:
    """One path for each colour; cells touch, so each is a little wider than its place."""
    most = int(table.max(initial=0))
    levels: dict[int, list[str]] = {}
    for row, column in zip(*np.nonzero(table), strict=True):
        place = f"M{_LEFT + column * width:.1f} {_TOP + row * height:.1f}h{width + 0.3:.1f}v{height - 1:.1f}"
        levels.setdefault(level(int(table[row, column]), most), []).append(f"{place}h-{width + 0.3:.1f}z")
    for which, places in sorted(levels.items()):
        yield f'<path fill="{LEVELS[which]}" d="{"".join(places)}"/>'


def _levels(most: int) -> Iterator[tuple[int, str]]:
    """Each colour in use, and the counts it stands for."""
    counts: dict[int, list[int]] = {}
    for count in range(1, most + 1):
        counts.setdefault(level(count, most), []).append(count)
    for which, some in counts.items():
        yield which, f"{some[0]}" if len(some) == 1 else f"{some[0]}–{some[-1]}"


def _columns(points: Array, steps: float) -> tuple[Array, Array, Array, Array]:
    """Middle, least, mean and most of the points in each column."""
    column = np.minimum((points[:, 0] * _COLUMNS / max(steps, 1.0)).astype(int), _COLUMNS - 1)
    parts = [points[column == each] for each in np.unique(column)]
    at, mean = np.array([part.mean(axis=0) for part in parts]).T
    least, most = (np.array([pick(part[:, 1]) for part in parts]) for pick in (np.min, np.max))
    return at, least, mean, most


def _path(points: Iterable[Sequence[float]], x: Callable[[float], float], y: Callable[[float], float]) -> str:
    return " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points)


def _spreads(values: Array) -> bool:
    """The largest value dwarfs the usual one."""
    return bool(values.min() >= 0 and values.max() > 30 * np.median(values) > 0)


def _said(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e5 else f"{value:.3g}"
