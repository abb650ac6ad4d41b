"""What all commands share: examples in their help, and, when they fail, one line on stderr and a telling status."""

import errno
import os
from collections.abc import Sequence
from typing import Any

import click

from anyk.errors import AnykError, ClusterError, PrecisionError

INTERRUPTED = 130
#: Exit status by kind of error; the first that fits.
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (ClusterError, 3),
    (PrecisionError, 4),
    (AnykError, 2),
    (Exception, 1),
)


class Examples(click.Command):
    """A command whose help ends with examples.

    Args:
        *args: as for ``click.Command``.
        examples: command lines, without a prompt.
        **settings: as for ``click.Command``.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One example per line, whole, so that it can be copied."""
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"  {line}\n")


class Commands(Examples, click.Group):
    """A group whose commands never end in a traceback, unless ANYK_DEBUG=1 asks for it."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; Click's own errors and exits are Click's business."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted: nothing was written, and no worker is left", err=True)
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if os.environ.get("ANYK_DEBUG") == "1" or is_closed_pipe(error):
                raise
            click.echo(f"error: {in_one_line(error)}", err=True)
            ctx.exit(next(status for kind, status in STATUS if isinstance(error, kind)))


def in_one_line(error: Exception) -> str:
    """An error of anyk as it is; another with its kind, and how to learn more."""
    text = " ".join(str(error).split())
    if isinstance(error, AnykError):
        return text
    if isinstance(error, MemoryError):
        return f"not enough memory: {text or 'the operands and the coded blocks do not fit'}"
    return f"{type(error).__name__}: {text} (ANYK_DEBUG=1 shows where)"


def is_closed_pipe(error: Exception) -> bool:
    """Whoever read our output has gone; Click ends quietly then."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE
