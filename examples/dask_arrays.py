"""A product of two Dask arrays that need not fit into memory, tile by tile on Dask's own workers, of which one dies.

    python examples/dask_arrays.py                            # workers of its own on this machine
    python examples/dask_arrays.py dask://scheduler:8786      # yours

Needs Dask: pip install 'anyk[dask]'.
"""

import sys

import dask
import dask.array as da
import numpy as np

import anyk

CODE = anyk.codes.matdot(inner=2, workers=5)  # any 3 of 5 answers


def main(spec: str = "dask:5", size: int = 600, memory: float = 6e6) -> float:
    source = da.random.default_rng(0)
    A = source.standard_normal((size, size // 2), chunks=size // 4)
    B = source.standard_normal((size // 2, size), chunks=size // 4)
    C = np.zeros((size, size))  # a Zarr array or a file would do as well
    # The tiles are computed here, by threads; they are multiplied on the workers.
    with anyk.engines.open(spec, workers=CODE.workers) as engine, dask.config.set(scheduler="threads"):
        engine.lanes[1].kill()
        done = anyk.matmul_stored(A, B, CODE, out=C, memory=memory, engine=engine, rng=0)
        print(f"{' x '.join(map(str, done.tiles))} tiles on {engine.name}, measured error {done.error:.0e}")
    true = float((da.linalg.norm(A @ B - C) / np.linalg.norm(C)).compute(scheduler="synchronous"))
    print(f"relative difference from Dask's own product: {true:.0e}")
    return true


if __name__ == "__main__":
    main(*sys.argv[1:2])
