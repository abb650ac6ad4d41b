"""The directive ``kept``: a table of rows that a benchmark keeps in a file of its own, see `benchmarks.kept`.

Takes the name of the file in ``_data`` and that of the table. ``:columns:`` (by semicolons) chooses and orders columns,
``column as head`` gives one another head; ``:where:`` (``column is value``, by semicolons) chooses rows. Below the
table stands the machine's load while it was measured.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from benchmark_table import markdown
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DATA = Path(__file__).parents[1] / "_data"
Row = Mapping[str, Any]


def chosen(rows: list[Row], columns: str | None, where: str | None) -> list[Row]:
    """The rows and columns that are asked for; what was not measured is a dash.

    Raises:
        ValueError: a column that no row has.
    """
    for column, value in pairs(where, " is "):
        rows = [row for row in rows if str(row.get(column)) == value]
    heads = pairs(columns, " as ") or [
        (name, name) for row in rows[:1] for name in row if name not in ("table", "load")
    ]
    unknown = [column for column, _ in heads if not any(column in row for row in rows)]
    if rows and unknown:
        raise ValueError(f"no row has {', '.join(unknown)}; there are {', '.join(rows[0])}")
    return [{head: "–" if row.get(column) is None else row[column] for column, head in heads} for row in rows]


def pairs(text: str | None, between: str) -> list[tuple[str, str]]:
    """``a as b; c`` as (a, b), (c, c)."""
    parts = [[side.strip() for side in part.strip().split(between)] for part in (text or "").split(";") if part.strip()]
    return [(part[0], part[-1]) for part in parts]


def loads(rows: list[Row]) -> str:
    """How busy the machine was."""
    found = sorted(row["load"] for row in rows)
    return f"Load while this was measured: {found[0]:g} to {found[-1]:g}."


class Kept(SphinxDirective):
    """One table."""

    required_arguments = 2
    option_spec: ClassVar = {"columns": directives.unchanged, "where": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Let the page's own parser read it."""
        path = DATA / f"{self.arguments[0]}.json"
        self.env.note_dependency(str(path))
        report = json.loads(path.read_text(encoding="utf-8"))
        rows = [row for row in report["rows"] if row["table"] == self.arguments[1]]
        lines = chosen(rows, self.options.get("columns"), self.options.get("where"))
        if not lines:
            raise self.error(f"{path.name} has no such rows in a table {self.arguments[1]!r}.")
        cores = report["machine"]["cores"]
        said = f"<small>{cores} cores, shared. {loads(rows)}</small>"
        box = nodes.container()
        self.state.nested_parse(StringList([*markdown(lines), "", said], "kept_table"), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("kept", Kept)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
