"""Run one figure of the paper: its data into results.json, the figure as SVG and PNG, its table into the README.

    python -m papers approximate-matmul fig2a
    python -m papers approximate-matmul all --budget 600            # every figure but the logistic regression
    python -m papers approximate-matmul logistic --data path/to/mnist
    python -m papers approximate-matmul fig1a --quick               # tiny, printed, nothing is kept
    python -m papers approximate-matmul all --quick --json papers/approximate_matmul/expected.json

Rows that are in results.json already are not made again; after ``--budget`` seconds no further one is begun.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.kept import Kept
from papers import running
from papers.approximate_matmul import fig1, fig2, logistic, stored

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"

FIGURES: Mapping[str, str] = {
    "fig1a": "loss of the published search against the number of blocks m",
    "fig1b": "loss of the published search against the number of answers k",
    "fig1c": "loss of the published search over its starts",
    "fig1d": "all instances that the authors searched: their best loss and anyk's (not in the paper)",
    "fig2a": "loss against answers: OrthoMatDot, MatDot, scaled MatDot, a found code, anyk's",
    "fig2b": "error against answers, the same codes",
    "fig2c": "loss against answers, for six scalings of the points",
    "fig2d": "error over the scaling of the points",
    "stored": "the codes that the authors stored for the logistic regression, and anyk's (not in the paper)",
    "logistic": "logistic regression with approximate products: worst and random sets of answers",
}


def maker(figure: str) -> Any:
    """The module that makes a figure: `keys`, `row`, `table`, `draw`."""
    return {"logistic": logistic, "stored": stored}.get(figure, fig1 if figure.startswith("fig1") else fig2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing of one figure, and renew figure and table."""
    parser = argparse.ArgumentParser(prog="python -m papers approximate-matmul", description=__doc__.splitlines()[0])
    parser.add_argument("figure", choices=[*FIGURES, "all"], help="which; all: every one but logistic")
    parser.add_argument("--quick", action="store_true", help="tiny, printed, nothing is kept")
    parser.add_argument("--data", default="digits", help="of logistic: digits, or a folder of IDX files (MNIST)")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no row is begun")
    parser.add_argument("--json", type=Path, help="where rows are kept; default: results.json, with --quick nowhere")
    options = parser.parse_args(arguments)
    kept = Kept(options.json or (None if options.quick else RESULTS), options.budget)
    for figure in [name for name in FIGURES if name != "logistic"] if options.figure == "all" else [options.figure]:
        more = {"data": options.data} if figure == "logistic" else {}
        mark = figure.rstrip("abcd") if figure.startswith("fig") else figure  # of the table, which figures share
        running.make(maker(figure), figure, kept, HERE, mark=mark, quick=options.quick, **more)
    print(f"{kept.missing} rows are missing; the same command goes on" if kept.missing else "done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
