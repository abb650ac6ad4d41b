"""``anyk train``: a network trained on nodes that give wrong numbers, with a bar while it goes on."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from anyk.cli.bar import Bar
from anyk.cli.commands import Examples
from anyk.cli.streams import say
from anyk.errors import ClusterError, InputError

if TYPE_CHECKING:
    from anyk.nn.record import Moment
    from anyk.nn.runs import Run

STRATEGIES = ("gpd", "mds", "replication", "uncoded")
KINDS = ("gaussian", "bitflip", "paper")
_EXAMPLES = (
    "anyk train",
    "anyk train --data digits --hidden 128,128 --nodes 10 --grid 2x2 --strategy gpd --error-rate 1e-2",
    "anyk train --strategy uncoded --error-rate 1e-2",
    "anyk train --data path/to/mnist --nodes 12 --error-rate 1e-2 --epochs 2 --output run",
    "anyk report run/run.json -o report.html",
)


class _Sizes(click.ParamType[tuple[int, ...]]):
    """Positive integers with something between them.

    Args:
        between: what.
        count: how many; 0: any.
    """

    name = "sizes"

    def __init__(self, between: str, count: int = 0) -> None:
        self._between, self._count = between, count

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Digits alone, each at least 1."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.lower().split(self._between)]
        right = all(part.isdecimal() and int(part) > 0 for part in parts) and len(parts) == (self._count or len(parts))
        if not right:
            shown = self._between.join(["2"] * self._count or ["128", "64"])
            self.fail(f"{value!r} should look like {shown}: integers of at least 1.", param, ctx)
        return tuple(map(int, parts))


class _Interval(click.ParamType[int | str]):
    """A number of updates, or ``auto``."""

    name = "interval"

    def convert(self, value: int | str, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Digits are updates."""
        if str(value).isdecimal() and int(value) > 0:
            return int(value)
        if value != "auto":
            self.fail(f"{value!r} is neither a number of updates, at least 1, nor 'auto'.", param, ctx)
        return value


@click.command(cls=Examples, short_help="Train a network on nodes that give wrong numbers.", examples=_EXAMPLES)
@click.option("--data", default="digits", show_default=True, metavar="NAME|DIR|FILE", help="digits, IDX files, a .npz.")
@click.option(
    "--hidden", type=_Sizes(","), default=(128, 128), metavar="N,…", help="Hidden layers.  [default: 128,128]"
)
@click.option("--strategy", type=click.Choice(STRATEGIES), default="gpd", show_default=True, help="How it is coded.")
@click.option("--grid", type=_Sizes("x", 2), default=(2, 2), metavar="MxN", help="Blocks of a weight.  [default: 2x2]")
@click.option("--nodes", type=click.IntRange(1), help="Default: 10 for gpd on 2x2; else what corrects an error.")
@click.option("--error-rate", type=click.FloatRange(0, 1), default=0.0, help="Per node, layer and step.  [default: 0]")
@click.option("--error-kind", type=click.Choice(KINDS), default="gaussian", show_default=True, help="What is wrong.")
@click.option("--batch", type=click.IntRange(1), default=32, show_default=True, help="Samples of an update.")
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True, help="Passes over the samples.")
@click.option("--steps", type=click.IntRange(1), help="Updates, instead of --epochs.")
@click.option("--lr", type=click.FloatRange(0), default=0.1, show_default=True, help="Learning rate.")
@click.option("--momentum", type=click.FloatRange(0), default=0.0, show_default=True, help="Of the velocity.")
@click.option(
    "--dtype", type=click.Choice(("float32", "float64")), default="float32", show_default=True, help="Of all."
)
@click.option("--attempts", type=click.IntRange(1), default=2, show_default=True, help="At a product, then roll back.")
@click.option("--checkpoint-every", type=_Interval(), default=50, show_default=True, metavar="N|auto", help="Updates.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything random.")
@click.option("--engine", type=click.Choice(("virtual",)), default="virtual", show_default=True, help="The nodes.")
@click.option("-o", "--output", metavar="DIR", help="Where run.json and model.safetensors go.")
@click.option("--tensorboard", metavar="DIR", help="Where scalars for TensorBoard go.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No report and no bar.")
def train(output: str | None, tensorboard: str | None, is_json: bool, quiet: bool, engine: str, **asked: Any) -> None:
    """Train a perceptron whose weights live coded on nodes that err in every step, with no trusted one among them.

    Errors are injected, found, repaired, and where that fails the run goes back to its last checkpoint. The accuracy is
    that of the weights after they were verified. The same settings give the same run.
    """
    with needs_torch():
        from anyk.nn import training
        from anyk.nn.runs import Configuration
        from anyk.nn.tensorboard import Scalars
    configuration = Configuration(**asked)
    if output is not None:
        _ensure_directory(output)
    with ExitStack() as stack:
        bar = stack.enter_context(Bar(quiet))

        def see(moment: "Moment") -> None:
            bar.show(moment.step, moment.steps, told(moment))

        watchers = [see]
        if tensorboard is not None:
            watchers.append(stack.enter_context(Scalars(tensorboard)).see)
        trained = training.train(configuration, watch=lambda moment: [see(moment) for see in watchers])
    if output is not None:
        trained.save(output)
    if is_json:
        click.echo(json.dumps({**trained.run.summary(), "output": output}, indent=2))
    elif not quiet:
        say(report(trained.run, output))
    if not trained.run.finished:
        raise ClusterError(trained.run.reason)


@contextmanager
def needs_torch() -> Iterator[None]:
    """Where something of `anyk.nn` is imported: what to do without."""
    try:
        yield
    except ImportError as problem:
        raise InputError(
            f"training needs PyTorch and what goes with it ({problem}). Install them with `pip install 'anyk[nn]'`."
        ) from problem


def _ensure_directory(output: str) -> None:
    """Find out before a long computation that there can be such a directory.

    Raises:
        InputError: something else has the name, or no right to write there.
    """
    path = Path(output).absolute()
    nearest = next(place for place in (path, *path.parents) if place.exists())
    if not nearest.is_dir():
        raise InputError(f"`--output {output}` cannot be a directory: {nearest} is a file. Choose another place.")
    if not os.access(nearest, os.W_OK):
        raise InputError(f"`--output {output}`: no permission to write in {nearest}. Choose another place.")


def told(moment: "Moment") -> str:
    """How far a run has come, in a line."""
    loss = "" if moment.loss is None else f", loss {moment.loss:.3g}"
    injected, located, regenerated = (moment.counts.get(kind, 0) for kind in ("injected", "located", "regenerated"))
    return (
        f"{moment.step} of {moment.steps}{loss}, {injected:,} errors: {located:,} found, "
        f"{regenerated:,} blocks rebuilt, {moment.rollbacks} roll-backs"
    )


def report(run: "Run", output: str | None) -> RenderableType:
    """A few lines: the accuracy, what went wrong, what was done about it."""
    code, tolerance = run.code, run.code["tolerance"]
    asked = run.configuration
    rows = [
        ("network", f"{' - '.join(map(str, run.layers))}, batch {asked.batch}, learning rate {asked.lr:g}"),
        ("code", f"{code['name']}, grid {code['rows']} x {code['inner']}, {code['nodes']} nodes"),
        ("corrects", f"{tolerance['forward']} wrong nodes forward, {tolerance['backward']} backward"),
        ("errors", f"{run.errors_injected:,} injected; {run.errors_located:,} wrong answers thrown out"),
        ("repaired", f"{run.blocks_regenerated:,} stored blocks rebuilt, {run.copies_refreshed:,} copies replaced"),
        ("rolled back", f"{run.rollbacks} times; {run.executed:,} updates executed for {run.steps:,} that count"),
        ("written", "" if output is None else f"{output}: run.json, model.safetensors"),
        ("see it", "" if output is None else f"anyk report {Path(output) / 'run.json'} -o report.html"),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        if text:
            table.add_row(f"  {name}", text)
    line = Text(f"{asked.data}: accuracy {100 * run.accuracy:.2f} %", style="bold")
    line.append(f", weights verified, after {run.steps:,} updates in {run.seconds:.1f} s", style="not bold")
    return Group(line, table)
