"""The manual's page on faults: its tables are the program's, its examples run."""

import re
import sys
from pathlib import Path

import pytest

import anyk.faults
from anyk.faults import FAULTS, PRESETS, Draw, Fate

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def fault_table(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    yield __import__("fault_table")
    del sys.modules["fault_table"]


def test_every_model_and_preset_has_a_row_of_four_cells(fault_table):
    for rows, table in ((fault_table.models(), FAULTS), (fault_table.presets(), PRESETS)):
        assert [row[0] for row in rows[1:]] == [f"`{name}`" for name in table]
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in fault_table.markdown(rows)} == {5}


def test_the_table_writes_models_so_that_they_can_be_copied(fault_table):
    for family in FAULTS.values():
        assert eval(fault_table.written(family.example), vars(anyk.faults).copy()) == family.example


def test_the_examples_run_as_the_comments_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "faults.md").read_text()
    Path("delays.csv").write_text(re.search(r":caption: delays.csv\n(.*?)```", page, re.DOTALL)[1])
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)

    draw = Draw(seed=1, round=0, rank=3)
    assert names["model"].fate(draw) == Fate(0.0, "crash")
    assert names["trace"].fate(draw).delay_seconds == 1.9
    assert names["preset"]("trace:delays.csv") == names["trace"]
