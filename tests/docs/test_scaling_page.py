"""The page on scaling: every table is there, and its figures come out again."""

import json
import re
from pathlib import Path

import pytest

from anyk.faults import Bursts
from benchmarks import scaling

PAGE = (Path(__file__).parents[2] / "docs/scaling.md").read_text()
ROWS = json.loads(scaling.DATA.read_text())["rows"]


def test_every_table_and_column_of_the_page_is_kept():
    for table, columns in re.findall(r"```{kept} scaling (\w+)\n:columns: (.*)\n", PAGE):
        rows = [row for row in ROWS if row["table"] == table]
        assert rows, f"{table} is not kept"
        assert {column.split(" as ")[0].strip() for column in columns.split(";")} <= rows[0].keys()


@pytest.mark.parametrize("way", ["uncoded", "replication:2", "speculation:spark", "polynomial:9x10"])
def test_simulated_figures_come_out_again(way):
    key = {"table": "times", "workers": 100, "strategy": way}
    kept = next(row for row in ROWS if key.items() <= row.items())
    again = scaling._simulated(way, 100, kept["products"], Bursts())

    assert {name: again[name] for name in ("p50", "p90", "p99", "never")} == {
        name: kept[name] for name in ("p50", "p90", "p99", "never")
    }


def test_precision_comes_out_again():
    kept = next(row for row in ROWS if row["table"] == "precision" and row["workers"] == 90)
    again = scaling._precise(9, 90)

    # Singular values of two libraries may differ by rounding of their largest.
    assert again["random"] == pytest.approx(kept["random"], rel=1e-6)
    assert again["trigonometric"] == pytest.approx(kept["trigonometric"], rel=1e-6)
