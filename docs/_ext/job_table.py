"""The directives ``job-diagram``, ``job-table``, ``job-conditions`` and ``job-actions``.

All are written from `anyk.job.TABLE`.
"""

import re
from collections.abc import Iterable
from html import escape
from importlib.util import find_spec

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

#: Where the states stand in the diagram: the centre of each box.
PLACES = {
    "READY": (75, 145),
    "COLLECTING": (285, 145),
    "DECODING": (525, 145),
    "DONE": (765, 145),
    "FAILED": (405, 275),
}
BOX = (124, 40)
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 305" role="img" aria-label="The states of a job"
     style="max-width:100%" fill="none" stroke="currentColor"
     font-family="sans-serif" font-size="12">
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0,0 L8,4 L0,8 z" fill="currentColor" stroke="none"/></marker></defs>"""


def rows() -> list[tuple[str, ...]]:
    """The table as the program has it: state, event, condition, next, instructions."""
    from anyk.job import TABLE, State

    def states(row):
        return "any" if set(row.states) == set(State) else ", ".join(state.name for state in row.states)

    return [
        ("state", "event", "condition", "next", "actions"),
        *(
            (
                states(row),
                "any" if len(row.events) == 8 else ", ".join(event.__name__ for event in row.events),
                "–" if row.condition == "always" else f"`{row.condition}`",
                row.next.name if row.next else "unchanged",
                ", ".join(f"`{action}`" for action in row.actions) or "–",
            )
            for row in TABLE
        ),
    ]


def words(part: str) -> list[tuple[str, ...]]:
    """The conditions or the actions, and what their methods say."""
    from anyk.job import TABLE, Job

    used = [row.condition for row in TABLE] if part == "conditions" else [name for row in TABLE for name in row.actions]
    names = [name for name in dict.fromkeys(used) if name != "always"]
    return [(part[:-1], "meaning"), *((f"`{name}`", getattr(Job, name).__doc__) for name in names)]


def edges() -> dict[tuple[str, str], list[str]]:
    """Every change of state, with the conditions that lead to it; rows that keep the state are its own loop."""
    from anyk.job import TABLE

    found: dict[tuple[str, str], list[str]] = {}
    for row in TABLE:
        if row.next is not None:
            for state in row.states:
                found.setdefault((state.name, row.next.name), []).append(row.condition.replace("always", "else"))
    return {edge: list(dict.fromkeys(labels)) for edge, labels in found.items()}


def svg() -> str:
    """The diagram, in the colours of the page around it."""
    drawn = [_loop(a, labels) if a == b else _arrow(a, b, labels) for (a, b), labels in edges().items()]
    return "\n".join([HEAD, *drawn, *(_box(name) for name in PLACES), "</svg>"])


def _box(name: str) -> str:
    x, y = PLACES[name]
    left, top = x - BOX[0] / 2, y - BOX[1] / 2
    return f'<rect x="{left}" y="{top}" width="{BOX[0]}" height="{BOX[1]}" rx="8"/>' + _text(x, y + 4, [name])


def _arrow(start: str, end: str, labels: list[str]) -> str:
    (x0, y0), (x1, y1) = PLACES[start], PLACES[end]
    # Arrows there and back run beside each other, each on its own right hand.
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    aside = (-(y1 - y0) / length, (x1 - x0) / length) if (end, start) in edges() else (0.0, 0.0)
    x0, y0, x1, y1 = x0 - 10 * aside[0], y0 - 10 * aside[1], x1 - 10 * aside[0], y1 - 10 * aside[1]
    share = _share_inside(x1 - x0, y1 - y0)
    xa, ya = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    xb, yb = x1 - share * (x1 - x0), y1 - share * (y1 - y0)
    x, y = (xa + xb) / 2, (ya + yb) / 2
    if y1 != y0:  # words stand beside a slope, on its open side
        text = _text(x - 8, y + 12, labels, anchor="end") if x1 > x0 else _text(x + 8, y + 12, labels, anchor="start")
    else:
        text = _text(x, y - 6, labels) if x1 > x0 else _text(x, y + 16, labels, down=True)
    return f'<line x1="{xa:.0f}" y1="{ya:.0f}" x2="{xb:.0f}" y2="{yb:.0f}" marker-end="url(#tip)"/>' + text


def _share_inside(dx: float, dy: float) -> float:
    """Which part of the way from centre to centre lies inside a box."""
    return min(BOX[0] / 2 / abs(dx) if dx else 1.0, BOX[1] / 2 / abs(dy) if dy else 1.0)


def _loop(name: str, labels: list[str]) -> str:
    x, y = PLACES[name][0], PLACES[name][1] - BOX[1] / 2
    path = f"M{x - 18},{y} C{x - 40},{y - 44} {x + 40},{y - 44} {x + 18},{y}"
    return f'<path d="{path}" marker-end="url(#tip)"/>' + _text(x, y - 38, labels)


def _text(x: float, y: float, lines: Iterable[str], *, down: bool = False, anchor: str = "middle") -> str:
    lines = [*lines]
    top = y if down else y - 14 * (len(lines) - 1)
    style = f'fill="currentColor" stroke="none" text-anchor="{anchor}"'
    return "".join(
        f'<text x="{x:.0f}" y="{top + 14 * n:.0f}" {style}>{escape(line)}</text>' for n, line in enumerate(lines)
    )


def markdown(table: list[tuple[str, ...]]) -> list[str]:
    """The rows as a Markdown table; the first is its head."""
    head, *body = (f"| {' | '.join(re.sub(r'[|]', chr(92) + '|', cell) for cell in row)} |" for row in table)
    return [head, "|" + " --- |" * len(table[0]), *body]


class Table(SphinxDirective):
    """A directive without arguments that puts one of the tables here."""

    table = staticmethod(rows)

    def run(self) -> list[nodes.Node]:
        """Let the page's own parser read the table."""
        if find_spec("anyk") is None:  # as in conf.py: the manual can be built without the package
            return []
        box = nodes.container()
        self.state.nested_parse(StringList(markdown(self.table()), "job_table"), self.content_offset, box)
        return box.children


class Conditions(Table):
    """What the conditions ask."""

    table = staticmethod(lambda: words("conditions"))


class Actions(Table):
    """What the actions do."""

    table = staticmethod(lambda: words("actions"))


class Diagram(SphinxDirective):
    """The states and what leads from one to the next."""

    def run(self) -> list[nodes.Node]:
        """Put the drawing into the page itself, where it takes the page's colours."""
        return [] if find_spec("anyk") is None else [nodes.raw("", svg(), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("job-table", Table)
    app.add_directive("job-conditions", Conditions)
    app.add_directive("job-actions", Actions)
    app.add_directive("job-diagram", Diagram)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
