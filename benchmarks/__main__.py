"""The runner: find the `bench_*.py` files, run them, print a table each and keep the rows as JSON."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks; 0 when all went well, 2 when one is not known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="which to run, without bench_; default: all")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: does it run at all?")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where the JSON goes")
    options = parser.parse_args(arguments)

    known = discover()
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; known: {', '.join(known) or 'none'}", file=sys.stderr)
        return 2
    if not known:
        print("no benchmarks yet: add benchmarks/bench_<stage>.py with run(tiny) -> list[dict]")
        return 0
    for name in options.names or known:
        rows = import_module(f"benchmarks.bench_{name}").run(tiny=options.tiny)
        print(f"\n{name}\n{table(rows)}")
        options.results.mkdir(parents=True, exist_ok=True)
        report = {"benchmark": name, "tiny": options.tiny, "machine": machine(), "rows": rows}
        (options.results / f"{name}.json").write_text(json.dumps(report, indent=1, default=float) + "\n")
    return 0


def discover() -> list[str]:
    """Names of the benchmarks present, without `bench_`."""
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def table(rows: Sequence[dict[str, object]]) -> str:
    """The rows as text in columns, numbers with four significant digits."""
    if not rows:
        return "(no rows)"
    columns = list(rows[0])
    cells = [columns, *([show(row[column]) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in cells)


def show(value: object) -> str:
    """One cell."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def machine() -> dict[str, object]:
    """Where the numbers come from, so that two files can be compared."""
    import numpy

    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
