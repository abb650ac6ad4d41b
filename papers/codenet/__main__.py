"""Run the experiment, and write its tables and its figure into the README.

    python -m papers.codenet --data path/to/mnist                          # small network, thousands of iterations
    python -m papers.codenet --data path/to/mnist --full                   # 784 - 10000 - 10000 - 10; 10 GB, an hour
    python -m papers.codenet --quick                                       # does it run at all?
    python -m papers.codenet --readme                                      # tables and figure anew from the results

Runs that are in ``results.json`` already are not made again; after ``--budget`` seconds no further one is begun.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from anyk.nn.data import Data, load
from benchmarks.kept import Kept
from papers.codenet.experiment import STRATEGIES, Setting, run
from papers.codenet.readme import write

HERE = Path(__file__).parent
RESULTS, README, FIGURE = HERE / "results.json", HERE / "README.md", HERE / "iterations.svg"
#: Samples to train on and to test with, as in the paper.
TRAIN, TEST = 2_000, 500
SMALL, FULL = 100, 10_000


def settings(full: bool, seeds: int) -> Iterator[Setting]:
    """Every run: at full size a few hundred executed iterations, small as many useful ones as in the paper."""
    if full:
        for name in STRATEGIES:
            yield Setting(name, FULL, interval=10, useful=200, executed=200)
        return
    for seed in range(seeds):
        for interval in (10, 5, 20):
            for name in STRATEGIES:
                if interval == 10 or name.startswith("replication"):
                    yield Setting(name, SMALL, interval, useful=500, executed=5_000, seed=seed)


def samples(source: str) -> Data:
    """As many as the paper has."""
    data = load(source)
    return replace(
        data,
        x_train=data.x_train[:TRAIN],
        y_train=data.y_train[:TRAIN],
        x_test=data.x_test[:TEST],
        y_test=data.y_test[:TEST],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing."""
    parser = argparse.ArgumentParser(prog="python -m papers.codenet", description=__doc__)
    parser.add_argument("--data", default="digits", help="digits, a folder of IDX files (MNIST), a .npz")
    parser.add_argument("--full", action="store_true", help="hidden layers of 10,000")
    parser.add_argument("--seeds", type=int, default=4, help="of the small network, 500 iterations each")
    parser.add_argument("--quick", action="store_true", help="tiny, nothing is kept")
    parser.add_argument("--readme", action="store_true", help="only write the tables and the figure")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no run is begun")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where runs are kept")
    options = parser.parse_args(arguments)
    if options.readme:
        write(json.loads(options.json.read_text())["rows"], README, FIGURE)
        return 0
    data = samples(options.data)
    kept, wanted = (
        Kept(None if options.quick else options.json, options.budget),
        [*settings(options.full, options.seeds)],
    )
    if options.quick:
        wanted = [Setting(name, 40, interval=2, useful=4, executed=12, rate=3e-3) for name in STRATEGIES]
    for setting in wanted:
        key = {"table": "runs", "data": Path(options.data).name, **setting.key()}
        kept.row(key, lambda setting=setting: run(setting, data))
    print(f"{kept.missing} of {len(wanted)} runs are missing" if kept.missing else "all runs made")
    return 0


if __name__ == "__main__":
    sys.exit(main())
