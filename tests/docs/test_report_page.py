"""The manual's page on reports: its run is drawn by the present program, and its commands exist."""

import re
from pathlib import Path

import pytest

from anyk.report import read
from anyk.report.reading import parsed
from benchmarks import report_run

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "report.md").read_text()


@pytest.mark.parametrize("name", ["run.html", "run.svg"])
def test_the_run_is_drawn_as_the_program_draws_it(name):
    """Where this fails, `python -m benchmarks.report_run --again` draws it anew."""
    assert (report_run.PLACE / name).read_bytes() == report_run.drawn()[name]


def test_the_words_on_the_picture_are_those_of_the_run():
    record = parsed(read(report_run.RECORD))

    assert record.code.workers == 16
    assert [record.count(kind) for kind in ("used", "lost", "wrong", "cancelled")] == [9, 4, 1, 7]
    assert record.planned["code"] == record.code.name
    told = " ".join(PAGE.split())
    for words in (
        "Sixteen workers",
        "nine answers are used",
        "four tasks are lost",
        "one is answered wrongly",
        "seven are",
    ):
        assert words in told


def test_every_option_on_the_page_exists():
    from anyk.cli import main

    known = {option for command in main.commands.values() for each in command.params for option in each.opts}

    asked = set(re.findall(r"(--[a-z]+)\b", PAGE))
    assert asked <= known
    assert {"--record", "--planned", "--svg", "--png", "--trace"} <= asked
