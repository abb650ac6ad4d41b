"""The manual's page on codes: its tables are the program's and the measured ones, and its words agree with them."""

import re
import sys
from pathlib import Path

import pytest

import anyk
from anyk.codes import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "choose-a-code.md").read_text()
FEW = ("0", "1", "2", "4", "8")


@pytest.fixture(scope="module")
def tables():
    pytest.importorskip("sphinx")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(DOCS / "_ext")
        yield __import__("code_tables")
        del sys.modules["code_tables"], sys.modules["fault_table"]


@pytest.fixture(scope="module")
def data(tables):
    return tables.measured()


@pytest.fixture(scope="module")
def holds(data):
    """Whether a basis holds the limit at every K measured: on random sets ("median") or on the worst ("neighbours")."""

    def holding(basis, columns, dtype, kind):
        rows = [row for row in data["safe"] if row["basis"] == basis and row["column"] in columns]
        assert rows
        return all(row[dtype][kind] <= data["limit"] for row in rows)

    return holding


def test_every_family_has_a_row_that_can_be_copied(tables):
    rows = tables.families()
    assert [row[0] for row in rows[1:]] == [f"`{name}`" for name in CATALOGUE]
    for row in rows[1:]:
        assert isinstance(eval(f"anyk.codes.{row[3].strip('`')}", {"anyk": anyk}), anyk.Code)


def test_every_family_is_explained():
    for name in CATALOGUE:
        assert f"`{name}`" in PAGE


def test_every_table_of_limits_has_a_row_for_each_basis(tables, data):
    for family, dtype in re.findall(r"\{stability-limits\} (\w+) (\w+)", PAGE):
        rows = tables.limits(data, family, dtype)
        assert [len(row) for row in rows] == [7] * len(rows)
        assert {row[0] for row in rows[1:]} >= set(anyk.bases.BASES)


def test_a_limit_is_the_last_k_before_the_first_failure(tables):
    rows = [{"K": k, "float64": {"median": error}} for k, error in ((9, 1e-9), (16, 1e-4), (25, 1e-2), (36, 1e-5))]
    assert tables._largest(rows, "float64", "median", 1e-3) == "16"
    assert tables._largest(rows[:2], "float64", "median", 1e-3) == "≥ 16"
    assert tables._largest(rows[2:], "float64", "median", 1e-3) == "–"


def test_every_measured_product_has_a_row(tables, data):
    rows = tables.products(data)
    assert len(rows) == 1 + len(data["products"]) / 2
    assert {len(row) for row in rows} == {6}


@pytest.mark.parametrize("basis", ["trigonometric", "unit_circle"])
def test_the_circle_holds_with_eight_missing_in_float64_and_two_in_float32(holds, basis):
    assert holds(basis, FEW, "float64", "neighbours")
    assert holds(basis, ("0", "1", "2"), "float32", "neighbours")
    assert not holds(basis, ("4",), "float32", "neighbours")


def test_chebyshev_loses_its_worst_sets_earlier(holds):
    assert holds("chebyshev", ("0", "1", "2", "4"), "float64", "neighbours")
    assert not holds("chebyshev", ("8",), "float64", "neighbours")
    assert not holds("chebyshev", ("2",), "float32", "neighbours")


def test_powers_fail_with_every_answer_in(holds):
    assert not holds("monomial", ("0",), "float64", "median")


def test_with_half_as_many_missing_only_random_tables_hold(holds):
    for basis in anyk.bases.BASES:
        assert not holds(basis, ("K/2",), "float64", "neighbours")
        assert not holds(basis, ("K/2",), "float32", "median")
    for dtype in ("float64", "float32"):
        assert holds("random", (*FEW, "K/2"), dtype, "neighbours")


def test_random_tables_are_better_from_an_eighth_of_the_threshold_on(data):
    def errors(basis, missing):
        return next(
            row
            for row in data["products"]
            if (row["K"], row["missing"], row["basis"], row["dtype"]) == (64, missing, basis, "float64")
        )

    assert errors("trigonometric", 2)["median"] < errors("random", 2)["median"]
    for missing in (8, 32):
        for kind in ("worst", "neighbours"):
            assert errors("random", missing)[kind] < errors("trigonometric", missing)[kind]
