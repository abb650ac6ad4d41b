"""``anyk reproduce``: a paper's figure made again, by the programs in ``papers/`` of a checkout."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click

import anyk
from anyk.cli.commands import Examples
from anyk.errors import InputError

_EXAMPLES = (
    "anyk reproduce",
    "anyk reproduce approximate-matmul fig2a",
    "anyk reproduce approximate-matmul logistic --data path/to/mnist",
    "anyk reproduce codenet tradeoff --quick",
)


@click.command(
    cls=Examples,
    short_help="Make a paper's figure again.",
    examples=_EXAMPLES,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, metavar="[PAPER FIGURE [OPTION…]]", type=click.UNPROCESSED)
@click.pass_context
def reproduce(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Make a figure of a paper again, with its data and what is published beside it; without a name: list them.

    The programs are in papers/ of the source repository and are not installed with the package: run this in a checkout,
    or with anyk installed from one (`pip install -e .`). It is the same as `python -m papers` there. Figures need
    matplotlib. With --quick after the figure's name rows are tiny and nothing is kept.
    """
    here = checkout([*Path(anyk.__file__).resolve().parents, Path.cwd()])
    paths = [str(here), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "papers", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=False,
    )
    ctx.exit(done.returncode)


def checkout(places: Iterable[Path]) -> Path:
    """The first folder that has the papers.

    Raises:
        InputError: none of them does.
    """
    for place in places:
        if (place / "papers" / "__main__.py").is_file() and (place / "benchmarks" / "kept.py").is_file():
            return place
    raise InputError(
        "`anyk reproduce` found no papers/: they belong to the source repository and are not installed with the "
        "package. Clone the repository, and run this in its folder."
    )
