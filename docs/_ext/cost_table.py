"""The directive ``cost-model``: the planner's numbers, what each means and what is assumed, from the program."""

import re
from importlib.util import find_spec
from inspect import getdoc

from docutils import nodes
from docutils.statemachine import StringList
from fault_table import Rows, markdown
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def numbers() -> Rows:
    """One row per field of `anyk.planning.CostModel` that is a number."""
    from dataclasses import fields

    from anyk.planning import CostModel

    told = dict(re.findall(r"^    (\w+): (.+?)\.?$", getdoc(CostModel), re.MULTILINE))
    return [
        ("number", "what it is", "assumed"),
        *(
            (f"`{field.name}`", told[field.name], f"{field.default:g}")
            for field in fields(CostModel)
            if field.type in (float, "float")
        ),
    ]


class CostModelTable(SphinxDirective):
    """The table."""

    def run(self) -> list[nodes.Node]:
        """Let the page's own parser read it; nothing where the package is missing."""
        if find_spec("anyk") is None:
            return []
        box = nodes.container()
        self.state.nested_parse(StringList(markdown(numbers()), "cost_table"), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("cost-model", CostModelTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
