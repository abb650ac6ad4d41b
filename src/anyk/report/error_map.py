"""Counts by node and column of steps as SVG, with each node's total at the end of its row.

The colours are those of the map cividis, which can be told apart with any colour vision: what is more lies further from
the ground, darker on light paper and lighter on dark.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from anyk.report.drawing import Picture
from anyk.report.scales import below

#: How many colours there are; ``training.css`` has them as --level-0 … --level-7.
LEVELS = 8

_TOP, _ROW_HEIGHT, _LEAST_HEIGHT, _BOTTOM = 4.0, 14.0, 56.0, 40.0


def error_map(counts: Sequence[Sequence[int]], executed: int, width: int, told: str) -> Picture:
    """The map; every count that is not zero can be pointed at.

    Args:
        counts: of each node, one count for each of equally many columns.
        executed: updates executed: the end of the horizontal axis.
        width: updates in a column.
        told: what is counted, as in "errors injected".
    """
    table = np.array(counts, dtype=np.int64).reshape(len(counts), -1)
    rows = len(table)
    height, most = max(_ROW_HEIGHT, _LEAST_HEIGHT / max(rows, 1)), int(table.max(initial=0))
    bottom = _TOP + rows * height
    names, plot = [], [f'<rect class="ground" x="0" y="{_TOP}" width="100%" height="{bottom - _TOP:.1f}"/>']
    for node, total in enumerate(table.sum(axis=1).tolist()):
        top = _TOP + node * height
        names.append(f'<text x="-8" y="{top + height / 2 + 4:.1f}" text-anchor="end">node {node}</text>')
        cells = "".join(_cells(table[node], node, top, height - 1, width, executed, most, told))
        plot.append(
            f'<g class="lane">{cells}</g><svg x="100%" y="{top + height / 2 + 4:.1f}" width="1" height="1" '
            f'overflow="visible"><text x="8">{total:,}</text></svg>'
        )
    plot.append(below(bottom, executed, "update executed"))
    label = f"{int(table.sum()):,} {told} on {rows} nodes over {executed:,} updates."
    return Picture("".join(names), "".join(plot), bottom + _BOTTOM, 0, label)


def _cells(
    counts: Sequence[int], node: int, top: float, height: float, width: int, executed: int, most: int, told: str
) -> Iterator[str]:
    for column in np.flatnonzero(counts).tolist():
        count, first = int(counts[column]), column * width
        last = min(first + width, executed)
        when = f"updates {first + 1:,} to {last:,}" if last > first + 1 else f"update {first + 1:,}"
        at, wide = 100 * first / max(executed, 1), 100 * (last - first) / max(executed, 1)
        yield (
            f'<g class="bar" data-at="{column}"><title>Node {node}, {when}, {told}: {count:,}.</title>'
            f'<rect class="level-{level(count, most)}" x="{at:.2f}%" y="{top:.1f}" width="{wide:.2f}%" '
            f'height="{height:.1f}"/></g>'
        )


def legend(most: int) -> str:
    """What the colours mean, for the largest count: HTML."""
    shown = "".join(f'<li><i class="level-{which}"></i>{said}</li>' for which, said in _ranges(most))
    return f'<ul class="levels" aria-label="Counts by colour"><li><i class="ground"></i>0</li>{shown}</ul>'


def level(count: int, most: int) -> int:
    """Which colour a count of at least 1 has, where the largest one is ``most``: few counts have one each."""
    return round((count - 1) * (LEVELS - 1) / (most - 1)) if most > 1 else LEVELS // 2


def _ranges(most: int) -> Iterator[tuple[int, str]]:
    """Each colour in use, and the counts it stands for."""
    first = 1
    while first <= most:
        which, last, beyond = level(first, most), first, most + 1
        while beyond - last > 1:  # colours rise with the counts
            middle = (last + beyond) // 2
            last, beyond = (middle, beyond) if level(middle, most) == which else (last, middle)
        yield which, f"{first:,}" if first == last else f"{first:,}–{last:,}"
        first = last + 1
