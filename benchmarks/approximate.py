"""Approximate codes by real multiplication, beside the published construction at its best radius.

    python -m benchmarks.approximate [--dtype float32] [--only 10,20,15 ...]

Random matrices of 240 x 240, relative Frobenius error against float64; all survivor sets where there are no more than
a thousand, else a thousand random ones that played no part in choosing either code. The published construction (MatDot
in powers) gets the best of 24 settings: twelve radii, equispaced or Chebyshev points, chosen by expected error on 200
other sets. The goal is the root mean square to reach.
"""

import argparse
import sys
from collections.abc import Iterator
from math import comb

import numpy as np
from numpy.typing import NDArray

import anyk
from anyk.arrays import recombine
from anyk.weights import product_error, survivor_sets

SIZE, SETS, FRESH, TUNING = 240, 1_000, 77, 78

#: inner, workers, results -> goals in float64 and float32; None where the precision is of no use.
GOALS: dict[tuple[int, int, int], tuple[float, float | None]] = {
    (2, 4, 2): (2.2e-8, 5e-4),
    (3, 5, 3): (9.3e-6, 7.6e-3),
    (3, 5, 4): (1.6e-8, 3.6e-4),
    (4, 8, 4): (2.7e-4, 4e-2),
    (4, 8, 5): (3.2e-8, 7.5e-4),
    (4, 8, 6): (1.8e-8, 4.2e-4),
    (5, 10, 5): (1.8e-3, 0.10),
    (5, 10, 6): (1.1e-5, 9e-3),
    (5, 10, 7): (2.2e-7, 5e-3),
    (5, 10, 8): (1.8e-8, 4e-4),
    (10, 20, 11): (2.3e-3, 0.13),
    (10, 20, 13): (3.7e-5, 3.3e-2),
    (10, 20, 15): (2.5e-7, 4.9e-3),
    (10, 20, 17): (2.5e-8, 5.1e-4),
    (20, 40, 23): (2.3e-2, None),
    (20, 40, 25): (4.2e-3, None),
    (20, 40, 29): (1.5e-5, 3.8e-2),
    (20, 40, 33): (9.1e-8, 1.6e-3),
}

#: Block grids: rows, inner, cols, workers, results -> the same.
GRIDS: dict[tuple[int, int, int, int, int], tuple[float, float | None]] = {(2, 2, 2, 12, 8): (1e-7, 1.4e-3)}


def measured(code: anyk.Code, sets: NDArray[np.intp], dtype: str) -> NDArray[np.float64]:
    """Relative errors of real products from these survivor sets."""
    draw = np.random.default_rng(7)
    A, B = draw.standard_normal((SIZE, SIZE)), draw.standard_normal((SIZE, SIZE))
    exact, cut = A @ B, code.partition
    kind = np.result_type(dtype, np.complex64) if code.is_complex else np.dtype(dtype)
    a, b = code.encode(A.astype(kind), B.astype(kind))
    answers = [x @ y for x, y in zip(a, b, strict=True)]
    errors, product = [], np.empty((SIZE, SIZE), kind)
    for tasks in sets:
        weights, _ = code.solve(tasks, dtype)
        recombine(weights, [answers[task] for task in tasks], (cut.rows, cut.cols), product)
        errors.append(np.linalg.norm(product - exact) / np.linalg.norm(exact))
    return np.array(errors)


def published(inner: int, workers: int, results: int, dtype: str) -> anyk.Code:
    """MatDot in powers at its best radius."""
    noise = product_error(dtype)
    equispaced = np.linspace(-1, 1, workers)
    chebyshev = np.cos(np.pi * (2 * np.arange(workers) + 1) / (2 * workers))
    sets = fresh(workers, results, 200, TUNING)
    tried = []
    for points in (equispaced, chebyshev):
        for factor in np.geomspace(0.4, 12, 12):
            table = (factor * noise ** (1 / results) * points) ** np.arange(inner)[:, None]
            code = anyk.Code("published", anyk.Partition(1, inner, 1), table[None], table[::-1, None], results)
            tried.append((float(np.mean(code.errors_of(sets, dtype) ** 2)), len(tried), code))
    return min(tried)[2]


def fresh(workers: int, results: int, count: int, seed: int) -> NDArray[np.intp]:
    """All sets where there are no more than this, else random ones."""
    sets = survivor_sets(workers, results, count, np.random.default_rng(seed))
    return sets if comb(workers, results) <= count else sets[:-1]


def row(name: str, kind: str, code: anyk.Code, dtype: str, goal: float | None) -> dict[str, str]:
    """One line of the table."""
    errors = measured(code, fresh(code.workers, code.recovery_threshold, SETS, FRESH), dtype)
    figures = np.sqrt(np.mean(errors**2)), np.median(errors), np.percentile(errors, 95), errors.max()
    return {
        "blocks, answers, workers": name,
        "dtype": dtype,
        "code": kind,
        **dict(zip(("rms", "median", "95 %", "worst"), (f"{each:.2g}" for each in figures), strict=True)),
        "goal": "" if goal is None else f"{goal:.2g}",
        "sets": str(len(errors)),
    }


def rows(dtypes: list[str], only: list[str]) -> Iterator[dict[str, str]]:
    """Ours and the published code of every case."""
    for dtype in dtypes:
        for (inner, workers, results), goals in GOALS.items():
            goal = goals[dtype == "float32"]
            if goal is None or (only and f"{inner},{workers},{results}" not in only):
                continue
            name = f"{inner}, {results} of {workers}"
            code = anyk.codes.approximate_matdot(inner, workers, results=results, dtype=dtype)
            yield row(name, "anyk", code, dtype, goal)
            yield row(name, "published", published(inner, workers, results, dtype), dtype, None)
        for (m, n, p, workers, results), goals in GRIDS.items():
            for basis in ("unit_circle", "chebyshev") if not only else ():
                code = anyk.codes.approximate_polydot(m, n, p, workers, results=results, dtype=dtype, basis=basis)
                goal = goals[dtype == "float32"] if basis == "unit_circle" else None
                yield row(f"{m} x {n} x {p}, {results} of {workers}", basis, code, dtype, goal)


def main(words: list[str]) -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.approximate")
    parser.add_argument("--dtype", nargs="+", default=["float64", "float32"], choices=["float64", "float32"])
    parser.add_argument("--only", nargs="+", default=[], metavar="INNER,WORKERS,RESULTS")
    asked = parser.parse_args(words)
    for number, each in enumerate(rows(asked.dtype, asked.only)):
        if number == 0:
            print("| " + " | ".join(each) + " |", "| --- " * len(each) + "|", sep="\n")
        print("| " + " | ".join(each.values()) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
