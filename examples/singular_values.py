"""Singular values and eigenvalues by SciPy, on a matrix that lives on the workers.

    python examples/singular_values.py

SciPy's Lanczos solvers need only products, here with A and with its transpose. Both come from the same coded blocks:
any 5 of 8 answers give A x, any 6 of 8 give A^T y. A worker is killed while the solver runs.
"""

import sys

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh, svds

import anyk

CODE = anyk.codes.generalized_polydot(rows=2, inner=2, cols=1, workers=8)


def main(spec: str = "processes:8", height: int = 900, depth: int = 600, count: int = 4) -> float:
    rng = np.random.default_rng(0)
    # A few strong directions above noise, as in data one wants the principal components of.
    A = rng.standard_normal((height, 6)) * np.arange(12, 0, -2) @ rng.standard_normal((6, depth))
    A += rng.standard_normal(A.shape)
    with anyk.engines.open(spec, workers=CODE.workers) as engine, anyk.place(A, CODE, engine=engine) as coded:
        products = 0

        def counted(multiply):
            def times(x):
                nonlocal products
                products += 1
                if products == 4:
                    print("product 4: worker 2 is killed")
                    engine.lanes[2].kill()
                return multiply(x)

            return times

        operator = coded.as_linear_operator()
        watched = LinearOperator(A.shape, counted(operator.matvec), counted(operator.rmatvec), dtype=A.dtype)
        found = np.sort(svds(watched, k=count, return_singular_vectors=False, random_state=0))[::-1]
        print(f"singular values: {found.round(6)}, after {products} products")

        gram = LinearOperator((depth, depth), lambda x: coded.T @ (coded @ x), dtype=A.dtype)
        start = np.ones(depth)
        eigenvalues = np.sort(eigsh(gram, k=count, v0=start, return_eigenvectors=False))[::-1]
        print(f"eigenvalues of A^T A: {eigenvalues.round(3)}")
    alone = np.linalg.svd(A, compute_uv=False)[:count]
    difference = max(
        float(np.abs(found / alone - 1).max()),
        float(np.abs(np.sqrt(eigenvalues) / alone - 1).max()),
    )
    print(f"largest relative difference from NumPy's: {difference:.0e}")
    return difference


if __name__ == "__main__":
    main(*sys.argv[1:2])
