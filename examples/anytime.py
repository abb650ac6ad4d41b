"""A product that is shown while it gets better, with a bar that fills up as its measured error falls.

    python examples/anytime.py

The workers are as late as on a measured serverless platform. Nobody says beforehand how many answers will be waited
for: the loop is left when the error is small enough, whoever has answered by then.
"""

import math
import sys

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import anyk

CODE = anyk.codes.approximate_matdot(inner=5, workers=10, profile="graceful")


def main(spec: str = "processes:10", size: int = 1_000, goal: float = 1e-6, unit: float = 0.4) -> list[float]:
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((size, size)), rng.standard_normal((size, size))
    faults = anyk.faults.preset("lambda", unit)  # a task usually takes `unit` seconds, and sometimes far longer
    digits = -math.log10(goal)
    errors = []
    columns = BarColumn(30), TextColumn("{task.description}"), TimeElapsedColumn()
    with anyk.engines.open(spec, workers=CODE.workers, faults=faults, seed=3) as engine, Progress(*columns) as bar:
        task = bar.add_task("no answer yet", total=digits)
        for product in anyk.stream(A, B, CODE, engine=engine, rng=0, tolerance=goal):
            errors.append(product.error)
            told = f"{len(product.survivors)} of {CODE.workers} answers: error {product.error:.0e}"
            bar.update(task, completed=min(digits, -math.log10(product.error)), description=told)
            bar.console.print(f"after {product.seconds['total']:5.2f} s, {told}")
    true = float(np.linalg.norm(product.value - A @ B) / np.linalg.norm(A @ B))
    print(f"measured error {errors[-1]:.1e}; the true one is {true:.1e}")
    return errors


if __name__ == "__main__":
    main(*sys.argv[1:2])
