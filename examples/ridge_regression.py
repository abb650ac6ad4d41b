"""Ridge regression by conjugate gradients, while one worker answers wrongly without notice.

    python examples/ridge_regression.py

Minimize |A w - y|^2 + weight |w|^2, that is (A^T A + weight) w = A^T y. A stays on the workers; `wrong=1` awaits one
answer more and checks each through secret vectors that were taken from A before it was placed.
"""

import sys

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

import anyk

CODE = anyk.codes.generalized_polydot(rows=2, inner=2, cols=1, workers=9)
LIAR = 4


def solve(coded: anyk.CodedMatrix, y: np.ndarray, weight: float) -> np.ndarray:
    """The weights w."""

    def normal(w):
        return coded.T @ (coded @ w) + weight * w

    depth = coded.shape[1]
    w, failed = cg(LinearOperator((depth, depth), normal, dtype=y.dtype), coded.T @ y, rtol=1e-10, atol=0.0)
    assert not failed
    return w


def main(spec: str = "processes:9", samples: int = 2_000, features: int = 300, weight: float = 10.0) -> float:
    rng = np.random.default_rng(0)
    A, truth = rng.standard_normal((samples, features)), rng.standard_normal(features)
    y = A @ truth + 0.1 * rng.standard_normal(samples)
    # Worker 4 adds noise to every answer it gives, and says nothing.
    faults = anyk.faults.GaussianError(ranks=(LIAR,))
    with (
        anyk.engines.open(spec, workers=CODE.workers, faults=faults) as engine,
        anyk.place(A, CODE, engine=engine, wrong=1, rng=1) as coded,
    ):
        w = solve(coded, y, weight)
        caught = anyk.engines.suspicions(engine)
    alone = np.linalg.solve(A.T @ A + weight * np.eye(features), A.T @ y)
    difference = float(np.linalg.norm(w - alone) / np.linalg.norm(alone))
    print(f"wrong answers found, by worker: {caught}; whoever was wrong twice is not asked again")
    print(f"relative difference from NumPy's solution: {difference:.0e}")
    return difference


if __name__ == "__main__":
    main(*sys.argv[1:2])
