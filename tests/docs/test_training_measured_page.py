"""The manual's page of measured training: its tables are made from kept rows, its words hold in them."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def kept(monkeypatch):
    """The page's own directive."""
    monkeypatch.syspath_prepend(DOCS / "_ext")
    module = __import__("kept_table")
    yield module
    del sys.modules["kept_table"]


def rows(name, table):
    return [row for row in json.loads((DOCS / f"_data/{name}.json").read_text())["rows"] if row["table"] == table]


def test_columns_and_rows_are_chosen_and_renamed(kept):
    found = kept.chosen([{"a": 1, "b": None, "c": 3}, {"a": 2, "b": 5, "c": 4}], "b as second; a", "c is 3")

    assert found == [{"second": "–", "a": 1}]
    assert kept.chosen([{"table": "t", "a": 1, "load": 2}], None, None) == [{"a": 1}]
    assert kept.chosen([{"as a b": 1}], "as a b; as a b as c", None) == [{"as a b": 1, "c": 1}]
    with pytest.raises(ValueError, match="no row has d"):
        kept.chosen([{"a": 1}], "a; d", None)
    assert kept.loads([{"load": 3.0}, {"load": 1.5}]).endswith("1.5 to 3.")


def test_overhead_is_below_fifteen_percent_where_it_is_promised():
    (row,) = (row for row in rows("training_overhead", "layer") if (row["N"], row["B"]) == (4096, 32))

    assert row["overhead %"] <= 15
    assert {(row["N"], row["B"]) for row in rows("training_overhead", "layer")} >= {
        (size, batch) for size in (512, 2048, 4096) for batch in (1, 32, 256)
    }


def test_every_promised_answer_may_be_missing_or_wrong_in_float32_and_float64():
    found = [row for row in rows("training_precision", "products") if row["dtype"] != "bfloat16"]

    assert {(row["grid"], row["P"]) for row in found} >= {("2 x 2", 8), ("2 x 8", 32), ("4 x 4", 32)}
    for row in found:
        for kind in ("missing", "wrong"):
            assert all(held == promised for held, _, promised in map(str.split, row[kind].split(", ")))


def test_coded_networks_train_in_float32_and_float64_as_uncoded_ones_do():
    found = [row for row in rows("training_precision", "training") if row["dtype"] != "bfloat16"]
    plain = {row["dtype"]: row["accuracy"] for row in found if row["grid"] == "uncoded"}
    coded = [row for row in found if row["basis"] == "trigonometric" and row["grid"] != "uncoded"]

    assert {(row["grid"], row["P"], row["dtype"]) for row in coded} >= {
        (grid, 32, dtype) for grid in ("4 x 4", "2 x 8") for dtype in ("float32", "float64")
    }
    assert all(abs(row["accuracy"] - plain[row["dtype"]]) <= 2 / 2000 + 1e-9 for row in coded)
