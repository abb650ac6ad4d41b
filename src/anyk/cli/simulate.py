"""``anyk simulate``: how long products would take on thousands of workers, strategy beside strategy."""

import json
from collections.abc import Sequence
from typing import Any

import click
import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

import anyk
from anyk import faults
from anyk.cli.bar import Bar
from anyk.cli.commands import Examples
from anyk.cli.streams import say
from anyk.errors import InputError
from anyk.simulation import SPECULATIONS, Completion
from anyk.verbs.screen import KINDS, Screening

_EXAMPLES = (
    "anyk simulate --workers 10000 --products 1000 --delays lambda",
    "anyk simulate --workers 256 --delays lambda --strategy uncoded,speculation,polynomial:15x16",
    "anyk simulate --workers 64 --delays trace.csv --strategy uncoded,mds:60 --json",
    "anyk simulate --workers 40 --delays crash:0.05 --delays shifted-exp --strategy matdot:15 --wrong 2",
    "anyk simulate --workers 12 --products 50 --delays dolly --strategy matdot:4 --job",
)


@click.command(cls=Examples, short_help="How long products take on thousands of workers.", examples=_EXAMPLES)
@click.option("--workers", type=click.IntRange(1), required=True, help="How many there are.")
@click.option("--products", type=click.IntRange(1), default=1000, show_default=True, help="How many are simulated.")
@click.option(
    "--delays",
    multiple=True,
    metavar="PRESET|FILE",
    help=f"{', '.join(faults.PRESETS)}, or a CSV file of recorded seconds; several act together.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="NAME,…",
    help="uncoded, replication:2, speculation, or a family as matdot:4, polynomial:8x8.  [default: some of each]",
)
@click.option("--seconds", type=click.FloatRange(0), default=1.0, help="Nominal time of a worker's equal share.  [1]")
@click.option("--spread", type=click.FloatRange(0, 3), default=0.0, help="Of the workers' speeds: log-normal sigma.")
@click.option("--equal-tasks", is_flag=True, help="Every task takes that time, whatever share of the product it is.")
@click.option("--wrong", type=click.IntRange(0), default=0, help="Wrong answers to be found in each product.")
@click.option("--screen", type=click.Choice(KINDS), default="checked", show_default=True, help="How they are found.")
@click.option("--retries", type=click.IntRange(0), default=1, show_default=True, help="Repeats of a lost task.")
@click.option("--job", is_flag=True, help="Run a real job for every product; small numbers only.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything random.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No bar.")
def simulate(
    workers: int, delays: Sequence[str], strategies: Sequence[str], is_json: bool, quiet: bool, **options: Any
) -> None:
    """Say how long products would take, by the job's own rules on drawn times.

    Every strategy meets the same workers and the same luck. Only waiting for workers is counted: no encoding, no
    traffic, no decoding; and whether a code of this size is precise enough is another question (`anyk show`).
    """
    names = [name for given in strategies for name in given.split(",")] or _usual(workers)
    model = faults.combine(*(anyk.simulation.named(name) for name in delays)) if delays else None
    seed = options.pop("seed")
    spread, seconds = options.pop("spread"), options.pop("seconds")
    speeds = np.exp(spread * np.random.default_rng([seed, 1]).standard_normal(workers))
    screening = Screening(options.pop("wrong"), options.pop("screen"), "random")
    found = []
    with Bar(quiet or is_json) as bar:
        for place, name in enumerate(names):

            def see(done: int, total: int, name: str = name, place: int = place) -> None:
                bar.show(place * total + done, len(names) * total, f"{name}: {done} of {total} products")

            found.append(
                anyk.simulate(
                    name,
                    workers=workers,
                    delays=model,
                    seconds=seconds * speeds,
                    extra=_extra(name, workers, screening),
                    rng=seed,
                    progress=see,
                    **options,
                )
            )
    if is_json:
        told = {"delays": repr(model), "seed": seed, "strategies": [each.as_dict() for each in found]}
        click.echo(json.dumps(told, indent=2, allow_nan=False))
    else:
        say(_report(found, repr(model)))


def _extra(name: str, workers: int, screening: Screening) -> int:
    """Answers awaited beyond the threshold; those without any to spare are screened all the same."""
    chosen = anyk.simulation.strategy(name, workers)
    if screening.kind != "checked" and chosen.needed + screening.extra > chosen.tasks:
        raise InputError(
            f"`{name} --wrong {screening.wrong} --screen {screening.kind}` needs {chosen.needed} + {screening.extra} "
            f"answers of {chosen.tasks} tasks. Use --screen checked, or cut less."
        )
    return min(screening.extra, chosen.tasks - chosen.needed)


def _usual(workers: int) -> list[str]:
    """What one would compare first; the code leaves a tenth of the workers to spare."""
    if workers < 2:
        return ["uncoded"]
    side = max(1, int((0.9 * workers) ** 0.5))
    rules = [f"speculation:{rule}" for rule in SPECULATIONS]
    return ["uncoded", "replication:2", *rules, f"polynomial:{side}x{side}"]


def _report(found: Sequence[Completion], model: str) -> Group:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("strategy", style="bold", no_wrap=True)
    for column in ("answers", "median", "90 %", "99 %", "99.9 %", "mean", "lost", "work", "wasted"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in found:
        quantiles = [_seconds(each.quantile(q)) for q in (0.5, 0.9, 0.99, 0.999)]
        table.add_row(
            each.strategy.name,
            f"{each.strategy.needed}/{each.strategy.tasks}",
            *quantiles,
            _seconds(each.mean),
            f"{100 * each.lost:.3g} %" if each.lost else "",
            f"{float(np.mean(each.worker_seconds)):.3g}",
            f"{100 * each.wasted:.0f} %",
        )
    first = found[0]
    title = f"{first.products} products on {first.workers} workers under {model}: seconds until enough has come"
    return Group(
        Text(title, style="bold"),
        table,
        Text("work: seconds of all workers for a product; wasted: the part nobody used.", style="dim"),
    )


def _seconds(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "never"
