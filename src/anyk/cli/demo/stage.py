"""What happens to the workers in the demo: how long their work takes, and the signals they are sent."""

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from anyk.engines import Engine
from anyk.faults import BitFlip, Bursts, Draw, Fate

#: How many times as long the slow worker takes, and the one that answers wrongly.
SLOWNESS, HASTE = 4.0, 0.5

#: The highest bit of the fraction of a float64: the number that is hit is wrong by 25 to 50 %.
WRONG_BIT = 51


class Weather:
    """A fault model whose setting changes from act to act: tasks are stretched, so that a person can watch.

    Every task takes about ``task_seconds``, scattered as on healthy serverless workers (`anyk.faults.Bursts`), those of
    slow workers `SLOWNESS` times as long. Of the answers of corrupted workers, who are among the first to answer, one
    bit of one number is wrong.
    """

    def __init__(self) -> None:
        self.task_seconds = 0.0
        self.slow: tuple[int, ...] = ()
        self.corrupted: tuple[int, ...] = ()

    def fate(self, draw: Draw) -> Fate:
        """How late this piece of work is, and whether its answer is wrong."""
        delay = Bursts(late=0.0, stalled=0.0, burst=0.0, unit_seconds=self.task_seconds).fate(draw).delay_seconds
        pace = SLOWNESS if draw.rank in self.slow else HASTE if draw.rank in self.corrupted else 1.0
        return Fate(delay * pace, corrupt=BitFlip(bits=(WRONG_BIT,), ranks=self.corrupted).fate(draw).corrupt)


@dataclass(frozen=True)
class Blow:
    """A signal for one worker.

    Args:
        rank: whose.
        signal: SIGKILL or SIGSTOP.
        seconds: after the start of the act.
    """

    rank: int
    signal: signal.Signals
    seconds: float


class Blows:
    """A context manager that, once started, sends every signal in its time, to whoever holds the rank then.

    Args:
        engine: of the workers; they are processes on this machine.
        blows: to be sent.
    """

    def __init__(self, engine: Engine, blows: Sequence[Blow]) -> None:
        #: Blows that were dealt, with the process they met.
        self.landed: list[tuple[Blow, int]] = []
        self._engine = engine
        self._timers = [threading.Timer(blow.seconds, self._strike, [blow]) for blow in blows]

    def start(self) -> None:
        """The job begins now."""
        for timer in self._timers:
            timer.daemon = True
            timer.start()

    def struck(self, rank: int) -> signal.Signals | None:
        """Which signal this worker got, if any."""
        return next((blow.signal for blow, _ in self.landed if blow.rank == rank), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for timer in self._timers:
            timer.cancel()
            if timer.is_alive():
                timer.join()

    def _strike(self, blow: Blow) -> None:
        pid = self._engine.lanes[blow.rank].pid
        with suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, blow.signal)
                self.landed.append((blow, pid))
