"""A small transformer on real text while bits flip: coded, not coded, clean, and on real ranks of which two die.

    python -m benchmarks.training_language --steps 200 --width 64 --json docs/_data/training_language.json
    python -m benchmarks.training_language --quick

Every row is one run of `examples/language_model.py`: the loss of its updates, one in ten.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from anyk.nn.ranks import ONE_THREAD
from benchmarks.kept import Kept, Row


def measured(steps: int, width: int, ranks: int, killed: int) -> dict[str, list[float]]:
    """Losses of each run, as the example prints them; with ranks: of real ones."""
    start = ["anyk.nn.ranks", f"--nodes={ranks}", "--restarts=0"] if ranks else []
    sizes = [str(steps), str(width), *([str(killed)] if ranks else [])]
    command = [sys.executable, "-m", *start, "examples.language_model", *sizes]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD}, stdout=subprocess.PIPE, text=True, check=True, timeout=3600
    )
    told = {}
    for line in done.stdout.splitlines():
        name, numbers = line[:10].strip(), line[10:].split()
        told[name] = [float(number) for number in numbers]
    return told


def row(steps: int, width: int, ranks: int, killed: int) -> Row:
    """All curves of one command, side by side."""
    return {
        name: " ".join(f"{loss:.3f}" for loss in curve) for name, curve in measured(steps, width, ranks, killed).items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_language", description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="updates")
    parser.add_argument("--width", type=int, default=64, help="of the transformer")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no run is begun")
    parser.add_argument("--json", type=Path, default=None, help="where rows are kept, and what was made before")
    parser.add_argument("--quick", action="store_true", help="three updates: does it run at all?")
    options = parser.parse_args(arguments)
    if options.quick:
        options.steps, options.width = 3, 16
    kept = Kept(options.json, options.budget)
    key = {"updates": options.steps, "width": options.width}
    kept.row({"table": "virtual", **key}, partial(row, options.steps, options.width, 0, 0))
    kept.row({"table": "ranks", **key, "P": 12, "killed": 2}, partial(row, options.steps, options.width, 12, 2))
    print(*kept.printed(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
