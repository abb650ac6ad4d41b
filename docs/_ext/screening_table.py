"""The directive ``screening``: a table of `python -m benchmarks.screening`, as kept in docs/_data/screening.json.

Its argument is the table's name; of ``found`` and ``conspiracies`` each row sums up all numbers of wrong answers.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmark_table import Benchmark, markdown
from docutils import nodes
from sphinx.application import Sphinx

DATA = Path(__file__).parents[1] / "_data/screening.json"
Row = Mapping[str, Any]
#: Tables that are summed up over all numbers of wrong answers.
SUMMED = ("found", "conspiracies")


class Screening(Benchmark):
    """One table."""

    option_spec = None

    def run(self) -> list[nodes.Node]:
        """Let the page's own parser read the table."""
        self.env.note_dependency(str(DATA))
        tables = json.loads(DATA.read_text(encoding="utf-8"))
        name = self.arguments[0]
        if name not in tables:
            raise self.error(f"table {name!r} is not in {DATA.name}: {', '.join(tables)} are.")
        rows = tables[name]["rows"]
        return self.parsed(markdown([*summary(rows)] if name in SUMMED else rows))


def summary(rows: list[Row]) -> Iterator[Row]:
    """A row for each size, dtype and kind of error: the worst number of wrong answers, and all of them together."""
    for (workers, threshold, dtype, errors), cells in groupby(
        sorted(rows, key=_kind), key=lambda row: tuple(row[name] for name in ("P", "K", "dtype", "errors"))
    ):
        known = [*cells]
        promised = [row for row in known if row["wrong"] < workers - threshold]
        beyond = [row for row in known if row["wrong"] == workers - threshold]
        least = min((row["named"] + row["unseen"]) / row["trials"] for row in promised)
        yield {
            "P": workers,
            "K": threshold,
            "dtype": dtype,
            "errors": errors,
            "wrong answers": f"1 – {promised[-1]['wrong']}",
            "trials each": str(min(row["trials"] for row in known)),
            "located, at worst": f"{least:.3f}",
            "silently wrong, of all": str(sum(row["silent"] for row in known)),
            "P − K wrong: declared": f"{beyond[0]['declared'] / beyond[0]['trials']:.3f}" if beyond else None,
        }


def _kind(row: Row) -> tuple[Any, ...]:
    return row["P"], row["dtype"], row["errors"], row["wrong"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("screening", Screening)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
