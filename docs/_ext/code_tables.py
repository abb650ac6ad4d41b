"""Directives that fill the page on codes from the program and from measured numbers (docs/_data/stability.json).

``code-families``: one row per family, from `anyk.codes.CATALOGUE`. ``stability-products``: errors of real
multiplications. ``stability-limits`` (arguments: family, dtype): up to which K each basis holds the limit.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from fault_table import Rows, markdown
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DATA = Path(__file__).parents[1] / "_data/stability.json"

#: How the tables say that something cannot be had.
NONE = "–"


def measured() -> dict[str, Any]:
    """The numbers."""
    return json.loads(DATA.read_text(encoding="utf-8"))


def families() -> Rows:
    """Every family: name, threshold, what it does, how to call it."""
    from anyk.codes import CATALOGUE

    return [
        ("family", "answers needed", "what it does", "for example"),
        *(
            (
                f"`{name}`",
                f"`{family.threshold}`",
                family.description,
                f"`{name}({', '.join(f'{key}={value!r}' for key, value in family.example.items())})`",
            )
            for name, family in CATALOGUE.items()
        ),
    ]


def products(data: dict[str, Any]) -> Rows:
    """One row per code and basis: errors in float64, then in float32."""
    lines: dict[tuple[str, str], list[str]] = {}
    for row in data["products"]:
        line = lines.setdefault(
            (row["case"], row["basis"]), [f"`{row['case']}`", row["basis"], str(row["K"]), str(row["missing"])]
        )
        if row.get("refused"):
            line.append("refused")
        else:
            line.append(" · ".join(f"{row[kind]:.0e}" for kind in ("median", "worst", "neighbours")))
    return [("code", "basis", "K", "missing", "float64", "float32"), *map(tuple, lines.values())]


def limits(data: dict[str, Any], family: str, dtype: str) -> Rows:
    """Per basis and number of missing answers: the largest K that holds the limit, on random and on the worst sets."""
    rows = [row for row in data["safe"] if row["family"] == family]
    columns = list(dict.fromkeys(row["column"] for row in rows))
    table = [("basis", *(f"{column} missing" for column in columns))]
    for basis in dict.fromkeys(row["basis"] for row in rows):
        cells = []
        for column in columns:
            asked = [row for row in rows if (row["basis"], row["column"]) == (basis, column)]
            both = (_largest(asked, dtype, kind, data["limit"]) for kind in ("median", "neighbours"))
            cells.append(" / ".join(both))
        table.append((basis, *cells))
    return table


def _largest(rows: list[dict[str, Any]], dtype: str, kind: str, limit: float) -> str:
    """The last K up to which every row holds; with a sign where that is all that was asked."""
    holding = NONE
    for row in sorted(rows, key=lambda row: row["K"]):
        if row[dtype][kind] > limit:
            return holding
        holding = str(row["K"])
    return f"≥ {holding}"


class Table(SphinxDirective):
    """Puts a table here, read by the page's own parser."""

    optional_arguments = 2
    needs_package = False

    def rows(self) -> Rows:
        """The table, its head first."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Write the table as Markdown."""
        if self.needs_package and find_spec("anyk") is None:  # as in conf.py
            return []
        self.env.note_dependency(str(DATA))
        box = nodes.container()
        self.state.nested_parse(StringList(markdown(self.rows()), "code_tables"), self.content_offset, box)
        return box.children


class Families(Table):
    """The catalogue."""

    needs_package = True

    def rows(self) -> Rows:
        """From the program."""
        return families()


class Products(Table):
    """Real multiplications."""

    def rows(self) -> Rows:
        """From the numbers."""
        return products(measured())


class Limits(Table):
    """Arguments: family, dtype."""

    required_arguments = 2
    optional_arguments = 0

    def rows(self) -> Rows:
        """From the numbers."""
        return limits(measured(), *self.arguments)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("code-families", Families)
    app.add_directive("stability-products", Products)
    app.add_directive("stability-limits", Limits)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
