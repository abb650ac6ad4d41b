"""``anyk plan``: which code, before a machine-hour is spent."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import anyk
from anyk import faults
from anyk.cli.commands import Examples
from anyk.cli.quantities import Bytes, ShapeOf
from anyk.cli.streams import busy, say
from anyk.planning import Plan
from anyk.planning.request import DelayUnit, Model, Screen
from anyk.planning.result import BRIDGE_HEADS, BRIDGE_SIDES, HEADS, SIDES

DTYPES = ("float64", "float32", "float16", "bfloat16", "complex128", "complex64")

_LARGE = "anyk plan 20000x20000 20000x20000 --workers 40 --stragglers 8"
_EXAMPLES = (
    f"{_LARGE} --wrong 2 --tolerance 1e-6",
    f"{_LARGE} --memory-per-worker 2GB",
    "anyk plan 4000x4000 4000x4000 --workers 18 --delays trace.csv --bandwidth 1GB/s",
    "anyk plan 4000x4000 4000x4000 --workers 18 --delays lambda --json",
)


@click.command(cls=Examples, short_help="Say which code to use, and whether to code at all.", examples=_EXAMPLES)
@click.argument("a", metavar="ROWSxCOLS", type=ShapeOf())
@click.argument("b", metavar="ROWSxCOLS", type=ShapeOf())
@click.option("--workers", type=click.IntRange(1), required=True, help="How many there are.")
@click.option("--stragglers", type=click.IntRange(0), default=0, help="How many answers may be missing.")
@click.option("--wrong", type=click.IntRange(0), default=0, help="How many answers may be wrong without notice.")
@click.option("--model", type=click.Choice(get_args(Model)), default="random", help="What wrong answers may be like.")
@click.option("--screen", type=click.Choice(get_args(Screen)), default="syndrome", help="How wrong answers are found.")
@click.option("--tolerance", type=click.FloatRange(0, min_open=True), help="Relative error that is good enough.")
@click.option("--dtype", type=click.Choice(DTYPES), default="float64", show_default=True, help="Of the operands.")
@click.option("--memory-per-worker", type=Bytes(), metavar="SIZE", help="What a worker has, for example 2GB.")
@click.option("--delays", metavar="FILE|PRESET", help=f"A CSV file of delays, or {', '.join(faults.PRESETS)}.")
@click.option("--delay-unit", type=click.Choice(get_args(DelayUnit)), help="What delays count: on top, or as factors.")
@click.option("--bandwidth", type=Bytes(per_second=True), metavar="SPEED", help="Of this machine's link: 1GB/s.")
@click.option("--cores", type=click.IntRange(1), help="Cores that all workers share, if on one machine.")
@click.option("--local/--no-local", default=True, help="Whether this machine may compute it alone.")
@click.option("--placed", is_flag=True, help="A is on the workers already, as after anyk.place.")
@click.option("--seed", "rng", type=click.IntRange(0), default=0, show_default=True, help="Of the drawn delays.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
def plan(a: tuple[int, int], b: tuple[int, int], is_json: bool, **options: Any) -> None:
    """Say which code to use for A times B, of these shapes, on a cluster like this.

    Partitions, families, bases and thresholds are compared by predicted time, memory, traffic and error, among them
    plain copies, no redundancy, and one machine alone.
    """
    with busy("comparing codes"):
        planned = anyk.plan(a, b, **options)
    if is_json:
        click.echo(json.dumps(planned.as_dict(), indent=2, allow_nan=False))
    else:
        say(Group(*_report(planned)))


def _report(planned: Plan) -> Iterator[RenderableType]:
    yield Text(planned.title, style="bold")
    yield Padding(_table(HEADS, SIDES, planned.rows(), best=True), (1, 0))
    if planned.trade_off:
        yield Text(planned.bridge_title, style="bold")
        yield Padding(_table(BRIDGE_HEADS, BRIDGE_SIDES, planned.bridge_rows(), best=False), (1, 0))
    yield Text.assemble(("Use ", "bold"), (planned.best.name, "bold green"), f": {planned.best.reason}")
    for note in planned.notes:
        yield Text(f"- {note}", style="dim")


def _table(heads: Iterable[str], sides: str, rows: Iterable[tuple[str, ...]], *, best: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for head, side in zip(heads, sides, strict=True):
        table.add_column(head, justify="right" if side == ">" else "left", no_wrap=head != "code", overflow="fold")
    for place, row in enumerate(rows):
        table.add_row(*row, style="bold" if best and place == 0 else "")
    return table
