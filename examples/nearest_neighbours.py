"""k nearest neighbours of many points at once: one large product, approximate, and the neighbours are the same.

    python examples/nearest_neighbours.py

|x - q|^2 = |x|^2 + |q|^2 - 2 x.q, so all distances between N points and M queries are one N x M product. Neighbours do
not change when a distance is off in its seventh digit: an approximate code gives them from any 7 of 10 answers, where
an exact code with the same storage needs 9.
"""

import sys

import numpy as np

import anyk

CODE = anyk.codes.approximate_matdot(inner=5, workers=10, results=7)


def neighbours(points: np.ndarray, queries: np.ndarray, count: int, products: np.ndarray) -> np.ndarray:
    """Indices of the nearest points of every query, nearest first; shape (M, count)."""
    distances = (points**2).sum(axis=1)[:, None] - 2 * products  # |q|^2 does not change the order
    nearest = np.argpartition(distances, count, axis=0)[:count]
    order = np.take_along_axis(distances, nearest, axis=0).argsort(axis=0)
    return np.take_along_axis(nearest, order, axis=0).T


def main(spec: str = "processes:10", size: int = 3_000, queries: int = 500, features: int = 200) -> float:
    rng = np.random.default_rng(0)
    centres = 3 * rng.standard_normal((20, features))
    points = centres[rng.integers(20, size=size)] + rng.standard_normal((size, features))
    asked = centres[rng.integers(20, size=queries)] + rng.standard_normal((queries, features))

    faults = anyk.faults.Stop(ranks=(1, 4, 8))  # three of ten fall silent, and nobody is told
    with anyk.engines.open(spec, workers=CODE.workers, faults=faults) as engine:
        product = anyk.matmul(points, asked.T, CODE, engine=engine, rng=0)
    print(f"{CODE}: answers of {product.survivors}, measured error {product.error:.0e}")

    found = neighbours(points, asked, 10, product.value)
    exact = neighbours(points, asked, 10, points @ asked.T)
    same = float(np.mean([len(np.intersect1d(ours, true)) / 10 for ours, true in zip(found, exact, strict=True)]))
    print(f"{100 * same:.2f} % of the ten nearest neighbours of {queries} queries are the same")
    return same


if __name__ == "__main__":
    main(*sys.argv[1:2])
