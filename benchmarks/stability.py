"""Which basis survives how many missing answers: `python -m benchmarks.stability [--quick]`.

Two tables. *Products*: relative errors of real multiplications, decoded from random survivor sets of threshold size,
from the ranks 0 … K-1, and with neighbouring evaluation points missing, the worst kind of set. *Safe*: which precision
holds an expected error of 1e-3, by basis, K and missing answers, on random sets (a family refuses to be
built where none holds it) and on that worst one. Nothing is timed. The full run takes about a minute and writes
docs/_data/stability.json, from which the manual makes its tables.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import anyk
from anyk import bases
from anyk.code import WORST_USEFUL_ERROR, Code
from anyk.errors import CodeError
from anyk.partition import Partition
from anyk.weights import survivor_sets
from benchmarks.__main__ import table

DATA = Path(__file__).parents[1] / "docs/_data/stability.json"
DTYPES = ("float64", "float32")
MISSING = ("0", "1", "2", "4", "8", "K/2")


@dataclass(frozen=True)
class Case:
    """One row of real multiplications: a family, its arguments, and the basis where the family has one."""

    family: str
    arguments: dict[str, int] = field(hash=False)
    basis: str = ""

    def code(self, dtype: str) -> Code:
        basis = {"basis": self.basis} if self.basis else {}
        return anyk.codes.CATALOGUE[self.family].function(**self.arguments, **basis, dtype=dtype)

    def __str__(self) -> str:
        return f"{self.family}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"


TRIGONOMETRIC, CHEBYSHEV, CIRCLE, MONOMIAL = "trigonometric", "chebyshev", "unit_circle", "monomial"


def _cases() -> Iterator[Case]:
    """The cases of the manual, from few missing answers to many."""
    for basis in (TRIGONOMETRIC, CHEBYSHEV, CIRCLE, MONOMIAL):
        yield Case("matdot", {"inner": 75, "workers": 151}, basis)
        yield Case("polynomial", {"rows": 12, "cols": 12, "workers": 146}, basis)
    yield Case("mds", {"rows": 144, "workers": 146}, TRIGONOMETRIC)
    yield Case("polydot", {"rows": 4, "inner": 2, "cols": 12, "workers": 146}, TRIGONOMETRIC)
    yield Case("generalized_polydot", {"rows": 6, "inner": 4, "cols": 6, "workers": 149}, TRIGONOMETRIC)
    yield Case("generalized_polydot", {"rows": 8, "inner": 8, "cols": 8, "workers": 521}, TRIGONOMETRIC)
    yield Case("generalized_polydot", {"rows": 4, "inner": 4, "cols": 4, "workers": 72}, TRIGONOMETRIC)
    yield Case("generalized_polydot", {"rows": 4, "inner": 4, "cols": 1, "workers": 24}, TRIGONOMETRIC)
    for basis in (TRIGONOMETRIC, CHEBYSHEV, CIRCLE, MONOMIAL):
        yield Case("matdot", {"inner": 10, "workers": 21}, basis)
        yield Case("matdot", {"inner": 10, "workers": 29}, basis)
    yield Case("matdot", {"inner": 20, "workers": 59}, TRIGONOMETRIC)
    yield Case("generalized_polydot", {"rows": 4, "inner": 4, "cols": 1, "workers": 32}, TRIGONOMETRIC)
    for workers in (18, 21):
        yield Case("polynomial", {"rows": 4, "cols": 4, "workers": workers}, TRIGONOMETRIC)
    for workers in (66, 72, 96):
        for basis in (TRIGONOMETRIC, CHEBYSHEV):
            yield Case("polynomial", {"rows": 8, "cols": 8, "workers": workers}, basis)
        yield Case("random_khatri_rao", {"rows": 8, "cols": 8, "workers": workers, "rng": 0})


QUICK = (
    Case("matdot", {"inner": 4, "workers": 9}, TRIGONOMETRIC),
    Case("polynomial", {"rows": 8, "cols": 8, "workers": 66}, MONOMIAL),
    Case("random_khatri_rao", {"rows": 2, "cols": 2, "workers": 6, "rng": 0}),
)


# --- real multiplications ----------------------------------------------------------------------------------------


def product_row(case: Case, dtype: str, sets: int) -> dict[str, Any]:
    """Errors of one case in one dtype."""
    row: dict[str, Any] = {"case": str(case), "basis": case.basis or "random", "dtype": dtype}
    try:
        code = case.code(dtype)
    except CodeError:
        return {**row, **_counts(case), "refused": True}
    row |= {"K": code.recovery_threshold, "P": code.workers, "missing": code.workers - code.recovery_threshold}
    drawn = survivor_sets(code.workers, code.recovery_threshold, sets, np.random.default_rng(1))
    drawn = np.concatenate([drawn[:-1], drawn[-1:], neighbours(code)[None]])
    errors, expected = errors_of(code, drawn, dtype), [code.expected_error(tasks, dtype) for tasks in drawn]
    return row | {
        "sets": len(drawn) - 2,
        "median": float(np.median(errors[:-2])),
        "worst": float(errors[:-2].max()),
        "ranks": float(errors[-2]),
        "neighbours": float(errors[-1]),
        "measured over expected": float(np.median(errors / expected)),
    }


def _counts(case: Case) -> dict[str, int]:
    """K and P of a code that does not exist: those of the trigonometric one."""
    code = Case(case.family, case.arguments, TRIGONOMETRIC).code("float64")
    return {"K": code.recovery_threshold, "P": code.workers, "missing": code.workers - code.recovery_threshold}


def neighbours(code: Code) -> np.ndarray:
    """Survivors at neighbouring points, so that the missing ones leave one gap; ranks are scattered over the points."""
    return np.sort(np.argsort(bases.scattered(code.workers))[: code.recovery_threshold])


def errors_of(code: Code, sets: np.ndarray, dtype: str) -> np.ndarray:
    """Relative Frobenius errors of one real product decoded from each survivor set."""
    cut, rng = code.partition, np.random.default_rng(2)
    height, depth, width = (parts * -(-48 // parts) for parts in (cut.rows, cut.inner, cut.cols))
    A, B = (rng.standard_normal(shape).astype(dtype) for shape in ((height, depth), (depth, width)))
    wide = np.longdouble if dtype == "float64" else np.float64
    exact = A.astype(wide) @ B.astype(wide)
    answers = [a @ b for a, b in zip(*code.encode(A, B), strict=True)]
    errors = []
    for tasks in sets:
        given = {int(task): answers[task] for task in tasks}
        value = anyk.decode(code, given, shape=(height, width), partial=True).value.real
        errors.append(float(np.linalg.norm(value - exact) / np.linalg.norm(exact)))
    return np.array(errors)


# --- who declares itself safe ------------------------------------------------------------------------------------


def safe_rows(sizes: Sequence[int], *, sets: int) -> Iterator[dict[str, Any]]:
    """Families with a square grid of ``size`` x ``size`` blocks, and MatDot with a threshold next to it."""
    for size in sizes:
        for basis in (*bases.BASES, "random"):
            for family, threshold in (("polynomial", size * size), ("matdot", size * size | 1)):
                if family == "matdot" and basis == "random":
                    continue
                for column in MISSING:
                    missing = threshold // 2 if column == "K/2" else int(column)
                    yield {"column": column, **safe_row(family, basis, threshold, missing, sets)}


def safe_row(family: str, basis: str, threshold: int, missing: int, sets: int) -> dict[str, Any]:
    """What the family's constructor would decide, with the errors it decides by, in both dtypes."""
    code = unchecked(family, basis, threshold, missing)
    row: dict[str, Any] = {"family": family, "basis": basis, "K": threshold, "missing": missing}
    for dtype in DTYPES:
        errors = code.errors(threshold, dtype, sets=sets)
        worst = code.expected_error(neighbours(code), dtype)
        row[dtype] = {"median": float(np.median(errors)), "neighbours": worst}
    return row


def unchecked(family: str, basis: str, threshold: int, missing: int) -> Code:
    """The code as its family fills it, also where the family would refuse it."""
    workers = threshold + missing
    if family == "matdot":
        cut = Partition(1, (threshold + 1) // 2, 1)
    else:
        size = round(threshold**0.5)
        cut = Partition(size, 1, size)
    if basis == "random":
        rng = np.random.default_rng(0)
        left, right = (rng.standard_normal((*shape, workers)) for shape in ((cut.rows, 1), (1, cut.cols)))
        return Code("random_khatri_rao", cut, left, right, threshold)
    *tables, positions = bases.digit_tables(cut.rows, cut.inner, cut.cols, workers, stride=cut.inner, basis=basis)
    return Code(family, cut, *tables, threshold, positions=positions)


# --- the whole ---------------------------------------------------------------------------------------------------


def measure(*, quick: bool) -> dict[str, Any]:
    """Both tables, and where they come from."""
    cases, sets, sizes = (QUICK, 5, (2,)) if quick else ([*_cases()], 100, (3, 4, 5, 6, 8, 10, 12))
    return {
        "numpy": np.__version__,
        "limit": WORST_USEFUL_ERROR,
        "products": [product_row(case, dtype, sets) for case in cases for dtype in DTYPES],
        "safe": [*safe_rows(sizes, sets=24)],
    }


def written(measured: dict[str, Any]) -> str:
    """JSON with one row per line and two digits per number: what a person can compare."""

    def short(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: short(each) for name, each in value.items()}
        return float(f"{value:.1e}") if isinstance(value, float) else value

    parts = []
    for name, value in measured.items():
        rows = ",\n  ".join(json.dumps(short(row)) for row in value) if isinstance(value, list) else ""
        parts.append(f"{json.dumps(name)}: " + (f"[\n  {rows}\n ]" if rows else json.dumps(value)))
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def product_table(rows: Sequence[dict[str, Any]]) -> str:
    """The real multiplications as text."""
    names = ("case", "basis", "K", "missing", "dtype", "median", "worst", "ranks", "neighbours")
    return table([{name: _short(row.get(name, "refused")) for name in names} for row in rows])


def narrowest(row: dict[str, Any], kind: str) -> str:
    """The narrowest dtype in which a code stays below the limit on its random sets, or on the worst one."""
    return next((dtype for dtype in reversed(DTYPES) if row[dtype][kind] <= WORST_USEFUL_ERROR), "no")


def safe_table(rows: Sequence[dict[str, Any]]) -> str:
    """Who is safe, as text: the narrowest dtype that is, on random sets (as families declare) and on the worst set."""
    lines: dict[tuple[str, str, int], dict[str, object]] = {}
    for row in rows:
        line = lines.setdefault((row["family"], row["basis"], row["K"]), {k: row[k] for k in ("family", "basis", "K")})
        both = (narrowest(row, kind).removeprefix("float") for kind in ("median", "neighbours"))
        line[f"{row['column']} missing"] = " / ".join(both)
    return table([*lines.values()])


def _short(value: object) -> object:
    return f"{value:.0e}" if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the numbers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stability", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few small cases; nothing is kept")
    parser.add_argument(
        "--out", type=Path, default=None, help=f"where the numbers go; default: {DATA.name} in the docs"
    )
    options = parser.parse_args(arguments)
    measured = measure(quick=options.quick)
    say = partial(print, file=sys.stdout)
    say(product_table(measured["products"]))
    say(f"\nbits that hold {WORST_USEFUL_ERROR:g}: on random survivor sets / with neighbouring points missing\n")
    say(safe_table(measured["safe"]))
    target = options.out or (None if options.quick else DATA)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(written(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
