"""Exact codes when half of the workers are missing: trigonometric, random and found ones in one table.

    python -m benchmarks.half_missing

Amplification is relative error out per relative error in, over all survivor sets or 2,000 random ones; *neighbours* is
the set of angles side by side, the worst there is for codes on a circle. Random codes are five draws, and every column
is its median over them.
"""

import sys
from collections.abc import Iterator
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

import anyk
from anyk.bases import scattered
from anyk.weights import System, product_error, survivor_sets

Array = NDArray[Any]

#: rows, inner, cols, workers; half of the workers answer.
GRIDS = (
    (2, 1, 2, 8),
    (5, 1, 1, 10),
    (3, 1, 2, 12),
    (3, 1, 3, 18),
    (4, 1, 4, 32),
    (5, 1, 5, 50),
    (8, 1, 8, 128),
    (1, 3, 1, 10),
    (1, 5, 1, 18),
    (1, 10, 1, 38),
    (2, 2, 2, 18),
)
SETS, DRAWS = 2_000, 5


def rows() -> Iterator[dict[str, str]]:
    """One row per grid and kind of code."""
    for m, n, p, workers in GRIDS:
        half = workers // 2
        for kind, codes in kinds(m, n, p, workers, half).items():
            figures = np.median([amplifications(code, half) for code in codes], axis=0)
            yield {
                "rows x inner x cols": f"{m} x {n} x {p}",
                "answers": f"{half} of {workers}",
                "sets": str(min(SETS, comb(workers, half))),
                "code": kind,
                **{name: f"{each:.3g}" for name, each in zip(COLUMNS, figures, strict=True)},
            }


COLUMNS = ("rms", "median", "95 %", "worst", "neighbours")


def kinds(m: int, n: int, p: int, workers: int, half: int) -> dict[str, list[anyk.Code]]:
    """The codes of one grid by kind."""
    found = [
        anyk.codes.load(name)
        for name, each in anyk.codes.archive().items()
        if (each.rows, each.inner, each.cols, each.workers, each.results) == (m, n, p, workers, half)
    ]
    drawn = [anyk.codes.random_khatri_rao(m, p, workers, rng=seed) for seed in range(DRAWS)] if n == 1 else []
    every = {"trigonometric": [anyk.codes.generalized_polydot(m, n, p, workers)], "random": drawn, "found": found}
    return {kind: codes for kind, codes in every.items() if codes}


def amplifications(code: anyk.Code, half: int) -> list[float]:
    """The five figures."""
    system, noise = System(code.left, code.right), product_error("float64")
    sets = survivor_sets(code.workers, half, SETS, np.random.default_rng(2021))
    parts = np.array_split(sets, -(-len(sets) // 500))
    found = np.concatenate([system.solve(part, noise).amplification for part in parts])
    neighbours = np.sort(np.argsort(scattered(code.workers))[:half])
    beside = system.solve(neighbours, noise).amplification[0]
    return [
        float(np.sqrt(np.mean(found**2))),
        float(np.median(found)),
        float(np.percentile(found, 95)),
        float(found.max()),
        float(beside),
    ]


def main() -> int:
    """Print the table as Markdown."""
    for number, row in enumerate(rows()):
        if number == 0:
            print("| " + " | ".join(row) + " |", "| --- " * len(row) + "|", sep="\n")
        print("| " + " | ".join(row.values()) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
