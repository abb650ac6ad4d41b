"""The manual's page on the job: its table and diagram are the program's, its examples run."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from anyk.job import TABLE, Progress, State
from anyk.job.messages import Cancel

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def job_table(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    yield __import__("job_table")
    del sys.modules["job_table"]


def test_the_table_has_every_row_of_the_program(job_table):
    _, *rows = job_table.rows()

    assert len(rows) == len(TABLE)
    for shown, row in zip(rows, TABLE, strict=True):
        assert shown[2].strip("`") in (row.condition, "–")
        assert shown[3] == (row.next.name if row.next else "unchanged")
        assert [name.strip("`") for name in shown[4].split(", ") if name != "–"] == list(row.actions)


def test_the_diagram_is_well_formed_and_draws_every_state_and_change(job_table):
    drawing = ElementTree.fromstring(job_table.svg())
    tag = "{http://www.w3.org/2000/svg}"
    changes = {(state, row.next) for row in TABLE for state in row.states if row.next}

    assert set(job_table.PLACES) == {state.name for state in State}
    assert len(drawing.findall(f"{tag}rect")) == len(State)
    assert len(drawing.findall(f"{tag}line")) + len(drawing.findall(f"{tag}path")) == len(changes)


def test_every_condition_and_action_is_explained(job_table):
    shown = {row[0].strip("`") for part in ("conditions", "actions") for row in job_table.words(part)[1:]}

    assert shown == {row.condition for row in TABLE} - {"always"} | {name for row in TABLE for name in row.actions}


def test_the_page_shows_what_the_program_has(job_table):
    page = (DOCS / "job.md").read_text()

    assert all(f"```{{job-{part}}}" in page for part in ("diagram", "table", "conditions", "actions"))


def test_the_examples_run_as_the_comments_say():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / "job.md").read_text(), re.DOTALL):
        exec(block, names)

    job = names["job"]
    assert job.reason == "2 answers decode"
    assert job.story()[-1].instructions == (Cancel(1, 1, 1),)
    assert job.story()[1].instructions[0].worker == 1
    waiting = Progress((0, 1), frozenset({2}), 0.5, names["AnyTwo"](), 2)
    assert not names["patient"](waiting).ready
