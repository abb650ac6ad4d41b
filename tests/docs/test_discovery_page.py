"""The manual's page on discovery: its table is the archive's index, its example runs."""

import re
import sys
from pathlib import Path

import pytest

import anyk

DOCS = Path(__file__).parents[2] / "docs"


def test_every_found_code_has_a_row(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    table = __import__("discovery_table")
    rows = table.found()
    del sys.modules["discovery_table"]

    assert [row[0] for row in rows[1:]] == [f"`{name}`" for name in anyk.codes.archive()]
    assert {len(row) for row in rows} == {8}


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "discovery.md").read_text()
    example = re.search(r"```python\n(.+?)```", text, re.DOTALL)[1].replace("budget=350", "budget=2")
    names = {}
    exec(example, names)

    assert names["found"].code.recovery_threshold == 7
    assert (tmp_path / "code.json").exists()
