"""Writes every command of ``anyk`` into the page of the command line, from Click itself.

The line ``% commands`` in `command-line.md` becomes one section per command: usage, text, arguments and options,
examples.
"""

from importlib.util import find_spec
from inspect import cleandoc

from sphinx.application import Sphinx

PAGE, MARK = "command-line", "% commands"


def reference() -> str:
    """All commands as Markdown."""
    import click

    from anyk.cli import main

    top = click.Context(main, info_name="anyk")
    return "\n\n".join(section(command, click.Context(command, top, name)) for name, command in main.commands.items())


def section(command, context) -> str:
    """One command."""
    parts = [
        f"## {context.command_path}",
        f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```",
        cleandoc(command.help),
        table(command, context),
        "```sh\n" + "\n".join(command.examples) + "\n```",
    ]
    return "\n\n".join(parts)


def table(command, context) -> str:
    """Its options as a table; what Click says of them, and how it says it."""
    records = [each.get_help_record(context) for each in command.params if each.param_type_name == "option"]
    rows = [f"| {_code(record[0])} | {_plain(record[1])} |" for record in records if record]  # none: a hidden option
    return "\n".join(["| option | |", "| --- | --- |", *rows])


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def insert(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put the commands where the page has its mark."""
    if docname == PAGE:
        text = "" if find_spec("anyk") is None else reference()  # the manual can be built without the package
        content[0] = content[0].replace(MARK, text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
