"""PageRank on workers that die: the link matrix is placed once, and every step is one coded product with it.

    python examples/pagerank.py
    python examples/pagerank.py processes:8

Any 6 of 8 answers give a step. Two workers are killed on the way; the ranking is the one NumPy computes alone.
"""

import sys

import numpy as np

import anyk

CODE = anyk.codes.mds(rows=6, workers=8)
DAMPING = 0.85


def links(pages: int, rng: np.random.Generator) -> np.ndarray:
    """Who links to whom, columns summing to one: new pages prefer those that are linked to already."""
    matrix, popular = np.zeros((pages, pages)), np.ones(pages)
    for page in range(1, pages):
        chosen = rng.choice(page, size=min(page, 5), replace=False, p=popular[:page] / popular[:page].sum())
        matrix[chosen, page] = 1
        popular[chosen] += 1
    matrix[rng.integers(1, pages, 5), 0] = 1
    return matrix / matrix.sum(axis=0)


def pagerank(multiply, pages: int, steps: int, disturb=lambda step: None) -> np.ndarray:
    """The rank of every page, by power iteration with ``multiply``."""
    rank = np.full(pages, 1 / pages)
    for step in range(steps):
        disturb(step)
        rank = DAMPING * multiply(rank) + (1 - DAMPING) / pages
    return rank


def main(spec: str = "processes:8", pages: int = 2_000, steps: int = 40) -> float:
    matrix = links(pages, np.random.default_rng(0))
    with anyk.engines.open(spec, workers=CODE.workers) as engine, anyk.place(matrix, CODE, engine=engine) as coded:
        unsubscribe = engine.subscribe(print)  # who is lost, and who takes the place

        def disturb(step: int) -> None:
            if step in (5, 10):
                print(f"step {step}: worker {step // 5} is killed")
                engine.lanes[step // 5].kill()

        rank = pagerank(coded.__matmul__, pages, steps, disturb)
        unsubscribe()
    alone = pagerank(matrix.__matmul__, pages, steps)
    best = np.argsort(-rank)[:5]
    print("the five pages linked to most:", *(f"{page} ({rank[page]:.4f})" for page in best.tolist()))
    difference = float(np.abs(rank - alone).max() / alone.max())
    same = np.array_equal(best, np.argsort(-alone)[:5])
    print(f"the same as NumPy alone: {same}; largest difference {difference:.0e}")
    return difference


if __name__ == "__main__":
    main(*sys.argv[1:2])
