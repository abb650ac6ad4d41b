"""The manual's page on coded training: its examples run, its tables are made from what was measured."""

import json
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sphinx")

from benchmarks import training as benchmark

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def tables(monkeypatch):
    """The page's own directives."""
    monkeypatch.syspath_prepend(DOCS / "_ext")
    module = __import__("training_table")
    yield module
    del sys.modules["training_table"]


def run(seed=0, rate=0.01, accuracy=0.9, **other):
    """One measured run."""
    common = {"data": "some", "strategy": "gpd", "grid": "2 x 2", "nodes": 10, "attempts": 2, "finished": True}
    return {
        **common,
        "steps": 40,
        "executed": 40,
        "rollbacks": 0,
        "seed": seed,
        "rate": rate,
        "accuracy": accuracy,
    } | other


def test_the_examples_run_one_after_the_other():
    names = {}
    for example in re.findall(r"```python\n(.+?)```", (DOCS / "training.md").read_text(), re.DOTALL):
        exec(example, names)

    assert names["guard"].report().useful == 20
    assert names["nodes"].health.counts["injected"] > 0
    assert set(names["weights"]) == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_a_cell_says_how_all_seeds_ended(tables):
    goals = {0: 0.9, 1: 0.8}

    assert tables.cell([run(0), run(1, accuracy=0.8)], goals) == "**equal**"
    assert tables.cell([run(0, rollbacks=2), run(1, accuracy=0.8)], goals) == "**equal**, 0–2 back"
    assert tables.cell([run(0), run(1, accuracy=0.1)], goals) == "0.900 / 0.100"
    assert tables.cell([run(0), run(1, finished=False, steps=7)], goals) == "stuck (40 / 7)"
    assert tables.cell([], goals) == "–"


def test_a_table_has_a_row_for_each_strategy_and_a_column_for_each_rate(tables):
    reference = run(0, 0.0, strategy="uncoded", nodes=4, attempts=1)
    runs = [reference, run(0, 0.1), run(0, 0.01, strategy="uncoded", nodes=4, accuracy=0.2)]

    assert tables.outcomes(runs) == [
        ("strategy", "grid", "nodes", "p = 0.01", "p = 0.1"),
        ("uncoded", "2 x 2", "4", "0.200", "–"),
        ("Generalized PolyDot", "2 x 2", "10", "–", "**equal**"),
    ]


#: Samples to test with.
TESTED = {"digits": 359, "mnist": 2000}


def test_what_is_kept_is_what_the_page_says(tables):
    rows = json.loads(tables.DATA.read_text())["rows"]
    gpd = [row for row in rows if row["strategy"] == "gpd" and row["nodes"] in (10, 12) and row["rate"] <= 0.01]
    goals = {(row["data"], row["seed"]): row["accuracy"] for row in rows if row["rate"] == 0}

    assert {row["data"] for row in rows} == {"digits", "mnist"}
    assert {row["rate"] for row in gpd} == {1e-4, 1e-3, 3e-3, 1e-2}
    off = {row["data"]: set() for row in rows}
    for row in gpd:
        off[row["data"]].add(round((goals[row["data"], row["seed"]] - row["accuracy"]) * TESTED[row["data"]]))
    assert off == {"digits": {0}, "mnist": {0, 2}}
    assert sum(row["decode"] for row in gpd) > 0
    assert sum(row["activation"] for row in gpd) > 0


def test_tolerances_come_from_the_codes(tables):
    rows = {row[:2]: row[2:] for row in tables.tolerances()[1:]}

    assert rows["2 x 2", "12"] == ("1 / 1", "1 / 1", "6, 5 / 3")
    assert rows["4 x 4", "48"] == ("1 / 1", "3 / 2", "28, 19 / 14, 10")


def test_the_benchmark_makes_what_is_missing_and_nothing_twice(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmark, "CONTENDERS", benchmark.CONTENDERS[-2:])
    asked = ["--quick", "--json", str(tmp_path / "runs.json")]
    benchmark.main(asked)
    first = json.loads((tmp_path / "runs.json").read_text())["rows"]
    benchmark.main([*asked, "--budget", "0"])
    again = json.loads((tmp_path / "runs.json").read_text())["rows"]

    assert first == again
    assert [(row["strategy"], row["nodes"], row["rate"]) for row in first] == [
        ("uncoded", 4, 0.0),
        ("gpd", 12, 0.01),
        ("gpd", 20, 0.01),
    ]
    assert "missing" not in capsys.readouterr().out
