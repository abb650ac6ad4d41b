"""How an act of the demo looks: one line per worker on a terminal, one line per event elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from anyk.cli.board import Attempt, Board
from anyk.cli.demo.acts import Act, trouble
from anyk.cli.demo.stage import Blows, Weather
from anyk.engines.drive import Watch
from anyk.job import Step
from anyk.job.messages import Compute, Lost, Result, Started, Suspected

#: How an attempt in each state is drawn: end mark, colour, word.
LOOKS = {
    "out": ("╸", "blue", "computing"),
    "answered": ("●", "cyan", "answered"),
    "used": ("●", "green", "used"),
    "late": ("○", "yellow", "not waited for"),
    "lost": ("✕", "red", "lost"),
    "wrong": ("✕", "red", "thrown out"),
}

WORDS_WIDTH = 23
#: What a line needs beside its bar: the worker, the time, the words, and what lies between them.
FIXED_WIDTH = 10 + 6 + WORDS_WIDTH + 3


class Stage:
    """The live picture of one act: a line per worker on a common time axis.

    Args:
        act: which.
        board: what became of every attempt.
        blows: the signals sent so far.
        weather: who is slow.
        workers: how many lines.
        horizon_seconds: of the time axis; it grows if need be.
    """

    def __init__(
        self, act: Act, board: Board, blows: Blows, weather: Weather, workers: int, horizon_seconds: float
    ) -> None:
        self._act, self._board, self._blows, self._weather = act, board, blows, weather
        self._workers, self._horizon = workers, horizon_seconds

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As things stand now."""
        width = max(10, options.max_width - FIXED_WIDTH)
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, width=10)
        table.add_column(no_wrap=True, width=width)
        table.add_column(no_wrap=True, justify="right", width=6)
        table.add_column(no_wrap=True, overflow="ellipsis", width=WORDS_WIDTH)
        for rank in range(self._workers):
            table.add_row(f" worker {rank}", *self._line(rank, width))
        yield Group(self._count(), table)

    def _count(self) -> Text:
        needed, came = self._act.awaited, self._board.answered()
        line = Text(f" {min(came, needed)} of {needed} answers  ", style="bold")
        line.append("●" * min(came, needed), style="green").append("○" * max(0, needed - came), style="dim")
        return line.append(f"  {self._board.elapsed():.1f} s", style="dim")

    def _line(self, rank: int, width: int) -> tuple[Text, str, Text]:
        mine = [attempt for attempt in self._board.attempts if attempt.worker == rank]
        if not mine:
            return Text(), "", Text()
        bar, scale = Text(), width / max(self._horizon, self._board.elapsed())
        for attempt in mine:
            self._draw(bar, attempt, scale)
        return bar, f"{self._end(mine[-1]):.1f} s", self._words(rank, mine)

    def _draw(self, bar: Text, attempt: Attempt, scale: float) -> None:
        start = round((attempt.began - (self._board.began or 0.0)) * scale)
        mark, colour, _ = LOOKS[attempt.state]
        bar.append(" " * (start - len(bar)))
        bar.append("━" * (round(self._end(attempt) * scale) - len(bar) - 1) + mark, style=colour)

    def _end(self, attempt: Attempt) -> float:
        """Seconds from the start of the act until this attempt ended, or until now."""
        ended = attempt.ended
        return self._board.elapsed() if ended is None else ended - (self._board.began or 0.0)

    def _words(self, rank: int, mine: list[Attempt]) -> Text:
        last, matter = mine[-1], trouble(rank, self._blows, self._weather)
        _, colour, word = LOOKS[last.state]
        if last.state == "late" and self._board.is_failed:
            word = "no answer"
        if matter == "killed" and last.state in ("out", "used", "answered") and len(mine) > 1:
            word = "killed, replaced" if last.state == "out" else f"replaced, {word}"
        elif matter:
            word = matter if last.state in ("out", "lost") else f"{matter}, {word}"
        return Text(word, style="magenta" if matter == "stopped" else colour)


@contextmanager
def on_terminal(console: Console, stage: Stage) -> Iterator[Watch]:
    """Draw the stage ten times a second; its last picture stays."""
    with Live(stage, console=console, refresh_per_second=10):
        yield lambda step: None


@contextmanager
def in_lines(console: Console, act: Act, board: Board, blows: Blows) -> Iterator[Watch]:
    """Print every event in a line of its own."""
    told = 0

    def see(step: Step) -> None:
        nonlocal told
        lines = [(blow.seconds, f"worker {blow.rank} got {blow.signal.name}") for blow, _ in blows.landed[told:]]
        told += len(lines)
        lines += [(step.event.at - (board.began or 0.0), line) for line in events(step, act, board)]
        for seconds, line in lines:
            console.print(f"  {seconds:5.2f} s  {line}")

    yield see


def events(step: Step, act: Act, board: Board) -> Iterator[str]:
    """What a step means, in words."""
    sent = [said for said in step.instructions if isinstance(said, Compute)]
    match step.event:
        case Started():
            yield f"{len(sent)} tasks sent"
        case Result(task=task) if board.ended is None:
            yield f"answer {board.answered()} of {act.awaited}: task {task}"
        case Suspected(tasks=tasks, cause=cause):
            found = f"lost: {cause}" if cause else "wrong: thrown out"
            yield from (f"the answer of task {task} is {found}" for task in tasks)
        case Lost(task=task, cause=cause):
            yield f"task {task} lost: its worker was {cause}"
            for compute in sent:
                yield f"task {compute.task} sent again, to the new worker {compute.worker}"
