"""The directives ``training-runs``, ``training-repairs`` and ``training-tolerance``: coded training in tables.

The first two take the name of the data and show what `python -m benchmarks.training` measured, as kept in the manual:
``:attempts:`` says how often a product was tried. The third comes from the codes themselves.
"""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from fault_table import Rows, markdown
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DATA = Path(__file__).parents[1] / "_data/training.json"
NAMES = {
    "uncoded": "uncoded",
    "replication": "replication",
    "mds": "product MDS",
    "gpd": "Generalized PolyDot",
}
#: Rows of the table of tolerances: grid and nodes.
GRIDS = (((2, 2), 8), ((2, 2), 10), ((2, 2), 12), ((3, 3), 27), ((2, 8), 48), ((4, 4), 48))

Run = Mapping[str, Any]


def measured(data: str, attempts: int) -> list[Run]:
    """All runs on these data with so many attempts; what is never tried again counts for any number."""
    runs = json.loads(DATA.read_text(encoding="utf-8"))["rows"]
    return [run for run in runs if run["data"] == data and run["attempts"] == (attempts if checked(run) else 1)]


def checked(run: Run) -> bool:
    """Somebody looks at the answers."""
    return run["strategy"] != "uncoded"


def outcomes(runs: list[Run]) -> Rows:
    """A row for each strategy and number of nodes, a column for each rate."""
    goals = {run["seed"]: run["accuracy"] for run in runs if run["rate"] == 0}
    rates = sorted({run["rate"] for run in runs} - {0})
    table: Rows = [("strategy", "grid", "nodes", *(f"p = {rate:g}" for rate in rates))]
    for strategy, grid, count in contenders(runs):
        mine = [run for run in runs if (run["strategy"], run["grid"], run["nodes"]) == (strategy, grid, count)]
        cells = (cell([run for run in mine if run["rate"] == rate], goals) for rate in rates)
        table.append((NAMES[strategy], grid, str(count), *cells))
    return table


def contenders(runs: list[Run]) -> list[tuple[str, str, int]]:
    """Strategies in the order of `NAMES`, then by size."""
    found = {(run["strategy"], run["grid"], run["nodes"]) for run in runs}
    return sorted(found, key=lambda each: (list(NAMES).index(each[0]), each[1], each[2]))


def cell(runs: list[Run], goals: Mapping[int, float]) -> str:
    """All seeds of one strategy at one rate, in words."""
    if not runs:
        return "–"
    if not all(run["finished"] for run in runs):
        return f"stuck ({' / '.join(str(run['steps']) for run in runs)})"
    if any(abs(run["accuracy"] - goals[run["seed"]]) > 1e-9 for run in runs):
        return " / ".join(f"{run['accuracy']:.3f}" for run in runs) + back(runs)
    return "**equal**" + back(runs)


def back(runs: list[Run]) -> str:
    """How often runs were rolled back, where they were."""
    counts = sorted(run["rollbacks"] for run in runs)
    span = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]}–{counts[-1]}"
    return f", {span} back" if counts[-1] else ""


def goals(runs: list[Run]) -> str:
    """The accuracies without errors."""
    found = sorted((run["seed"], run["accuracy"], run["steps"]) for run in runs if run["rate"] == 0)
    values = ", ".join(f"{accuracy:.4f}" for _, accuracy, _ in found)
    return f"{found[0][2]} updates; without errors the accuracies of the {len(found)} seeds are {values}."


def repairs(runs: list[Run]) -> Rows:
    """What was put in, found and mended in the runs of Generalized PolyDot, means over the seeds."""
    names = ("injected", "decode", "activation", "located", "regenerated", "rollbacks", "executed")
    head = ("injected", "of them in decoding", "in activations", "answers thrown out", "blocks rebuilt", "roll-backs")
    table: Rows = [("grid", "nodes", "p", *head, "updates executed")]
    for strategy, grid, count in contenders(runs):
        for rate in sorted({run["rate"] for run in runs} - {0}):
            mine = [
                run
                for run in runs
                if (run["strategy"], run["grid"], run["nodes"], run["rate"]) == (strategy, grid, count, rate)
            ]
            if strategy == "gpd" and mine:
                means = (fmean(run[name] for run in mine) for name in names)
                table.append((grid, str(count), f"{rate:g}", *(f"{mean:,.0f}" for mean in means)))
    return table


def tolerances() -> Rows:
    """Wrong nodes corrected at each stage, by strategy."""
    from anyk.errors import CodeError
    from anyk.nn import STRATEGIES

    table: Rows = [("grid", "nodes", *(f"{NAMES[name]}" for name in NAMES if name != "uncoded"))]
    for grid, count in GRIDS:
        cells = []
        for name in NAMES:
            if name == "uncoded":
                continue
            most, code = count, None
            while code is None:  # the largest code that fits these nodes
                try:
                    code = STRATEGIES[name](*grid, most)
                except CodeError:
                    most -= 1
            cells.append(_tolerance(code))
        table.append((f"{grid[0]} x {grid[1]}", str(count), *cells))
    return table


def _tolerance(code: Any) -> str:
    sides = []
    for model in ("random", "adversarial"):
        stages = code.tolerance(model)
        same = stages.forward == stages.backward
        sides.append(f"{stages.forward}" if same else f"{stages.forward}, {stages.backward}")
    return " / ".join(sides)


class Table(SphinxDirective):
    """A table, parsed as the page's own text."""

    def table(self, lines: list[str]) -> list[nodes.Node]:
        """Markdown to nodes."""
        box = nodes.container()
        self.state.nested_parse(StringList(lines, "training_table"), self.content_offset, box)
        return box.children


class Runs(Table):
    """Strategies against rates."""

    required_arguments = 1
    option_spec: ClassVar = {"attempts": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        """The table, and below it what it is compared with."""
        runs = self.runs()
        return self.table([*markdown(outcomes(runs)), "", goals(runs)])

    def runs(self) -> list[Run]:
        """What the table is made from."""
        self.env.note_dependency(str(DATA))
        runs = measured(self.arguments[0], self.options.get("attempts", 2))
        if not runs:
            raise self.error(f"no run on {self.arguments[0]!r} is in {DATA.name}.")
        return runs


class Repairs(Runs):
    """What was found and mended."""

    def run(self) -> list[nodes.Node]:
        """The table."""
        return self.table(markdown(repairs(self.runs())))


class Tolerances(Table):
    """What each strategy corrects."""

    def run(self) -> list[nodes.Node]:
        """The table, where the package and torch are installed."""
        if find_spec("anyk") is None or find_spec("torch") is None:
            return []
        return self.table(markdown(tolerances()))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("training-runs", Runs)
    app.add_directive("training-repairs", Repairs)
    app.add_directive("training-tolerance", Tolerances)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
