"""The directive ``transposed-products``: what codes need for A B and for A^T Y, asked of `anyk.codes.transposed`."""

from importlib.util import find_spec

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

#: How a person writes the code, and the threshold of the transposed product in general, where there is a formula.
EXAMPLES = {
    "mds(rows=4, workers=10)": "2 rows - 1",
    "mds(rows=4, workers=6)": "",
    "matdot(inner=4, workers=10)": "inner",
    "generalized_polydot(2, 2, 1, workers=10)": "2 rows inner - inner",
    "generalized_polydot(2, 3, 1, workers=12)": "2 rows inner - inner",
    "polynomial(2, 2, workers=10)": "",
    "replication(2, 2, 1, copies=2)": "as for A B",
    "uncoded(2, 2, 1)": "all",
}


def rows() -> list[tuple[str, ...]]:
    """One row for each example: how much memory, which answers suffice for either product."""
    from anyk import codes
    from anyk.codes import transposed
    from anyk.errors import CodeError

    table = [("code", "memory, in sizes of A", "A B", "A^T Y", "in general")]
    for written, formula in EXAMPLES.items():
        code = eval(written, vars(codes).copy())
        memory = code.workers / (code.partition.rows * code.partition.inner)
        try:
            back = f"any {transposed(code).recovery_threshold}"
        except CodeError:
            back = "refused: too few workers"
        table.append((f"`{written}`", f"{memory:.3g}", f"any {code.recovery_threshold}", back, formula or "–"))
    return table


def markdown() -> list[str]:
    """The rows as a Markdown table."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows())
    return [head, "|" + " --- |" * 5, *body]


class Table(SphinxDirective):
    """A directive without arguments that puts the table here."""

    def run(self) -> list[nodes.Node]:
        """Let the page's own parser read the table."""
        if find_spec("anyk") is None:  # as in conf.py: the manual can be built without the package
            return []
        box = nodes.container()
        self.state.nested_parse(StringList(markdown(), "transposed_table"), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("transposed-products", Table)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
