"""``anyk discover``: search for a code and write it, with a bar while it goes on."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

import anyk
from anyk.cli.bar import Bar
from anyk.cli.commands import INTERRUPTED, Examples
from anyk.cli.files import ensure_place
from anyk.cli.report import described
from anyk.cli.streams import say, tell
from anyk.discovery import METHODS, OBJECTIVES, Discovery, Step
from anyk.errors import InputError

_DTYPES = ("float64", "float32", "float16", "bfloat16")
#: Errors that fall by less are no gain.
_GAIN = 1.001
_EXAMPLES = (
    "anyk discover --inner 5 --workers 10 --results 7 -o code.json",
    "anyk discover --inner 3 --workers 5 --results 4 --dtype float32 --objective worst",
    "anyk discover --inner 5 --workers 10 --results 7 --budget 5m --resume code.json -o new.json",
    "anyk codes --archive",
)


class _Budget(click.ParamType[int | str]):
    """A number of iterations, or a time."""

    name = "budget"

    def convert(self, value: int | str, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Digits are iterations; the verb reads the rest."""
        return int(value) if str(value).isdigit() else value


@click.command(cls=Examples, short_help="Search for a code that loses less than the closed forms.", examples=_EXAMPLES)
@click.option("--inner", type=click.IntRange(1), required=True, help="Blocks along the inner dimension.")
@click.option("--workers", type=click.IntRange(1), required=True, help="Number of tasks P.")
@click.option("--results", type=click.IntRange(1), required=True, help="How many answers must do.")
@click.option("--rows", type=click.IntRange(1), default=1, show_default=True, help="Block rows of A.")
@click.option("--cols", type=click.IntRange(1), default=1, show_default=True, help="Block columns of B.")
@click.option("--dtype", type=click.Choice(_DTYPES), default="float64", show_default=True, help="Of the workers.")
@click.option(
    "--objective", type=click.Choice(OBJECTIVES), default="rms", show_default=True, help="Over survivor sets."
)
@click.option("--method", type=click.Choice(list(METHODS)), default="newton", show_default=True, help="How to step.")
@click.option(
    "--start",
    type=click.Choice(("structured", "random")),
    default="structured",
    show_default=True,
    help="Where to begin.",
)
@click.option(
    "--budget",
    type=_Budget(),
    default=600,
    show_default=True,
    metavar="N|TIME",
    help="Iterations, or a time: 90s, 5m, 1h.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything random.")
@click.option("--resume", metavar="FILE", help="Go on with the search that wrote this file.")
@click.option("-o", "--output", metavar="FILE", help="Where the code goes, with what is needed to go on.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No report and no bar.")
def discover(output: str | None, seed: int, is_json: bool, quiet: bool, **asked: Any) -> None:
    """Search for tables from which any RESULTS of WORKERS answers give the product.

    Without a time budget the same seed gives the same code. Ctrl-C ends the search; the best code so far is written
    all the same, and the exit status is 130.
    """
    if output is not None:
        ensure_place(output, Path(output))
    with Bar(quiet) as bar:

        def see(step: Step) -> None:
            bar.show(step.iteration, step.budget, _told(step))

        found = anyk.discover(**asked, rng=seed, progress=see)
    if output is not None:
        _written(found, output)
    if is_json:
        click.echo(json.dumps(_as_json(found, output), indent=2))
    elif not quiet:
        say(_report(found, output))
    if found.reason == "interrupted":
        tell(
            "interrupted: "
            + (f"the best so far is in {output}" if output else "the best so far was not asked for (-o)")
        )
        click.get_current_context().exit(INTERRUPTED)


def _told(step: Step) -> str:
    """How far a search has come, in a line."""
    return f"{step.iteration} steps, error {step.error:.2e}, at lambda {step.noise:.0e}"


def _written(found: Discovery, output: str) -> None:
    try:
        found.save(output)
    except OSError as problem:
        raise InputError(f"`{output}` was not written: {problem.strerror}. Choose another place.") from problem


def _as_json(found: Discovery, output: str | None) -> dict[str, Any]:
    return {
        **(described(found.code) or {}),
        **found.provenance(),
        "error": found.error,
        "history": [list(each) for each in found.history],
        "output": output,
    }


def _report(found: Discovery, output: str | None) -> Group:
    score = found.score
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    sets = f"all {score.sets} survivor sets" if score.all_sets else f"{score.sets} fresh survivor sets"
    for name, text in (
        (
            "error",
            f"rms {score.rms:.2e}, median {score.median:.2e}, worst {score.worst:.2e} over {sets}",
        ),
        ("gain", _gain(found)),
        ("noise", f"amplified {score.amplification:.1e} times"),
        ("search", f"{found.method}, {found.iterations} iterations, seed {found.seed}; ended: {found.reason}"),
        ("use it", f"anyk matmul A.npy B.npy -o C.npy --code {Path(output)}" if output else "not written; add -o FILE"),
    ):
        table.add_row(f"  {name}", text)
    return Group(Text(f"{found.code.name}: any {found.goal.results} of {found.goal.workers}", style="bold"), table)


def _gain(found: Discovery) -> str:
    """What the search was good for, by the sets it went by."""
    first, least = found.history[0][1], min(error for _, error in found.history)
    start = f"{found.goal.objective} {first:.2e} of the start ({found.start})"
    if least > first / _GAIN:
        return f"none: {start} was not bettered"
    return f"{start} became {least:.2e}, {first / least:.3g} times less"
