"""The runner: find the `bench_*.py` files, run them, print their tables and keep the rows as JSON."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks; 0 when all went well, 2 when one is not known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="which to run, without bench_; default: all")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: does it run at all?")
    parser.add_argument(
        "--json",
        type=Path,
        default=HERE / "results",
        help="where the rows go: a directory gets a file each, a .json file keeps the newest of every benchmark",
    )
    options = parser.parse_args(arguments)

    known = discover()
    unknown = sorted(set(options.only or ()) - set(known))
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in options.only or known:
        module = import_module(f"benchmarks.bench_{name}")
        rows = module.run(tiny=options.tiny)
        print(f"\n{name}: {module.__doc__.splitlines()[0]}\n\n{table(rows)}", flush=True)
        keep(options.json, name, {"tiny": options.tiny, "machine": machine(), "rows": rows})
    return 0


def discover() -> list[str]:
    """Names of the benchmarks present, without `bench_`."""
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def keep(place: Path, name: str, report: Mapping[str, Any]) -> None:
    """Write one benchmark's rows: into a file of its own, or into its place in a common one."""
    if place.suffix == ".json":
        before = json.loads(place.read_text()) if place.exists() else {}
        path, content = place, dict(sorted({**before, name: report}.items()))
    else:
        path, content = place / f"{name}.json", {"benchmark": name, **report}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, default=float, ensure_ascii=False) + "\n")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as text in columns; where the columns change, a new table begins."""
    return "\n\n".join(_columns(part) for part in parts(rows)) or "(no rows)"


def parts(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Runs of rows with the same columns."""
    for _, part in groupby(rows, key=list):
        yield list(part)


def _columns(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(rows[0])
    cells = [columns, *([show(row[column]) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in cells)


def show(value: Any) -> str:
    """One cell: numbers with three digits, a spread as its median with least and largest behind."""
    if isinstance(value, Mapping):
        return f"{show(value['median'])} ({show(value['min'])}–{show(value['max'])})"
    if isinstance(value, float):
        return f"{value:#.3g}".rstrip(".") if 1e-3 <= abs(value) < 1e3 or not value else f"{value:.3g}"
    return "" if value is None else str(value)


def machine() -> dict[str, object]:
    """Where the numbers come from, so that two files can be compared."""
    import numpy

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
