"""The page of measurements shows what the runner kept."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from benchmarks.__main__ import discover

DOCS = Path(__file__).parents[2] / "docs"

pytest.importorskip("sphinx")
spec = spec_from_file_location("benchmark_table", DOCS / "_ext/benchmark_table.py")
benchmark_table = module_from_spec(spec)
spec.loader.exec_module(benchmark_table)

REPORT = json.loads(benchmark_table.DATA.read_text(encoding="utf-8"))


def shown() -> list[tuple[str, int]]:
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    found = re.findall(r"```\{benchmark\} (\w+)\n(?::part: (\d+)\n)?```", page)
    return [(name, int(part or 1)) for name, part in found]


def test_every_table_of_every_benchmark_kept_is_on_the_page():
    kept = [(name, part + 1) for name in REPORT for part in range(len(benchmark_table.parts(REPORT[name]["rows"])))]

    assert sorted(shown()) == sorted(kept)
    assert set(REPORT) <= set(discover())


def test_no_tiny_run_is_on_the_page():
    assert not any(each["tiny"] for each in REPORT.values())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        ("lost", "lost"),
        (3, "3"),
        (0.0, "0.00"),
        (0.00123456, "0.00123"),
        (1.0, "1.00"),
        (-12.345, "-12.3"),
        (1234.5, "1234"),
        (1e-7, "1.00e-07"),
        ({"min": 1.0, "median": 2.0, "max": 30.0}, "2.00 <small>(1.00–30.0)</small>"),
    ],
)
def test_cells_have_three_digits(value, expected):
    assert benchmark_table.cell(value) == expected


def test_columns_without_values_are_left_out():
    rows = [{"who": "a", "target": None, "s": 1.0}, {"who": "b", "target": None, "s": 2.0}]

    assert benchmark_table.markdown(rows) == ["| who | s |", "| :-- | --: |", "| a | 1.00 |", "| b | 2.00 |"]


def test_machines_are_told_apart():
    def report(cores):
        return {"machine": {"system": "Linux", "cores": cores, "python": "3", "numpy": "2"}}

    assert benchmark_table.sentences({"a": report(2), "b": report(2)}) == [
        "Measured on 2 cores (Linux), Python 3, NumPy 2."
    ]
    assert benchmark_table.sentences({"a": report(2), "b": report(4)})[1].endswith(
        "4 cores (Linux), Python 3, NumPy 2: b."
    )
