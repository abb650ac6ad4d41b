"""``anyk codes``: the catalogue as a table, and the archive of found codes as another."""

import inspect
import json
from collections.abc import Iterable
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from anyk.cli.code_options import example, flag, parameters
from anyk.cli.commands import Examples
from anyk.cli.streams import say
from anyk.codes import CATALOGUE, Family, Found, archive

_EXAMPLES = (
    "anyk codes",
    "anyk codes --json",
    "anyk codes --archive",
    "anyk show generalized_polydot --rows 2 --inner 2 --cols 2 --workers 12",
)


@click.command(cls=Examples, short_help="List the code families.", examples=_EXAMPLES)
@click.option("--archive", "is_archive", is_flag=True, help="The codes found by search instead.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
def codes(is_archive: bool, is_json: bool) -> None:
    """List the code families: parameters, answers needed, what each is for.

    With --archive: the codes found by search that lose less than any family; use them by name, as CODE and with --code.
    """
    if is_archive:
        found = archive().values()
        if is_json:
            click.echo(json.dumps({"archive": [asdict(each) | {"gain": each.gain} for each in found]}, indent=2))
        else:
            say(_found(found))
    elif is_json:
        click.echo(json.dumps({"codes": [_described(name, family) for name, family in CATALOGUE.items()]}, indent=2))
    else:
        say(_table())


def _table() -> Table:
    """One family per row; its parameters as options, those with a default in brackets."""
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="dim")
    table.add_column("code", style="bold", no_wrap=True)
    table.add_column("answers needed, what it is, parameters", overflow="fold")
    for name, family in CATALOGUE.items():
        table.add_row(name, Text.assemble(family.threshold, f"\n{family.description}\n", (_options(family), "dim")))
    return table


def _found(found: Iterable[Found]) -> Table:
    """One found code per row, with its errors and those of the closed form."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("found code", style="bold", no_wrap=True)
    for column in ("rms", "worst", "closed form's", "gain"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in found:
        aim = each.closed_rms if each.objective == "rms" else each.closed_worst
        table.add_row(each.name, f"{each.rms:.1e}", f"{each.worst:.1e}", f"{aim:.1e}", f"{each.gain:.2g}x")
    return table


def _options(family: Family) -> str:
    wanted = (each for name, each in family.parameters.items() if name in parameters())
    return " ".join(
        flag(each.name) if each.default is inspect.Parameter.empty else f"[{flag(each.name)}]" for each in wanted
    )


def _described(name: str, family: Family) -> dict[str, object]:
    wanted = {key: each for key, each in family.parameters.items() if key in parameters()}
    return {
        "name": name,
        "description": family.description,
        "recovery_threshold": family.threshold,
        "parameters": [
            {"name": key, "required": each.default is inspect.Parameter.empty}
            | ({} if each.default is inspect.Parameter.empty else {"default": each.default})
            for key, each in wanted.items()
        ],
        "example": example(name),
    }
