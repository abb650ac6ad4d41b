"""The page on papers: its commands exist, its figures and tables are those of the papers' folders."""

import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from papers.__main__ import PAPERS
from papers.approximate_matmul import __main__ as approximate
from papers.codenet import __main__ as codenet

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "papers.md").read_text()
FIGURES = {"approximate-matmul": approximate.FIGURES, "codenet": codenet.FIGURES}


def test_every_command_of_the_page_makes_a_figure_that_exists():
    commands = re.findall(r"`anyk reproduce (\S+) (\w+)", PAGE)

    assert set(FIGURES) == set(PAPERS)
    assert {paper for paper, _ in commands} == set(PAPERS)
    for paper, figure in commands:
        assert figure in FIGURES[paper]


def test_figures_and_tables_are_there():
    for path in re.findall(r"\]\((\S+\.svg)\)", PAGE):
        assert (DOCS / path).resolve().is_file()
    for path, mark in re.findall(r"\{include\} (\S+)\n:start-after: (<!-- \w+ -->)", PAGE):
        table = (DOCS / path).resolve().read_text().split(mark)[1].split("<!-- end -->")[0]
        assert table.count("\n|") > 3, mark
