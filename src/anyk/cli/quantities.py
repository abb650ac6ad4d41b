"""Sizes as one types them: 20000x20000, 2GB, 1GB/s."""

import re

import click

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30, "ti": 2.0**40}


class ShapeOf(click.ParamType[tuple[int, int]]):
    """Rows and columns, as ``20000x500``."""

    name = "shape"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Two positive integers."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"\s*(\d+)\s*[xX×*]\s*(\d+)\s*", value)
        if found is None or not (int(found[1]) and int(found[2])):
            self.fail(f"{value!r} is no shape. Write rows x columns, for example 20000x500.", param, ctx)
        return int(found[1]), int(found[2])


class Bytes(click.ParamType[float]):
    """A number of bytes, as ``2GB`` or ``512MiB``; with ``per_second`` also ``1GB/s``.

    Args:
        per_second: whether "/s" may follow.
    """

    def __init__(self, *, per_second: bool = False) -> None:
        self.per_second = per_second
        self.name = "bytes/s" if per_second else "bytes"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A positive number; bits (a small b) are an eighth."""
        if not isinstance(value, str):
            return float(value)
        tail = r"(?:/s)?" if self.per_second else ""
        found = re.fullmatch(rf"\s*(\d+\.?\d*|\.\d+)\s*([kKmMgGtT]i?|)(B|b|bit|){tail}\s*", value)
        if found is None or not float(found[1]):
            example = "1GB/s" if self.per_second else "2GB"
            self.fail(f"{value!r} is no number of bytes. Write for example {example}.", param, ctx)
        bits = 8.0 if found[3] in ("b", "bit") else 1.0
        return float(found[1]) * _UNITS[found[2].lower()] / bits
