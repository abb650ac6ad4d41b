"""The measurements of stability: they run, their file is whole, and what is promised of the default basis holds."""

import json

import numpy as np
import pytest

from anyk.code import WORST_USEFUL_ERROR
from anyk.codes import CATALOGUE
from anyk.errors import CodeError
from benchmarks import stability
from benchmarks.stability import DATA, DTYPES, Case, product_row, safe_row

KEPT = json.loads(DATA.read_text())
KINDS = ("median", "worst", "ranks", "neighbours")


def test_a_quick_run_prints_both_tables_and_keeps_nothing(tmp_path, capsys):
    before = DATA.read_bytes()
    assert stability.main(["--quick", "--out", str(tmp_path / "quick.json")]) == 0
    said = capsys.readouterr().out
    assert "refused" in said
    assert "K/2 missing" in said
    assert DATA.read_bytes() == before

    measured = json.loads((tmp_path / "quick.json").read_text())
    assert set(measured) == set(KEPT)
    assert len(measured["products"]) == len(stability.QUICK) * len(DTYPES)
    assert all(row[kind] < 1e-3 for row in measured["products"] if "refused" not in row for kind in KINDS)


def test_the_kept_numbers_are_of_the_cases_of_today():
    cases = [(str(case), case.basis or "random", dtype) for case in stability._cases() for dtype in DTYPES]
    assert [(row["case"], row["basis"], row["dtype"]) for row in KEPT["products"]] == cases
    assert KEPT["limit"] == WORST_USEFUL_ERROR


TWO_MISSING = [
    Case("matdot", {"inner": 75, "workers": 151}, "trigonometric"),
    Case("polynomial", {"rows": 12, "cols": 12, "workers": 146}, "trigonometric"),
]


@pytest.mark.parametrize("case", TWO_MISSING, ids=str)
def test_thresholds_beyond_144_hold_ten_digits_with_two_missing(case):
    row = product_row(case, "float64", 100)
    assert (row["K"] >= 144, row["missing"]) == (True, 2)
    assert max(row[kind] for kind in KINDS) <= 1e-10


def test_matdot_of_ten_blocks_holds_twelve_digits_with_ten_missing():
    row = product_row(Case("matdot", {"inner": 10, "workers": 29}, "trigonometric"), "float64", 100)
    assert (row["K"], row["missing"]) == (19, 10)
    assert row["median"] <= 1e-12


def test_generalized_polydot_of_four_holds_nine_digits_with_five_missing():
    case = Case("generalized_polydot", {"rows": 4, "inner": 4, "cols": 4, "workers": 72}, "trigonometric")
    row = product_row(case, "float64", 100)
    assert (row["K"], row["missing"]) == (67, 5)
    assert max(row[kind] for kind in KINDS) <= 1e-9


def test_the_kept_numbers_hold_what_is_promised():
    rows = [row for row in KEPT["products"] if row["dtype"] == "float64" and row["basis"] == "trigonometric"]
    large = [row for row in rows if row["K"] >= 144 and row["missing"] == 2]
    assert len(large) >= 5
    assert all(row[kind] <= 1e-10 for row in large for kind in KINDS)


def test_the_expected_error_is_that_of_real_products():
    """Its constant, 1.5 roundings per answer, was measured between 0.4 and 2.3; sums over many answers double it."""
    factors = [row["measured over expected"] for row in KEPT["products"] if "refused" not in row]
    assert min(factors) >= 0.4 / 1.5
    assert max(factors) <= 2 * 2.3 / 1.5
    assert 0.5 < np.median(factors) < 2


@pytest.mark.parametrize("basis", ["trigonometric", "monomial"])
@pytest.mark.parametrize(("threshold", "missing"), [(9, 2), (36, 8), (64, 32)])
def test_families_refuse_what_the_table_says_they_do(basis, threshold, missing):
    row, size = safe_row("polynomial", basis, threshold, missing, sets=24), round(threshold**0.5)
    for dtype in DTYPES:
        try:
            CATALOGUE["polynomial"].function(size, size, threshold + missing, basis=basis, dtype=dtype)
            built = True
        except CodeError:
            built = False
        assert built == (row[dtype]["median"] <= WORST_USEFUL_ERROR)
