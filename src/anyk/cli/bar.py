"""How far something long has come: a bar and a line on a terminal, which vanish at the end."""

import time
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn

from anyk.cli.progress import BAR_WIDTH, PATIENCE_SECONDS
from anyk.cli.streams import err


class Bar:
    """A context manager; silent where stderr is no terminal, and until it has taken a while.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool) -> None:
        console = err()
        self._began = time.monotonic()
        self._bar = Progress(
            BarColumn(BAR_WIDTH),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=None)
        self._is_wanted, self._is_shown = console.is_terminal and not quiet, False

    def show(self, done: int, total: int | None, told: str) -> None:
        """So much of it is done.

        Args:
            done: steps made.
            total: steps to be made; None: nobody knows.
            told: the same in words, with what else is known.
        """
        if not self._is_wanted or time.monotonic() - self._began < PATIENCE_SECONDS:
            return
        if not self._is_shown:
            self._bar.start()
            self._is_shown = True
        self._bar.update(self._task, total=total, completed=done, description=told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._is_shown:
            self._bar.stop()
