"""Numbers as a person reads them."""

_BYTES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def in_seconds(seconds: float) -> str:
    """Three digits and a unit.

    >>> [in_seconds(each) for each in (0.00012, 0.5, 61.25, 7300.0, float("inf"))]
    ['0.12 ms', '500 ms', '61.2 s', '2.03 h', 'never']
    """
    if seconds == float("inf"):
        return "never"
    for least, unit, size in ((5400.0, "h", 3600.0), (1.0, "s", 1.0)):
        if seconds >= least:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds * 1e3)} ms"


def in_bytes(count: float) -> str:
    """Three digits and a decimal unit.

    >>> in_bytes(0), in_bytes(999.6), in_bytes(1.23456e9)
    ('0 B', '1 kB', '1.23 GB')
    """
    rank = 0
    while rank < len(_BYTES) - 1 and round(count, 2 if count < 10 else 0) >= 1000:
        count, rank = count / 1000, rank + 1
    return f"{_three(count)} {_BYTES[rank]}"


def _three(number: float) -> str:
    """Three significant digits, no exponent."""
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def columns(rows: list[tuple[str, ...]], right: str) -> list[str]:
    """Rows as lines of equal columns.

    Args:
        rows: cells; the first row is the head.
        right: one letter per column, ``"<"`` or ``">"``.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ([f"{cell:{side}{width}}" for cell, side, width in zip(row, right, widths, strict=True)] for row in rows)
    return ["  ".join(line).rstrip() for line in cells]
