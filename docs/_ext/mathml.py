"""Formulas as MathML, which browsers draw by themselves: the built manual asks no other host for anything."""

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml


def visit_inline(writer, node):
    """A formula within a line."""
    writer.body.append(tex2mathml(node.astext()))
    raise SkipNode


def visit_block(writer, node):
    """A formula by itself."""
    writer.body.append(tex2mathml(node.astext(), as_block=True))
    raise SkipNode


def setup(app):
    """Sphinx calls this once."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
