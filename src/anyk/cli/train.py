"""``anyk train``: a network trained on nodes that give wrong numbers, with a bar while it goes on."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anyk.cli.bar import Bar
from anyk.cli.commands import Examples
from anyk.cli.streams import say
from anyk.cli.train_report import report, told
from anyk.cli.train_words import Interval, Sizes, settled, words
from anyk.errors import ClusterError, InputError

if TYPE_CHECKING:
    from anyk.nn.collective import Collective
    from anyk.nn.record import Moment
    from anyk.nn.runs import Configuration
    from anyk.nn.training import Trained

STRATEGIES = ("gpd", "mds", "replication", "uncoded")
KINDS = ("gaussian", "bitflip", "paper")
ENGINES = ("virtual", "processes", "torchrun")
_EXAMPLES = (
    "anyk train",
    "anyk train --data digits --hidden 128,128 --nodes 10 --grid 2x2 --strategy gpd --error-rate 1e-2",
    "anyk train --strategy uncoded --error-rate 1e-2",
    "anyk train --data path/to/mnist --nodes 12 --error-rate 1e-2 --epochs 2 --output run",
    "anyk train --engine processes --error-rate 1e-2 --resume run/checkpoints",
    "anyk report run/run.json -o report.html",
)


@click.command(cls=Examples, short_help="Train a network on nodes that give wrong numbers.", examples=_EXAMPLES)
@click.option("--data", default="digits", show_default=True, metavar="NAME|DIR|FILE", help="digits, IDX files, a .npz.")
@click.option("--hidden", type=Sizes(","), default=(128, 128), metavar="N,…", help="Hidden layers.  [default: 128,128]")
@click.option("--strategy", type=click.Choice(STRATEGIES), default="gpd", show_default=True, help="How it is coded.")
@click.option("--grid", type=Sizes("x", 2), default=(2, 2), metavar="MxN", help="Blocks of a weight.  [default: 2x2]")
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
@click.option("--checkpoint-every", type=Interval(), default=50, show_default=True, metavar="N|auto", help="Updates.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything random.")
@click.option(
    "--engine", type=click.Choice(ENGINES), default="virtual", show_default=True, help="Nodes: in here, or processes."
)
@click.option("--resume", metavar="DIR", help="Keep checkpoints there, and go on from those that are there.")
@click.option("-o", "--output", metavar="DIR", help="Where run.json and model.safetensors go.")
@click.option("--tensorboard", metavar="DIR", help="Where scalars for TensorBoard go.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No report and no bar.")
@click.option("--outcome", hidden=True, help="Where a rank puts what it has trained.")
@click.pass_context
def train(
    context: click.Context,
    /,
    output: str | None,
    tensorboard: str | None,
    is_json: bool,
    quiet: bool,
    engine: str,
    resume: str | None,
    outcome: str | None,
    **asked: Any,
) -> None:
    """Train a perceptron whose weights live coded on nodes that err in every step, with no trusted one among them.

    Errors are injected, found, repaired, and where that fails the run goes back to its last checkpoint. The accuracy is
    that of the weights after they were verified. The same settings give the same run. With --engine processes or
    torchrun every node is a process of its own; killed and stopped ones are done without.
    """
    with needs_torch():
        from anyk.nn import meeting, places, starting
    configuration = settled(context, resume, asked)
    for place in (output, resume):
        if place is not None:
            _ensure_directory(place)
    if meeting.is_rank():
        collective = places.rank(configuration)
        if configuration.nodes is None:
            configuration = replace(configuration, nodes=collective.nodes)
        first, engine = collective.rank == 0, "torchrun" if outcome is None else "processes"
        trained = _here(configuration, engine, collective, resume, tensorboard if first else None, quiet or not first)
        if outcome is not None:
            trained.save(Path(outcome) / f"rank-{collective.rank:04d}")
        if outcome is not None or trained.speaker != collective.rank:
            return
    elif engine == "virtual":
        trained = _here(configuration, engine, None, resume, tensorboard, quiet)
    else:
        nodes = configuration.code().nodes
        paths = {"--resume": resume, "--tensorboard": tensorboard}
        program = words(replace(configuration, nodes=nodes), context.command)
        program += [word for name, path in paths.items() if path is not None for word in (name, path)]
        if engine == "torchrun":
            shown = [*(("--json",) if is_json else ()), *(("--output", output) if output is not None else ())]
            starting.become_torchrun(nodes, [*program, *shown, *(("--quiet",) if quiet else ())])
        trained = starting.processes(nodes, [*program, "--quiet"] if quiet or is_json else program)
    if output is not None:
        trained.save(output)
    if is_json:
        click.echo(json.dumps({**trained.run.summary(), "output": output}, indent=2))
    elif not quiet:
        say(report(trained.run, output))
    if not trained.run.finished:
        raise ClusterError(trained.run.reason)


def _here(
    configuration: "Configuration",
    engine: str,
    collective: "Collective | None",
    resume: str | None,
    tensorboard: str | None,
    quiet: bool,
) -> "Trained":
    """Train in this process, with a bar."""
    from anyk.nn import training
    from anyk.nn.tensorboard import Scalars

    with ExitStack() as stack:
        bar = stack.enter_context(Bar(quiet))
        watchers: list[Callable[[Moment], object]] = [
            lambda moment: bar.show(moment.step, moment.steps, told(moment)),
        ]
        if tensorboard is not None:
            watchers.append(stack.enter_context(Scalars(tensorboard)).see)
        return training.train(
            configuration,
            collective=collective,
            directory=resume,
            watch=lambda moment: [see(moment) for see in watchers],
            engine=engine,
        )


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
