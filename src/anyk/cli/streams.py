"""Where words go: reports to stdout, everything about the way there to stderr. Colours only on a terminal."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext

import click
from rich.console import Console, RenderableType

#: Width of reports that go to a file or a pipe.
PIPE_WIDTH = 100


def out() -> Console:
    """What was asked for."""
    return _console(stderr=False)


def err() -> Console:
    """Everything else."""
    return _console(stderr=True)


def say(what: RenderableType) -> None:
    """Print a report; lines that go to a file or a pipe end where their text ends."""
    console = out()
    if console.is_terminal:
        console.print(what)
        return
    with console.capture() as captured:
        console.print(what)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def busy(doing: str) -> AbstractContextManager[object]:
    """A sign of life on a terminal, which vanishes at the end; elsewhere nothing."""
    console = err()
    return console.status(doing) if console.is_terminal else nullcontext()


def tell(line: str) -> None:
    """A remark in one line, in plain words."""
    click.echo(line, err=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)
