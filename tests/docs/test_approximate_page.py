"""The manual's page on approximate answers, and the README's example: they run."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import anyk

ROOT = Path(__file__).parents[2]


def examples(page):
    return "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL))


def test_the_examples_run(capsys):
    found = {}
    exec(examples("docs/approximate.md"), found)

    assert "any 15 of 20 answers" in capsys.readouterr().out
    assert found["product"].error <= 1e-3


@pytest.mark.cluster
def test_the_examples_of_the_readme_run():
    found = {}
    # smaller, so that the test is quick: the shapes are not what the page is about
    exec(examples("README.md").replace("2000", "200").replace("1600", "160").replace("1200", "120"), found)

    assert found["y"].shape == (200, 120)
    assert found["C"].error <= 1e-6


def test_the_errors_in_the_text_are_those_of_the_codes():
    def rms(code, results):
        return float(np.sqrt(np.mean(code.errors(results, sets=1000) ** 2)))

    copies = {m: rms(anyk.codes.replication(1, m, 1, copies=2), m) for m in (2, 20)}
    assert {m: f"{error:.2f}" for m, error in copies.items()} == {2: "0.41", 20: "0.50"}
    assert 3e-7 < rms(anyk.codes.approximate_matdot(9, 18, results=13), 13) < 5e-7
    assert 1e-6 < rms(anyk.codes.approximate_matdot(10, 20, results=14), 14) < 2e-6


def test_the_table_holds_what_the_codes_promise(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(ROOT / "docs/_ext")
    table = __import__("approximate_table")
    monkeypatch.delitem(sys.modules, "approximate_table")
    _, *rows = table.rows([(4, 8)])

    assert [row[2] for row in rows] == ["4", "5", "6", "7"]
    assert all(float(row[3].split()[0]) < 1e-3 for row in rows)


def test_the_law_in_numbers_is_computed_from_the_precision_of_a_product():
    from anyk.weights import product_error

    page = (ROOT / "docs/approximate.md").read_text()
    lines = re.findall(r"^\| (\d+)[^|]*\| (\S+) \| (\S+) \| (\S+) \|$", page, re.MULTILINE)

    assert [int(levels) for levels, *_ in lines] == [1, 2, 3, 4, 5, 10]
    for levels, *said in lines:
        assert said == [
            f"{product_error(dtype) ** (1 / int(levels)):.1e}" for dtype in ("float64", "float32", "bfloat16")
        ]
