"""How the manual is built: Sphinx, MyST and furo; `make docs` turns every warning into an error."""

import re
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))  # the manual's own directives, where there are any

project = "anyk"
author = "The anyk developers"
copyright = "the anyk developers"
release = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]

extensions = [
    "approximate_table",
    "benchmark_table",
    "code_tables",
    "command_reference",
    "cost_table",
    "discovery_table",
    "fault_table",
    "job_table",
    "kept_table",
    "mathml",
    "myst_parser",
    "screening_table",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "training_table",
    "transposed_table",
]
exclude_patterns = ["_build", "_ext", "_static"]
if find_spec("anyk") is None:  # the manual can be read and built without the package; the reference cannot
    exclude_patterns.append("reference.md")
templates_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"anyk {release}"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_show_sourcelink = False

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Reference", "References")]


def math_in_dollars(app, what, name, obj, options, lines):
    """Docstrings write formulas as $...$, which reStructuredText spells :math:`...`."""
    text = "\n".join(lines)
    lines[:] = re.sub(r"(?<![\\$`])\$([^$\n]+)\$", r":math:`\1`", text).split("\n")


def numbers_whole(app, doctree, docname):
    """In tables no line breaks behind the sign of an exponent; `_static/manual.css` says so of the class."""
    for entry in doctree.findall(nodes.entry):
        for text in [*entry.findall(nodes.Text)]:
            parts = re.split(r"(\d[\d.]*e[-+]?\d+)", text)
            if len(parts) > 1 and not isinstance(text.parent, nodes.literal):
                whole = [nodes.inline("", part, classes=["whole"]) for part in parts[1::2]]
                around = [nodes.Text(part) for part in parts[::2]]
                mixed = [around[0], *(node for pair in zip(whole, around[1:], strict=True) for node in pair)]
                text.parent.replace(text, mixed)


def setup(app):
    """Sphinx calls this once."""
    app.connect("autodoc-process-docstring", math_in_dollars)
    app.connect("doctree-resolved", numbers_whole)
