"""Axes: round numbers along them, how they are said, and where a value lies."""

import math


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


def number(value: float) -> str:
    """A number as short as it may be.

    >>> number(20_000), number(0.12345)
    ('20,000', '0.123')
    """
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e5 else f"{value:.3g}"


def below(level: float, steps: float, name: str) -> str:
    """The horizontal axis, under ``level``: round numbers from 0 to ``steps``; every second one has no room on a phone.

    Args:
        level: y of the axis, in px.
        steps: its end.
        name: of what is counted along it.
    """
    parts = []
    for place, tick in enumerate(ticks(0, steps)):
        at = 100 * tick / max(steps, 1.0)
        anchor = "start" if at < 2 else "end" if at > 98 else "middle"
        fine = ' class="fine"' if place % 2 else ""
        parts.append(f'<text{fine} x="{at:.2f}%" y="{level + 17:.1f}" text-anchor="{anchor}">{number(tick)}</text>')
    return "".join(parts) + f'<text x="100%" y="{level + 34:.1f}" text-anchor="end">{name}</text>'
