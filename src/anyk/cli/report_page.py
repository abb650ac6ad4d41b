"""``anyk report``: a page of its own for what a run has written; and pictures and a trace of a product's."""

from pathlib import Path

import click

from anyk.cli.commands import Examples
from anyk.cli.files import ensure_place, write_bytes
from anyk.cli.streams import tell
from anyk.report import page, read, view

_EXAMPLES = (
    "anyk matmul A.npy B.npy --code matdot --inner 4 --workers 10 --record run.json",
    "anyk report run.json -o run.html",
    "anyk report run.json --svg run.svg --png run.png --trace run.trace.json",
    "anyk report run/run.json -o training.html",
)

_OPEN = {
    "output": "open it in a browser",
    "svg": "a picture",
    "png": "a picture",
    "trace": "open it at ui.perfetto.dev or in chrome://tracing",
}


@click.command(cls=Examples, short_help="Make a page of what a run has written.", examples=_EXAMPLES)
@click.argument("run", metavar="RUN.json")
@click.option("-o", "--output", metavar="FILE", help="Where the page goes; default: stdout, if nothing else is asked.")
@click.option("--svg", metavar="FILE", help="Draw the timeline of a product as SVG.")
@click.option("--png", metavar="FILE", help="Draw it as PNG; this needs matplotlib.")
@click.option("--trace", metavar="FILE", help="Write a trace of a product, for Perfetto or chrome://tracing.")
def report(run: str, output: str | None, **views: str | None) -> None:
    """Make one self-contained HTML page of a run: who answered when, how exact it became, where time and memory went.

    RUN.json is what `anyk matmul --record RUN.json` wrote, or what `anyk train --output DIR` did: curves, who was wrong
    and when, counts. The page fetches nothing; it can be sent as it is.
    """
    asked = {name: path for name, path in {"output": output, **views}.items() if path is not None}
    for path in asked.values():
        ensure_place(path, Path(path))
    written = read(run)
    made = {name: page(written).encode() if name == "output" else view(written, name) for name in asked}
    for name, path in asked.items():
        write_bytes(path, made[name])
        tell(f"{path}: {_OPEN[name]}")
    if not asked:
        click.echo(page(written), nl=False)
