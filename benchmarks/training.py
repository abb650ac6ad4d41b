"""Training under errors: strategies side by side, as a network is trained on nodes that err in every step.

    python -m benchmarks.training --data digits --json docs/_data/training.json   # go on until all is there
    python -m benchmarks.training --data path/to/mnist --steps 250 --json docs/_data/training.json
    python -m benchmarks.training --quick

Every cell is one run of `anyk.nn.training.train`: a strategy, a number of nodes, an error rate, a seed. All runs of one
seed have the same network, samples and order; the first of them has no errors and sets the accuracy to reach. A run
that has executed twice as many updates as it should make counts as stuck. One attempt at a product before it is rolled
back is what the papers do; two are the default here. Runs that are in the file already are not made again; after
``--budget`` seconds no further one is begun.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anyk.nn.runs import Configuration
from anyk.nn.training import train
from benchmarks.kept import Kept, Row

#: Strategy, grid, nodes.
CONTENDERS = (
    ("uncoded", (2, 2), 4),
    ("replication", (2, 2), 8),
    ("replication", (2, 2), 12),
    ("mds", (2, 2), 12),
    ("gpd", (2, 2), 8),
    ("gpd", (2, 2), 10),
    ("gpd", (2, 2), 12),
    ("gpd", (2, 4), 20),
)
RATES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2)
#: Updates executed before a run counts as stuck, as a multiple of those asked for.
PATIENCE = 2.0


def configurations(options: argparse.Namespace) -> Iterator[tuple[Row, Configuration]]:
    """Every run, with what tells it apart; those without errors first, then seed by seed."""
    for seed in range(options.seeds):
        yield _run(options, "uncoded", (2, 2), 4, 0.0, 1, seed)
    for seed in range(options.seeds):
        for attempts in options.attempts:
            for rate in options.rates:
                for strategy, grid, nodes in CONTENDERS:
                    if strategy == "uncoded" and attempts > 1:
                        continue  # nothing is ever tried again
                    yield _run(options, strategy, grid, nodes, rate, attempts, seed)


def _run(
    options: argparse.Namespace,
    strategy: str,
    grid: tuple[int, int],
    nodes: int,
    rate: float,
    attempts: int,
    seed: int,
) -> tuple[Row, Configuration]:
    key = {
        "table": "runs",
        "data": Path(options.data).name,
        "strategy": strategy,
        "grid": " x ".join(map(str, grid)),
        "nodes": nodes,
        "rate": rate,
        "attempts": attempts,
        "seed": seed,
    }
    configuration = Configuration(
        data=options.data,
        strategy=strategy,
        grid=grid,
        nodes=nodes,
        error_rate=rate,
        attempts=attempts,
        seed=seed,
        steps=options.steps,
        patience=PATIENCE,
    )
    return key, configuration


def outcome(configuration: Configuration) -> Row:
    """What is kept of a run."""
    run = train(configuration).run
    return {
        "accuracy": round(run.accuracy, 6),
        "finished": run.finished,
        "steps": run.steps,
        "executed": run.executed,
        "rollbacks": run.rollbacks,
        "injected": run.errors_injected,
        "located": run.errors_located,
        "regenerated": run.blocks_regenerated,
        "repeated": run.products_repeated,
        "decode": run.errors_by_step.get("decode", 0),
        "activation": run.errors_by_step.get("activation", 0) + run.errors_by_step.get("hadamard", 0),
        "seconds": round(run.seconds, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--data", default="digits", help="digits, a folder of IDX files, a .npz")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--rates", type=_numbers(float), default=RATES, help="of errors, by commas")
    parser.add_argument("--attempts", type=_numbers(int), default=(1, 2), help="at a product, by commas")
    parser.add_argument("--steps", type=int, default=225, help="updates of a run; 225 are five epochs of the digits")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no run is begun")
    parser.add_argument("--json", type=Path, default=None, help="where runs are kept, and what was made before")
    parser.add_argument("--quick", action="store_true", help="three updates and a few cells: does it run at all?")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.rates, options.attempts, options.steps = 1, (1e-2,), (2,), 3
    kept = Kept(options.json, options.budget)
    for key, configuration in configurations(options):
        kept.row(key, partial(outcome, configuration))
    print(*kept.printed(), sep="\n")
    return 0


def _numbers(kind: type) -> Any:
    return lambda text: tuple(kind(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
