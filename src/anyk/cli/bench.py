"""``anyk bench``: measure this machine, for plans that fit it, and how long its workers take."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from anyk import planning
from anyk.cli import record_delays
from anyk.cli.commands import Examples
from anyk.cli.streams import busy, say, tell
from anyk.errors import InputError
from anyk.planning import CostModel
from anyk.verbs.calibrate import calibrate as measured

_EXAMPLES = (
    "anyk bench --calibrate",
    "anyk bench --calibrate --output here.json --json",
    "anyk bench --record delays.csv --engine processes:8 --products 100",
    "anyk bench --fit delays.csv",
)

#: What the fields of a calibration are called, and by how much their numbers are divided to be read.
_READABLE = {
    "worker_operations": ("one worker", 1e9, "Gop/s"),
    "machine_operations": ("this machine, all cores", 1e9, "Gop/s"),
    "coding_operations": ("combining blocks", 1e9, "Gop/s"),
    "encode_bytes": ("memory while encoding", 1e9, "GB/s"),
    "decode_bytes": ("memory while decoding", 1e9, "GB/s"),
    "check_bytes": ("memory while measuring errors", 1e9, "GB/s"),
    "worker_bytes": ("memory of a worker", 1e9, "GB/s"),
    "task_seconds": ("each task", 1e-3, "ms"),
    "product_seconds": ("each product", 1e-3, "ms"),
}


@click.command(cls=Examples, short_help="Measure this machine, for better plans.", examples=_EXAMPLES)
@click.option("--calibrate", is_flag=True, help="Measure cores, memory and worker processes, some ten seconds.")
@click.option("--record", metavar="FILE", help="Run products, and write how long each worker took, a row for each.")
@click.option("--fit", metavar="FILE", help="Say which law of delays a recording follows.")
@click.option("--engine", metavar="NAME[:N]", default="processes", show_default=True, help="Whom to record.")
@click.option("--products", type=click.IntRange(1), default=50, show_default=True, help="How many to record.")
@click.option("--size", type=click.IntRange(1), default=500, show_default=True, help="Of each worker's two matrices.")
@click.option("--faults", "delays", metavar="PRESET[:…]", help="Faults injected while recording, as in anyk matmul.")
@click.option(
    "--unit", type=click.FloatRange(0, min_open=True), default=1.0, help="Seconds of a task time in --faults."
)
@click.option("--quiet", "-q", is_flag=True, help="No bar.")
@click.option("-o", "--output", metavar="FILE", help="Where --calibrate goes.  [default: the user's settings]")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
def bench(
    calibrate: bool, record: str | None, fit: str | None, output: str | None, is_json: bool, **options: Any
) -> None:
    """Measure what `anyk plan` and `anyk simulate` predict with.

    --calibrate measures the speeds of this machine once and keeps them for this user. It is never required: without it
    plans are made from round numbers.

    --record runs products that wait for every worker; --delays of `anyk plan` and `anyk simulate` replays the file.
    Both --record and --fit say which law the times follow.
    """
    if sum((calibrate, record is not None, fit is not None)) != 1:
        raise InputError("`anyk bench` needs to be told what to measure. Add --calibrate, --record FILE or --fit FILE.")
    if record is not None:
        record_delays.record(record, **options)
    if not calibrate:
        _fitted(record or str(fit), is_json)
        return
    with busy("measuring this machine"):
        costs = measured()
    path = planning.store(costs, None if output is None else Path(output))
    if is_json:
        click.echo(json.dumps({"output": str(path), "costs": asdict(costs)}, indent=2))
    else:
        say(_table(costs))
        tell(f"kept in {path}: plans on this machine use it")


def _fitted(path: str, is_json: bool) -> None:
    fits = record_delays.fitted(path)
    if is_json:
        click.echo(json.dumps({"recording": path, "fit": None if fits is None else fits.as_dict()}, indent=2))
    elif fits is not None:
        say(record_delays.told(fits))


def _table(costs: CostModel) -> Table:
    """Measured speeds beside those assumed without."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for column in ("measured", "else assumed", ""):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    assumed = CostModel()
    for field in fields(costs):
        if field.name in _READABLE:
            name, size, unit = _READABLE[field.name]
            numbers = (getattr(each, field.name) / size for each in (costs, assumed))
            table.add_row(name, *(f"{number:.3g}" for number in numbers), unit)
    return table
