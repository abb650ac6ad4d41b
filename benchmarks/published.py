"""Our approximate codes beside the published ones, on every instance for which results are known.

    python -m benchmarks.published ../shared/reference/approx-codes

The folder holds ``published-search-losses.csv`` (best total loss of the published search per instance) and the
published codes themselves (``FAMILY_m_k_r….npy``: table of A, table of B, decoding table, loss). Two tables are
printed:

1. every instance of the search: root mean square relative error over all survivor sets, published and ours, in float64
   (ours with rounding included), and the ratio;
2. every published code: real products of random matrices over all survivor sets (a random thousand where there are
more),
   median and worst, float64 and float32, beside ours.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import anyk
from anyk.arrays import recombine

Array = NDArray[Any]

SIZE = 240


def instances(folder: Path) -> Iterator[dict[str, float]]:
    """One row per instance of the published search."""
    with (folder / "published-search-losses.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            inner, results, workers = int(row["inner"]), int(row["results"]), int(row["workers"])
            code = anyk.codes.approximate_matdot(inner, workers, results=results)
            errors = code.errors(results, sets=None)
            ours, theirs = float(np.sqrt(np.mean(errors**2))), float(row["rms_relative_error"])
            yield {
                "m": inner,
                "k": results,
                "P": workers,
                "published": theirs,
                "ours": ours,
                "median": float(np.median(errors)),
                "worst": float(errors.max()),
                "times better": theirs / ours,
            }


def published_codes(folder: Path) -> Iterator[tuple[str, int, int, int, list[Array]]]:
    """Every published code: file name, m, k, P, and its arrays."""
    for path in sorted(folder.glob("*.npy")):
        inner, results, missing = (int(part) for part in path.stem.split("_")[1:4])
        with path.open("rb") as file:
            try:
                arrays = [np.load(file, allow_pickle=False) for _ in range(4)]
            except (ValueError, EOFError):
                continue
        if arrays[0].shape == (inner, results + missing):
            yield path.stem, inner, results, results + missing, arrays


def multiplied(left: Array, right: Array, weights: Array, sets: Array, dtype: str) -> Array:
    """Relative errors of real products: encode, multiply, combine with each set's weights; shape (S,)."""
    rng, m = np.random.default_rng(7), left.shape[0]
    A, B = rng.standard_normal((SIZE, SIZE)), rng.standard_normal((SIZE, SIZE))
    exact = A @ B
    blocks = A.astype(dtype).reshape(SIZE, m, -1), B.astype(dtype).reshape(m, -1, SIZE)
    answers = [
        np.tensordot(blocks[0], left[:, w].astype(dtype), (1, 0))
        @ np.tensordot(right[:, w].astype(dtype), blocks[1], 1)
        for w in range(left.shape[1])
    ]
    errors, product = [], np.empty_like(exact, dtype=dtype)
    for tasks, row in zip(sets, weights, strict=True):
        recombine(row[None], [answers[task] for task in tasks], (1, 1), product)
        errors.append(np.linalg.norm(product - exact) / np.linalg.norm(exact))
    return np.array(errors)


def products(folder: Path) -> Iterator[dict[str, Any]]:
    """One row per published code and dtype."""
    for name, inner, results, workers, (left, right, decoding, _) in published_codes(folder):
        if SIZE % inner:
            continue
        # A column's own entries say which answers it combines; the order of the columns differs from file to file.
        columns = [column for column in decoding.T if np.count_nonzero(column) == results]
        if len(columns) > 1000:
            columns = [columns[at] for at in np.random.default_rng(3).choice(len(columns), 1000, replace=False)]
        sets = np.array([np.flatnonzero(column) for column in columns])
        theirs = np.array([column[tasks] for column, tasks in zip(columns, sets, strict=True)])
        for dtype in ("float64", "float32"):
            row: dict[str, Any] = {"published code": name, "dtype": dtype}
            published = multiplied(left, right, theirs, sets, dtype)
            row |= {"median": float(np.median(published)), "worst": float(published.max())}
            try:
                code = _ours(inner, results, workers, dtype)
            except anyk.CodeError as refused:
                print(f"  {name}, {dtype}: {refused}")
                yield row | {"our median": float("nan"), "our worst": float("nan")}
                continue
            weights = np.array([code.solve(tasks, dtype)[0][0] for tasks in sets])
            own = multiplied(code.left[0], code.right[:, 0], weights, sets, dtype)
            yield row | {"our median": float(np.median(own)), "our worst": float(own.max())}


def _ours(inner: int, results: int, workers: int, dtype: str) -> anyk.Code:
    if results >= 2 * inner - 1:
        return anyk.codes.matdot(inner, workers)
    return anyk.codes.approximate_matdot(inner, workers, results=results, dtype=dtype)


def table(rows: Iterator[dict[str, Any]]) -> None:
    """Print rows as they come."""
    for number, row in enumerate(rows):
        if number == 0:
            print("  ".join(f"{name:>14}" for name in row))
        print(
            "  ".join(f"{each:>14.3g}" if isinstance(each, float) else f"{each:>14}" for each in row.values()),
            flush=True,
        )


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/reference/approx-codes")
    if not place.is_dir():
        sys.exit(f"no published codes at {place}: name their folder")
    table(instances(place))
    table(products(place))
