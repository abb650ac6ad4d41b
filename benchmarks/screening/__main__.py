"""How well wrong answers are found, and what that costs; one table after the other.

`found`: of random trials, how many end with every wrong answer named, with errors that cannot be told from rounding,
with a declared failure, or silently wrong. `conspiracies`: the same for workers who agree on a false codeword, and for
errors with one cause. `colluding`: as many who agree as can be spared, each answer checked. `clean`: the loudest of
many right words. `smallest`: the smallest error that shows. `cost`: of looking. `rivals`: other ways, side by side.
Large tables can be filled in parts: each row is kept as it comes in the place of its kind, and `--missing` makes only
those that the file lacks.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.__main__ import machine, table
from benchmarks.screening.clean import clean
from benchmarks.screening.colluding import colluding
from benchmarks.screening.cost import cost
from benchmarks.screening.found import Part, conspiracies, found
from benchmarks.screening.rivals import rivals
from benchmarks.screening.smallest import smallest
from benchmarks.screening.words import DTYPES, Row

#: What tells the rows of a table apart.
KEYS = {
    "found": ("P", "dtype", "errors", "wrong"),
    "conspiracies": ("P", "dtype", "errors", "wrong"),
    "colluding": ("code", "P", "dtype"),
    "clean": ("dtype", "state"),
    "smallest": ("dtype", "side", "by", "error in"),
    "cost": ("code", "what"),
    "rivals": ("method",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the chosen tables, print them, and keep their rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screening", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(KEYS)}; default: all")
    parser.add_argument("--trials", type=int, default=1000, help="in each cell")
    parser.add_argument("--side", type=int, default=2000, help="of the matrices of `cost` and `rivals`")
    parser.add_argument("--words", type=int, default=1_000_000, help="right words")
    parser.add_argument("--workers", type=int, nargs=2, default=(8, 40), metavar=("LEAST", "MOST"))
    parser.add_argument("--wrong", type=int, nargs=2, default=(1, 40), metavar=("LEAST", "MOST"))
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES)
    parser.add_argument("--errors", nargs="+", default=(), metavar="KIND")
    parser.add_argument("--json", type=Path, help="a file that keeps the rows")
    parser.add_argument("--missing", action="store_true", help="of `found` and `conspiracies`: rows the file lacks")
    chosen = parser.parse_args(arguments)
    if unknown := sorted({*chosen.tables} - KEYS.keys()):
        print(f"no table named {', '.join(unknown)}; known: {', '.join(KEYS)}", file=sys.stderr)
        return 2
    for name in chosen.tables or KEYS:
        what, rows = _made(name, chosen)
        made = []
        for row in rows:
            made.append(row)
            print("  ".join(str(value) for value in row.values()), file=sys.stderr, flush=True)
            if chosen.json is not None:
                keep(chosen.json, name, row)
        print(f"\n{name}: {what}\n\n{table(made)}", flush=True)
    return 0


def _made(name: str, chosen: argparse.Namespace) -> tuple[str, Iterator[Row]]:
    known = {_key(name, row) for row in _kept(chosen.json, name)} if chosen.missing else set()
    part = Part(
        chosen.trials,
        tuple(chosen.workers),
        tuple(chosen.wrong),
        tuple(chosen.dtypes),
        tuple(chosen.errors),
        lambda row: _key(name, row) in known,
    )
    match name:
        case "found":
            return found.__doc__ or "", found(part)
        case "conspiracies":
            return conspiracies.__doc__ or "", conspiracies(part)
        case "clean":
            return clean.__doc__ or "", clean(chosen.words)
        case "colluding":
            return colluding.__doc__ or "", colluding(chosen.trials)
        case "cost":
            return cost.__doc__ or "", cost(chosen.side)
        case "rivals":
            first, _, _ = (rivals.__doc__ or "").partition("\n")
            return first, rivals(chosen.side, max(3, chosen.trials // 10), 90)
    return smallest.__doc__ or "", smallest(max(20, part.trials // 10))


def keep(place: Path, name: str, row: Row) -> None:
    """Write a row into its table in the file, in the place of one of the same kind."""
    before = json.loads(place.read_text()) if place.exists() else {}
    rows = {_key(name, each): each for each in [*_kept(place, name), row]}
    in_order = sorted(rows.items()) if name in ("found", "conspiracies") else [*rows.items()]
    content = {**before, name: {"machine": machine(), "rows": [each for _, each in in_order]}}
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(dict(sorted(content.items())), indent=1, ensure_ascii=False) + "\n")


def _kept(place: Path | None, name: str) -> list[Row]:
    if place is None or not place.exists():
        return []
    rows: list[Row] = json.loads(place.read_text()).get(name, {"rows": []})["rows"]
    return rows


def _key(name: str, row: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(str(row[column]).rjust(4) for column in KEYS[name])


if __name__ == "__main__":
    sys.exit(main())
