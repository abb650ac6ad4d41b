"""The manual's page on wrong answers: its examples run, its tables are those kept, and they show what is promised."""

import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks.screening.__main__ import KEYS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "wrong-answers.md").read_text()
TABLES = {name: table["rows"] for name, table in json.loads((DOCS / "_data/screening.json").read_text()).items()}


@pytest.fixture
def screening_table(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    yield __import__("screening_table")
    del sys.modules["screening_table"]


def test_the_examples_run_as_the_comments_say():
    names, claims = {}, 0
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
        for expression, value in re.findall(r"^([a-z].*?)  # (\(.*\)|True)$", block, re.MULTILINE):
            assert str(eval(expression, names)) == value
            claims += 1
    assert claims == 5
    assert names["product"].error < 1e-12


def test_every_table_kept_is_on_the_page():
    assert sorted(re.findall(r"```\{screening\} (\w+)\n```", PAGE)) == sorted(TABLES)
    assert {*TABLES} <= {*KEYS}


#: (P, dtype, errors, wrong) -> what one trial of a thousand came to, against the promise; the page tells of both.
AGAINST_THE_PROMISE = {
    (40, "float32", "block", 19): ("declared", 1),
    (20, "float32", "entry 1e-3 … 1e6", 10): ("silent", 1),
}


def test_the_tables_show_what_is_promised_in_a_thousand_trials_a_cell():
    for row in TABLES["found"]:
        cell = tuple(row[name] for name in ("P", "dtype", "errors", "wrong"))
        what, known = AGAINST_THE_PROMISE.get(cell, ("", 0))
        located = row["named"] + row["unseen"]
        assert row["trials"] >= 1000
        assert row["silent"] == (known if what == "silent" else 0)
        if row["wrong"] == row["P"] - row["K"]:
            assert row["errors"] != "block" or row["declared"] == row["trials"]
        elif row["errors"].startswith("block"):
            assert row["trials"] - located == known
        else:
            assert located >= 0.97 * row["trials"]
    assert all(row["named"] == row["trials"] >= 1000 for row in TABLES["colluding"])


def test_no_number_of_wrong_answers_is_left_out():
    counts = {}
    for row in TABLES["found"]:
        counts.setdefault((row["P"], row["K"], row["dtype"], row["errors"]), set()).add(row["wrong"])

    assert all({*range(1, workers - threshold)} <= wrong for (workers, threshold, *_), wrong in counts.items())


def test_a_summary_tells_the_worst_of_all_numbers_of_wrong_answers(screening_table):
    cell = {"P": 8, "K": 4, "dtype": "float64", "errors": "block", "trials": 10, "unseen": 1}
    rows = [
        cell | {"wrong": wrong, "named": named, "declared": declared, "silent": silent}
        for wrong, named, declared, silent in ((1, 9, 0, 0), (2, 7, 1, 1), (3, 9, 0, 0), (4, 0, 9, 0))
    ]

    (found,) = screening_table.summary(rows)
    assert (found["wrong answers"], found["located, at worst"]) == ("1 – 3", "0.800")
    assert (found["silently wrong, of all"], found["P − K wrong: declared"]) == ("1", "0.900")
    (unfinished,) = screening_table.summary(rows[:3])
    assert unfinished["P − K wrong: declared"] is None
