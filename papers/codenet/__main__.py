"""Make a figure of the papers, with its data and its table in the README.

    python -m papers codenet tradeoff                                      # thresholds against communication
    python -m papers codenet tolerance                                     # wrong nodes corrected, against nodes
    python -m papers codenet runtime                                       # run time against the rate of errors
    python -m papers codenet training --data path/to/mnist                 # small network, hundreds of iterations
    python -m papers codenet training --data path/to/mnist --full          # 784 - 10000 - 10000 - 10; 5 GB, 13 minutes
    python -m papers codenet training --readme                             # its tables and figure anew from the results
    python -m papers codenet training --quick                              # any figure: does it run at all?

Runs that are in ``results.json`` already are not made again; after ``--budget`` seconds no further one is begun.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from anyk.nn.data import Data, load
from benchmarks.kept import Kept
from papers import running
from papers.codenet import runtime, tolerance, tradeoff
from papers.codenet.experiment import STRATEGIES, Setting, run
from papers.codenet.readme import write

HERE = Path(__file__).parent
RESULTS, README, FIGURE = HERE / "results.json", HERE / "README.md", HERE / "figures" / "training"

FIGURES: Mapping[str, str] = {
    "tradeoff": "answers needed against numbers sent back: Generalized PolyDot between MatDot and Polynomial",
    "tolerance": "wrong nodes corrected against nodes, for both models of errors and all strategies",
    "training": "training under the paper's soft errors, on the paper's 38 to 40 nodes",
    "runtime": "run time with checkpoints against the rate of errors",
}
MODULES = {"tradeoff": tradeoff, "tolerance": tolerance, "runtime": runtime}
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
    """Run what is missing of one figure."""
    parser = argparse.ArgumentParser(prog="python -m papers codenet", description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", choices=[*FIGURES], default="training", help="which; default: training")
    parser.add_argument("--data", default="digits", help="digits, a folder of IDX files (MNIST), a .npz")
    parser.add_argument("--full", action="store_true", help="hidden layers of 10,000")
    parser.add_argument("--seeds", type=int, default=4, help="of the small network, 500 iterations each")
    parser.add_argument("--quick", action="store_true", help="tiny, nothing is kept")
    parser.add_argument("--readme", action="store_true", help="only write the tables and the figure")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no run is begun")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where runs are kept")
    options = parser.parse_args(arguments)
    if options.figure in MODULES:
        place = None if options.quick else options.json.with_name("figures.json")
        kept = Kept(place, options.budget)
        running.make(MODULES[options.figure], options.figure, kept, HERE, mark=options.figure, quick=options.quick)
        print(f"{kept.missing} rows are missing; the same command goes on" if kept.missing else "done")
        return 0
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
