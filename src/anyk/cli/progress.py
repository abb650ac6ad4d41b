"""What is seen of a product that takes long: one line on a terminal, which vanishes at the end."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from anyk.cli.board import Board
from anyk.cli.streams import err
from anyk.job import Step

#: Whatever ends sooner needs no progress.
PATIENCE_SECONDS = 2.0
BAR_WIDTH = 24


class Progress:
    """A context manager whose `see` is the ``watch`` of `anyk.matmul`; silent where stderr is no terminal.

    Args:
        now: the engine's clock, in seconds.
        needed: how many answers suffice; None: not known yet.
        quiet: show nothing.
    """

    def __init__(self, now: Callable[[], float], needed: int | None = None, quiet: bool = False) -> None:
        self._needed = needed
        self.board = Board(now)
        console = err()
        self._live = Live(self, console=console, transient=True, refresh_per_second=8)
        self._is_shown = console.is_terminal and not quiet

    def see(self, step: Step) -> None:
        """Take one step of the job in."""
        self.board.see(step)

    def __enter__(self) -> Self:
        if self._is_shown:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The line, once it is time for one."""
        board = self.board
        if board.elapsed() >= PATIENCE_SECONDS:
            yield Text(self._line(board), no_wrap=True, overflow="ellipsis")

    def _line(self, board: Board) -> str:
        came, needed = board.answered(), self._needed or board.total()
        full = round(min(1.0, came / max(1, needed)) * BAR_WIDTH)
        lost = f", {board.count('lost')} lost" if board.count("lost") else ""
        band = f"band {board.jobs}: " if board.jobs > 1 else ""
        return (
            f"{band}{'█' * full}{'░' * (BAR_WIDTH - full)} {came} of {needed} answers, {board.count('out')} out{lost}, "
            f"{board.elapsed():.0f} s"
        )
