"""The directives ``benchmark`` and ``benchmark-machine``: what `python -m benchmarks` measured, as kept in the manual.

``benchmark`` takes the name of a benchmark, and with ``:part:`` which of its tables (from 1; default: 1).
"""

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DATA = Path(__file__).parents[1] / "_data/benchmarks.json"
Row = Mapping[str, Any]


def parts(rows: list[Row]) -> list[list[Row]]:
    """Tables of one benchmark: a new one begins where the columns change."""
    return [[*part] for _, part in groupby(rows, key=list)]


def markdown(rows: list[Row]) -> list[str]:
    """The rows as a Markdown table; columns without any value are left out, words stand left and numbers right."""
    columns = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    words = {name for name in columns if any(isinstance(row[name], str) and row[name][:1].isalpha() for row in rows)}
    lines = [columns, [":--" if name in words else "--:" for name in columns]]
    lines += [[cell(row[name]) for name in columns] for row in rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def cell(value: Any) -> str:
    """A spread as its median with least and largest behind, numbers with three digits."""
    if isinstance(value, Mapping):
        return f"{cell(value['median'])} <small>({cell(value['min'])}–{cell(value['max'])})</small>"
    if isinstance(value, float):
        return number(value)
    return "" if value is None else str(value).replace("|", chr(92) + "|")


def number(value: float) -> str:
    """Three digits, without an exponent as long as that is short."""
    if value and not 1e-4 <= abs(value) < 1e5:
        return f"{value:.2e}"
    digits = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if abs(value) >= 1 or not value:
        return f"{value:.{max(0, 3 - max(1, digits))}f}"
    return f"{value:.3g}"


class Benchmark(SphinxDirective):
    """One table of one benchmark."""

    required_arguments = 1
    option_spec: ClassVar = {"part": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        """Let the page's own parser read the table."""
        self.env.note_dependency(str(DATA))
        report = json.loads(DATA.read_text(encoding="utf-8"))
        if self.arguments[0] not in report:
            raise self.error(f"benchmark {self.arguments[0]!r} is not in {DATA.name}: {', '.join(report)} are.")
        tables = parts(report[self.arguments[0]]["rows"])
        which = self.options.get("part", 1)
        if which > len(tables):
            raise self.error(f"benchmark {self.arguments[0]!r} has {len(tables)} tables, no {which}.")
        return self.parsed(markdown(tables[which - 1]))

    def parsed(self, lines: list[str]) -> list[nodes.Node]:
        """Markdown to nodes."""
        box = nodes.container()
        self.state.nested_parse(StringList(lines, "benchmark_table"), self.content_offset, box)
        return box.children


class Machine(Benchmark):
    """Where the figures come from; more than one machine is told apart by its benchmarks."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        """One sentence per machine."""
        self.env.note_dependency(str(DATA))
        return self.parsed(sentences(json.loads(DATA.read_text(encoding="utf-8"))))


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Every machine in the file, with what ran on it where there are several."""
    machines: dict[str, list[str]] = {}
    for name, each in report.items():
        machine = each["machine"]
        said = f"{machine['cores']} cores ({machine['system']}), Python {machine['python']}, NumPy {machine['numpy']}"
        machines.setdefault(said, []).append(name)
    if len(machines) == 1:
        return [f"Measured on {next(iter(machines))}."]
    return [f"Measured on {said}: {', '.join(names)}." for said, names in machines.items()]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("benchmark", Benchmark)
    app.add_directive("benchmark-machine", Machine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
