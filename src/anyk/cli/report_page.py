"""``anyk report``: a page of its own for what a run has written."""

from pathlib import Path

import click

from anyk.cli.commands import Examples
from anyk.cli.files import ensure_place, write_text
from anyk.cli.streams import tell
from anyk.report import page, read

_EXAMPLES = ("anyk report run/run.json -o report.html",)


@click.command(cls=Examples, short_help="Make a page of what a run has written.", examples=_EXAMPLES)
@click.argument("run", metavar="RUN.json")
@click.option("-o", "--output", metavar="FILE", help="Where the page goes; default: stdout.")
def report(run: str, output: str | None) -> None:
    """Make one self-contained HTML page of a run: curves, who was wrong and when, counts.

    RUN.json is what `anyk train --output DIR` wrote. The page fetches nothing; it can be sent as it is.
    """
    if output is not None:
        ensure_place(output, Path(output))
    text = page(read(run))
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
        tell(f"{output}: open it in a browser")
