"""What is told of a training run: a line while it goes on, a few in the end."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from anyk.nn.record import Moment
    from anyk.nn.runs import Run


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
        ("ranks", _ranks(run)),
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


def _ranks(run: "Run") -> str:
    """Who was lost on the way."""
    lost, out = (", ".join(map(str, ranks)) for ranks in (run.ranks_lost, run.ranks_left_out))
    parts = [f"lost and replaced: {lost}" if lost else "", f"left out in the end: {out}" if out else ""]
    return "; ".join(part for part in parts if part)
