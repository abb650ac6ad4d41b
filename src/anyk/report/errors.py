"""Error against answers as SVG: what was measured, and what was to be expected from the first so many answers."""

import math
from collections.abc import Iterator

from anyk.report import said
from anyk.report.drawing import Picture
from anyk.report.record import Record

_TOP, _HEIGHT, _BOTTOM = 14.0, 190.0, 40.0
#: What an error of nothing is drawn as.
_FLOOR = 1e-17

Point = tuple[int, float]


def measured(record: Record) -> list[Point]:
    """(answers, measured relative error) of every product formed, in order; of the last band."""
    last = record.bands - 1
    points = [
        (each.answers, each.error)
        for each in record.decodings
        if each.suspects is None and each.error is not None and each.band == last
    ]
    if not points and record.finished and record.error is not None and record.error_kind == "measured":
        points = [(len(record.survivors), record.error)]
    return points


def picture(record: Record) -> Picture | None:
    """The chart, or None where nothing was measured or expected."""
    found, foreseen = measured(record), [*record.foreseen]
    if not found and len(foreseen) < 2:
        return None
    values = [max(error, _FLOOR) for _, error in (*found, *foreseen)]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    low, high = (low - 1, high + 1) if high - low < 2 else (low, high)
    most = max([1, *(answers for answers, _ in (*found, *foreseen)), record.code.workers if record.code else 0])

    def x(answers: float) -> float:
        return 100 * answers / most

    def y(error: float) -> float:
        return _TOP + _HEIGHT * (high - math.log10(max(error, _FLOOR))) / (high - low)

    names, plot = [], []
    every = math.ceil((high - low) / 6)
    for power in range(low, high + 1, every):
        level = y(10.0**power)
        names.append(f'<text x="-8" y="{level + 4:.1f}" text-anchor="end">{_power(power)}</text>')
        plot.append(f'<line x1="0" x2="100%" y1="{level:.1f}" y2="{level:.1f}"/>')
    plot += _below(most)
    if record.code and record.code.recovery_threshold <= most:
        at = x(record.code.recovery_threshold)
        # Errors fall here, from the upper left to the lower right: the words stand in a corner they leave free.
        words, beside = f"{record.code.recovery_threshold} suffice", 'x="6" y="10" text-anchor="start"'
        if at > 75:
            beside = f'x="-6" y="{_HEIGHT - 8}" text-anchor="end"'
        plot.append(f'<line class="needed" x1="{at:.2f}%" x2="{at:.2f}%" y1="{_TOP}" y2="{_TOP + _HEIGHT}"/>')
        plot.append(
            f'<svg x="{at:.2f}%" y="{_TOP}" width="1" height="1" overflow="visible">'
            f'<text class="halo" {beside}>{words}</text></svg>'
        )
    if len(foreseen) > 1:
        line = " ".join(f"{x(answers):.2f},{y(error):.1f}" for answers, error in foreseen)
        plot.append(
            f'<svg width="100%" height="{_TOP + _HEIGHT}" viewBox="0 0 100 {_TOP + _HEIGHT}" '
            f'preserveAspectRatio="none" overflow="visible"><polyline class="foreseen" points="{line}"/></svg>'
        )
    for kind, points in (("foreseen", foreseen), ("measured", found)):
        plot += [_point(kind, x(answers), y(error), answers, error) for answers, error in points]
    label = f"Relative error against answers, on logarithms: {_summary(found, foreseen)}."
    return Picture("".join(names), "".join(plot), _TOP + _HEIGHT + _BOTTOM, 0, label)


def _summary(found: list[Point], foreseen: list[Point]) -> str:
    parts = []
    for name, points in (("measured", found), ("expected", foreseen)):
        if points:
            (first, began), (last, ended) = points[0], points[-1]
            one = f"{name} {said.error(ended)} from {said.counted(last, 'answer')}"
            parts.append(one if len(points) == 1 else f"{one}, {said.error(began)} from {first}")
    return "; ".join(parts)


def _below(most: int) -> Iterator[str]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**3, 10**4, 10**6, 10**8) if most / step <= 10)
    for number, answers in enumerate(range(0, most + 1, step)):
        at, fine = 100 * answers / most, 'class="fine" ' if number % 2 else ""
        anchor = "start" if at < 2 else "end" if at > 98 else "middle"
        yield f'<text {fine}x="{at:.2f}%" y="{_TOP + _HEIGHT + 17}" text-anchor="{anchor}">{answers:,}</text>'
    yield f'<text x="100%" y="{_TOP + _HEIGHT + 34}" text-anchor="end" class="head">answers</text>'


def _point(kind: str, x: float, y: float, answers: int, error: float) -> str:
    shape = '<path d="M0-6 6 0 0 6-6 0Z"/>' if kind == "measured" else '<circle r="3.2"/>'
    word = "Measured" if kind == "measured" else "Expected"
    told = f"{word} error {said.error(error)} from {said.counted(answers, 'answer')}."
    return (
        f'<g class="bar o-{kind}"><title>{told}</title>'
        f'<svg class="mark" x="{x:.2f}%" y="{y:.1f}" width="1" height="1" overflow="visible">'
        f'<g class="e-{kind}">{shape}</g></svg></g>'
    )


def _power(power: int) -> str:
    """A power of ten as text of its own size."""
    return "1" if power == 0 else f"1e{power}"
