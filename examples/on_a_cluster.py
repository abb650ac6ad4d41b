"""One matrix, placed on any engine, multiplied again and again while workers come and go.

    python examples/on_a_cluster.py processes:8
    python examples/on_a_cluster.py dask://scheduler:8786
    python examples/on_a_cluster.py ray://auto
    mpiexec --with-ft ulfm -n 9 python -m anyk.engines.mpi examples/on_a_cluster.py mpi
    python examples/on_a_cluster.py 'tcp://0.0.0.0:7777?workers=8&key-file=key'

Power iteration: the largest singular value of A, from products with A and its transpose.
"""

import sys

import numpy as np

import anyk

CODE = anyk.codes.matdot(inner=3, workers=8)  # any 5 of 8 answers


def main(spec: str, steps: int = 40) -> float:
    rng = np.random.default_rng(0)
    A, v = rng.standard_normal((900, 600)), rng.standard_normal(600)
    with anyk.engines.open(spec, workers=CODE.workers) as engine, anyk.place(A, CODE, engine=engine) as coded:
        unsubscribe = engine.subscribe(print)  # who is lost, who joins
        for _ in range(steps):
            v = coded.T @ (coded @ v)
            size = np.linalg.norm(v)
            v /= size
        unsubscribe()
        print(f"{engine.name}: {len(engine.lanes)} workers, largest singular value {size**0.5:.6f}")
    return float(size**0.5)


if __name__ == "__main__":
    main(*sys.argv[1:2] or ["processes"])
