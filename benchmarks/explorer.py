"""Errors of approximate codes for the explorer page of the manual, whose other numbers the page computes itself.

    python -m benchmarks.explorer

writes docs/_static/explorer/approximate.js: for each family, dtype and partition the design error at some numbers of
workers. Some minutes on one core.
"""

import json
import sys
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

from anyk import codes
from anyk.code import Code
from anyk.errors import CodeError

FILE = Path(__file__).parents[1] / "docs/_static/explorer/approximate.js"
DTYPES = ("float64", "float32")
#: A larger design error is no use to anybody.
WORST = 0.1


def partitions() -> Iterator[tuple[str, tuple[int, int, int]]]:
    """What is tabulated, fewest answers each: family and (rows, inner, cols); rows and cols may be exchanged."""
    yield from (("approximate_matdot", (1, inner, 1)) for inner in range(2, 11))
    for inner in (2, 3, 4):
        for rows in range(1, 4):
            for cols in range(rows, 4):
                if rows * inner * cols <= 18:
                    yield "approximate_polydot", (rows, inner, cols)


def workers(blocks: int) -> list[int]:
    """Numbers of workers, as multiples of the answers needed."""
    return sorted({blocks, blocks + 1, blocks + 2, ceil(1.5 * blocks), 2 * blocks, 3 * blocks})


def design_error(family: str, cut: tuple[int, int, int], count: int, dtype: str) -> float | None:
    """Of the code with the fewest answers; None where the family refuses."""
    try:
        return code(family, cut, count, dtype).design_error
    except CodeError:
        return None


def code(family: str, cut: tuple[int, int, int], count: int, dtype: str) -> Code:
    """The code."""
    if family == "approximate_matdot":
        return codes.approximate_matdot(cut[1], count, dtype=dtype)
    return codes.approximate_polydot(*cut, count, dtype=dtype)


def tables() -> dict[str, Any]:
    """Family -> dtype -> partition -> [[workers, design error], ...]; null: of no use from here on."""
    found: dict[str, Any] = {}
    for family, cut in partitions():
        for dtype in DTYPES:
            rows: list[list[float | None]] = []
            for count in workers(cut[0] * cut[1] * cut[2]):
                error = design_error(family, cut, count, dtype)
                if error is None or error > WORST:
                    rows.append([count, None])
                    break
                rows.append([count, float(f"{error:.3g}")])
            if rows[0][1] is not None:
                found.setdefault(family, {}).setdefault(dtype, {})[",".join(map(str, cut))] = rows
        print(family, cut, file=sys.stderr, flush=True)
    return found


def written(found: dict[str, Any]) -> str:
    """The tables as a script for a page."""
    head = '"use strict";\n// Written by `python -m benchmarks.explorer`.\n'
    return f"{head}globalThis.anykApproximate = {json.dumps(found)};\n"


if __name__ == "__main__":
    FILE.write_text(written(tables()), encoding="utf-8")
