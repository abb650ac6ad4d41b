"""The directives ``fault-models`` and ``fault-presets``: tables written from `anyk.faults.FAULTS` and `PRESETS`."""

from dataclasses import fields
from importlib.util import find_spec

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

Rows = list[tuple[str, ...]]


def models() -> Rows:
    """Every fault model: name, how to write it, what it does, and who shares its luck."""
    from anyk.faults import FAULTS

    shared = {(): "nothing", ("ranks",): "the workers of a round", ("rounds",): "the rounds of a worker"}
    return [
        ("name", "for example", "what happens", "luck shared by"),
        *(
            (f"`{name}`", f"`{written(family.example)}`", family.description, shared[family.correlated])
            for name, family in FAULTS.items()
        ),
    ]


def presets() -> Rows:
    """Every preset: name, setting, source."""
    from anyk.faults import PRESETS

    return [
        ("name", "model", "setting", "source"),
        *(
            (f"`{name}`", f"`{chosen.build.__name__}`", _setting(chosen.setting), chosen.source)
            for name, chosen in PRESETS.items()
        ),
    ]


def written(model) -> str:
    """How a person would write this model: fields that have their default are left out."""
    if hasattr(model, "models"):
        return f"combine({', '.join(map(written, model.models))})"
    named = [(field, getattr(model, field.name)) for field in fields(model) if field.init]
    said = (f"{field.name}={value!r}" for field, value in named if value != field.default)
    return f"{type(model).__name__}({', '.join(said)})"


def _setting(setting) -> str:
    named = (f"{name} = {'…' if value is None else value}" for name, value in setting.items())
    return ", ".join(named) or "as the model has it"


def markdown(rows: Rows) -> list[str]:
    """The rows as a Markdown table; the first is its head."""
    head, *body = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return [head, "|" + " --- |" * len(rows[0]), *body]


class Table(SphinxDirective):
    """A directive without arguments that puts one of the tables here."""

    rows = staticmethod(models)

    def run(self) -> list[nodes.Node]:
        """Let the page's own parser read the table."""
        if find_spec("anyk") is None:  # as in conf.py: the manual can be built without the package
            return []
        box = nodes.container()
        self.state.nested_parse(StringList(markdown(self.rows()), "fault_table"), self.content_offset, box)
        return box.children


class Presets(Table):
    """The table of presets."""

    rows = staticmethod(presets)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.add_directive("fault-models", Table)
    app.add_directive("fault-presets", Presets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
