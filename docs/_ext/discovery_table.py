"""The directive ``found-codes``: the archive of found codes as a table, from its index."""

from importlib.util import find_spec

from docutils import nodes
from docutils.statemachine import StringList
from fault_table import Rows, markdown
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def found() -> Rows:
    """Every found code: name, its errors, those of the closed form, the gain."""
    from anyk.codes import archive

    return [
        ("name", "rms", "median", "worst", "closed form: rms", "worst", "gain", "sets"),
        *(
            (
                f"`{each.name}`",
                *(f"{number:.1e}" for number in (each.rms, each.median, each.worst)),
                f"{each.closed_rms:.1e}",
                f"{each.closed_worst:.1e}",
                f"{each.gain:.2g}",
                str(each.sets),
            )
            for each in archive().values()
        ),
    ]


class Found(SphinxDirective):
    """A directive without arguments that puts the table here."""

    def run(self) -> list[nodes.Node]:
        """Let the page's own parser read the table."""
        if find_spec("anyk") is None:  # as in conf.py: the manual can be built without the package
            return []
        box = nodes.container()
        self.state.nested_parse(StringList(markdown(found()), "discovery_table"), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("found-codes", Found)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
