"""A graph-convolution network's forward pass, on workers of which one is slow, one stopped for good, one killed.

    python examples/graph_convolution.py

Each layer is H' = relu(S H W) with the normalized adjacency matrix S of the graph. S is the large one: it stays on the
workers, coded, for both layers; H W is small and computed here.
"""

import sys

import numpy as np

import anyk

CODE = anyk.codes.mds(rows=5, workers=8)


def communities(nodes: int, groups: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random graph whose groups keep to themselves: S = D^-1/2 (adjacency + 1) D^-1/2, and who belongs where."""
    group = rng.integers(groups, size=nodes)
    likely = np.where(group[:, None] == group[None], 0.08, 0.005)
    adjacency = np.triu(rng.random((nodes, nodes)) < likely, 1)
    adjacency = adjacency + adjacency.T + np.eye(nodes)
    scale = adjacency.sum(axis=0) ** -0.5
    return adjacency * scale[:, None] * scale, group


def forward(spread, H: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """All layers; ``spread`` multiplies by S."""
    for W in weights[:-1]:
        H = np.maximum(spread(H @ W), 0)
    return spread(H @ weights[-1])


def main(spec: str = "processes:8", nodes: int = 1_200, groups: int = 4) -> float:
    rng = np.random.default_rng(0)
    S, group = communities(nodes, groups, rng)
    # Some nodes are labelled; the untrained network only spreads what is known, which is most of what such networks do.
    features = np.eye(groups)[group] * (rng.random(nodes) < 0.1)[:, None] + 0.01 * rng.standard_normal((nodes, groups))
    weights = [np.eye(groups, 16), np.eye(16, groups)]

    # One worker takes twenty times as long as the others, one never answers; a third is killed.
    faults = anyk.faults.combine(anyk.faults.SlowNodes(factor=20.0, ranks=(3,)), anyk.faults.Stop(ranks=(6,)))
    with (
        anyk.engines.open(spec, workers=CODE.workers, faults=faults) as engine,
        anyk.place(S, CODE, engine=engine) as coded,
    ):
        engine.lanes[0].kill()
        scores = forward(coded.__matmul__, features, weights)
    alone = forward(S.__matmul__, features, weights)
    difference = float(np.linalg.norm(scores - alone) / np.linalg.norm(alone))
    print(f"group found for {100 * np.mean(scores.argmax(axis=1) == group):.1f} % of {nodes} nodes, from 10 % labels")
    print(f"relative difference from NumPy's forward pass: {difference:.0e}")
    return difference


if __name__ == "__main__":
    main(*sys.argv[1:2])
