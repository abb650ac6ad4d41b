"""``anyk show``: one code, what it costs and how exact it is for every number of missing workers."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click
import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from anyk.cli.code_options import CodeName, build, code_options, take
from anyk.cli.commands import Examples
from anyk.cli.report import described
from anyk.cli.streams import busy, say, tell
from anyk.code import Code
from anyk.errors import InputError
from anyk.verbs.sufficiency import Tables

#: Survivor sets looked at per row, where there are more; fewer for codes with many workers.
SETS, MANY_WORKERS, SETS_OF_MANY = 200, 40, 20
DTYPES = ("float64", "float32", "float16", "bfloat16", "complex128", "complex64")


@dataclass(frozen=True)
class Row:
    """What to expect when so many workers are missing.

    Args:
        missing: workers that do not answer.
        answers: those that do.
        median: expected relative error, over survivor sets of this size.
        worst: the largest among them.
        decoding: share of the sets that decode.
    """

    missing: int
    answers: int
    median: float
    worst: float
    decoding: float


_EXAMPLES = (
    "anyk show matdot --inner 4 --workers 10",
    "anyk show matdot --inner 4 --workers 10 --basis chebyshev --dtype float32",
    "anyk show polynomial --rows 3 --cols 3 --workers 12 --save code.json",
)


@click.command(cls=Examples, short_help="Show what one code needs, costs and promises.", examples=_EXAMPLES)
@click.argument("name", type=CodeName(), metavar="CODE")
@code_options
@click.option("--dtype", type=click.Choice(DTYPES), default="float64", show_default=True, help="Of the operands.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of random tables and samples.")
@click.option("--save", metavar="FILE", help="Write the code there, to be used as --code FILE.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
def show(name: str, dtype: str, seed: int, save: str | None, is_json: bool, **options: Any) -> None:
    """Show a code: answers needed, storage, traffic, and the expected error for every number of missing workers.

    CODE is a family (see `anyk codes`) with its parameters, or a file written with --save.
    """
    code = build(name, take(options), seed=seed, dtype=dtype)
    with busy("looking at survivor sets"):
        rows, lucky = list(expectations(code, dtype, seed)), list(lucky_sets(code, dtype, seed))
    if save is not None:
        _saved(code, save)
    if is_json:
        click.echo(json.dumps(_as_json(code, dtype, rows, lucky, save), indent=2))
    else:
        say(Group(*_report(code, dtype, rows, lucky)))


def expectations(code: Code, dtype: str, seed: int) -> Iterator[Row]:
    """From nobody missing to as many as the code stands."""
    for answers in range(code.workers, code.recovery_threshold - 1, -1):
        yield _row(code, answers, dtype, seed)


def lucky_sets(code: Code, dtype: str, seed: int) -> Iterator[Row]:
    """Below the recovery threshold: sizes at which some sets decode all the same; the smaller, the fewer."""
    for answers in range(code.recovery_threshold - 1, Tables(code, dtype).fewest - 1, -1):
        row = _row(code, answers, dtype, seed)
        if not row.decoding:
            return
        yield row


def _sets(code: Code, answers: int) -> int | None:
    """How many survivor sets of this size to look at; None: all there are."""
    most = SETS if code.workers <= MANY_WORKERS else SETS_OF_MANY
    return None if math.comb(code.workers, answers) <= 10 * most else most


def _row(code: Code, answers: int, dtype: str, seed: int) -> Row:
    errors = code.errors(answers, dtype, sets=_sets(code, answers), rng=np.random.default_rng(seed))
    limit = code.decoding_limit(answers, dtype)
    median, worst = float(np.median(errors)), float(errors.max())
    return Row(code.workers - answers, answers, median, worst, float(np.mean(errors <= limit)))


def _saved(code: Code, path: str) -> None:
    try:
        code.save(path)
    except OSError as problem:
        raise InputError(f"`{path}` was not written: {problem.strerror}. Choose another place.") from problem
    tell(f"saved: use it with --code {path}")


def _as_json(code: Code, dtype: str, rows: list[Row], lucky: list[Row], saved: str | None) -> dict[str, Any]:
    cut = code.partition
    return {
        **(described(code) or {}),
        "reference": code.reference,
        "is_complex": code.is_complex,
        "dtype": dtype,
        "storage": {"share_of_a": 1 / (cut.rows * cut.inner), "share_of_b": 1 / (cut.inner * cut.cols)},
        "work": {"share_of_product": 1 / cut.products, "all_workers": code.workers / cut.products},
        "traffic": {"share_of_c": 1 / cut.wanted, "all_needed": code.recovery_threshold / cut.wanted},
        "wrong_answers_correctable": {
            "random": code.wrong_answers_correctable(code.workers, model="random"),
            "adversarial": code.wrong_answers_correctable(code.workers, model="adversarial"),
        },
        "expected_errors": [asdict(row) for row in rows],
        "lucky_sets": [asdict(row) for row in lucky],
        "saved": saved,
    }


def _report(code: Code, dtype: str, rows: list[Row], lucky: list[Row]) -> Iterator[Any]:
    facts = code.describe().splitlines()
    end = next((at for at, line in enumerate(facts) if "expected relative error" in line), len(facts))
    yield Text(facts[0], style="bold")
    yield Text("\n".join(facts[1:end]))
    if code.reference:
        yield Text(f"  from         {code.reference}")
    yield Text(f"\nExpected relative error on random {dtype} matrices", style="bold")
    yield _table(rows)
    if sampled := max(_sets(code, row.answers) or 0 for row in rows):
        yield Text(f"  over {sampled} random sets and the contiguous one, where there are many", style="dim")
    if lucky:
        yield Text("\nFewer answers, where the set is a lucky one", style="bold")
        yield _luck(lucky)


def _table(rows: list[Row]) -> Table:
    table = _grid("missing", "answers", "median", "worst", "")
    for row in rows:
        bad = "" if row.decoding == 1.0 else f"{row.decoding:.1%} of the sets decode"
        table.add_row(str(row.missing), str(row.answers), f"{row.median:.0e}", f"{row.worst:.0e}", bad)
    return table


def _luck(rows: list[Row]) -> Table:
    table = _grid("missing", "answers", "sets that decode")
    for row in rows:
        table.add_row(str(row.missing), str(row.answers), f"{row.decoding:.1%}")
    return table


def _grid(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    return table
