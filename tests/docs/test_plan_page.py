"""The manual's page on plans: its example runs, its tables are the program's and the benchmark's."""

import json
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from anyk.planning import CostModel
from benchmarks import planner

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "plan.md").read_text(encoding="utf-8")


@pytest.fixture
def cost_table(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    yield __import__("cost_table")
    del sys.modules["cost_table"]


def test_every_number_of_the_cost_model_is_told(cost_table):
    told = [row[0] for row in cost_table.numbers()[1:]]

    assert told == [f"`{field.name}`" for field in fields(CostModel) if field.name != "source"]
    assert all(row[1] for row in cost_table.numbers())


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ANYK_CALIBRATION", str(tmp_path / "none.json"))
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)

    plan = names["plan"]
    assert plan.best.code.workers - plan.best.code.recovery_threshold >= 8 + 3
    assert "From Polynomial to MatDot" in capsys.readouterr().out


def test_every_scenario_of_the_benchmark_is_in_the_table():
    rows = json.loads(planner.DATA.read_text(encoding="utf-8"))["rows"]
    choices = {row["scenario"]: row for row in rows if row["table"] == "choices"}

    assert list(choices) == [scenario.name for scenario in planner.SCENARIOS]
    assert len(choices) >= 6
    for name, choice in choices.items():
        run = [row for row in rows if row["table"] == "candidates" and row["scenario"] == name]
        assert len(run) == choice["run"]
        assert {choice["chosen"], choice["fastest"]} <= {row["candidate"] for row in run}
        assert choice["fastest s"] == min(row["measured s"] for row in run)
        assert choice["within 10 %"] == ("yes" if choice["chosen s"] <= 1.1 * choice["fastest s"] else "no")


@pytest.mark.slow  # it calibrates, and starts a dozen worker processes
@pytest.mark.cluster
def test_the_benchmark_runs_at_tiny_size(capsys):
    assert planner.main(["--tiny"]) == 0
    assert "chosen / fastest" in capsys.readouterr().out
