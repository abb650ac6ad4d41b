"""``approximate-errors``: root mean square errors of approximate MatDot codes, from the codes themselves.

Arguments: ``inner,workers`` pairs. One row per pair and number of answers.
"""

import numpy as np
from docutils import nodes
from docutils.statemachine import StringList
from fault_table import Rows, markdown
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def rows(pairs: list[tuple[int, int]]) -> Rows:
    """Every number of answers from ``inner`` to the exact threshold."""
    from anyk.codes import matdot

    table: Rows = [("blocks m", "workers P", "answers k", "float64", "float32")]
    for inner, workers in pairs:
        for results in range(inner, 2 * inner - 1):
            errors = [designed(inner, workers, results, dtype) for dtype in ("float64", "float32")]
            table.append((str(inner), str(workers), str(results), *errors))
        exact = matdot(inner, workers)
        errors = [f"{rms(exact, 2 * inner - 1, dtype):.0e} (exact)" for dtype in ("float64", "float32")]
        table.append((str(inner), str(workers), str(2 * inner - 1), *errors))
    return table


def designed(inner: int, workers: int, results: int, dtype: str) -> str:
    """What the constructor promises, or that it refuses."""
    from anyk import CodeError
    from anyk.codes import approximate_matdot

    try:
        return f"{approximate_matdot(inner, workers, results=results, dtype=dtype).design_error:.0e}"
    except CodeError:
        return "refused"


def rms(code: object, results: int, dtype: str) -> float:
    """Over random survivor sets."""
    return float(np.sqrt(np.mean(code.errors(results, dtype, sets=200) ** 2)))  # type: ignore[attr-defined]


class ApproximateErrors(SphinxDirective):
    """The table."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Parse the table as the page's own text."""
        pairs = [tuple(int(part) for part in each.split(",")) for each in self.arguments[0].split()]
        box = nodes.container()
        text = markdown(rows(pairs))  # type: ignore[arg-type]
        self.state.nested_parse(StringList(text, "approximate_table"), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("approximate-errors", ApproximateErrors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
