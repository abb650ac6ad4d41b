"""The four products of the demo, and what came of each."""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import anyk
from anyk import planning
from anyk.cli.board import Board
from anyk.cli.demo.stage import Blow, Blows, Weather
from anyk.code import Code
from anyk.engines import Engine
from anyk.engines.drive import Watch
from anyk.errors import ClusterError
from anyk.job import Step
from anyk.job.messages import Started

Array = NDArray[Any]

#: Two victims; the third, the slow one, is the last worker. Of ten, no six of the other seven happen to suffice.
KILLED, STOPPED = 2, 5
#: Who answers wrongly, in another act.
CORRUPTED = 3
#: How many workers get into trouble, and so how many answers the code must spare.
VICTIMS = 3


@dataclass(frozen=True)
class Setting:
    """How the demo is played.

    Args:
        size: rows and columns of both matrices.
        workers: processes; at least 7.
        task_seconds: how long one coded task takes.
        patience_seconds: when the uncoded product is given up.
        seed: of matrices and delays.
    """

    size: int
    workers: int
    task_seconds: float
    patience_seconds: float
    seed: int

    @property
    def coded(self) -> Code:
        """The MatDot code that spares the victims' answers."""
        return anyk.codes.matdot(inner=(self.workers - VICTIMS + 1) // 2, workers=self.workers)

    @property
    def uncoded(self) -> Code:
        """The same product without redundancy."""
        return planning.choose((self.size, self.size), (self.size, self.size), workers=self.workers)

    def task_seconds_of(self, code: Code) -> float:
        """A task takes as long as its share of the product: uncoded ones are smaller."""
        return self.task_seconds * self.coded.partition.products / code.partition.products


@dataclass(frozen=True)
class Act:
    """One product of the demo.

    Args:
        name: short, for the table.
        title: in a sentence.
        code: of the product.
        is_troubled: whether workers are killed, stopped and slow.
        wrong: how many workers answer wrongly, which the master is prepared for.
        patience_seconds: when to give up; None: never.
    """

    name: str
    title: str
    code: Code
    is_troubled: bool = False
    wrong: int = 0
    patience_seconds: float | None = None

    @property
    def awaited(self) -> int:
        """How many answers it takes."""
        return self.code.recovery_threshold + self.wrong


@dataclass(frozen=True)
class Result:
    """What came of an act.

    Args:
        act: which.
        seconds: from the call to the product, or to giving up.
        survivors: tasks whose answers were used.
        wrong: tasks whose answers were found wrong.
        answers: how many came.
        troubles: worker -> what became of it, in words.
        error: measured by probes; None: there is no product.
        difference: from NumPy's product, relative; None: there is no product.
        reason: why there is none; empty if there is one.
    """

    act: Act
    seconds: float
    survivors: tuple[int, ...]
    wrong: tuple[int, ...]
    answers: int
    troubles: dict[int, str]
    error: float | None
    difference: float | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Theatre:
    """What all acts share: the matrices, NumPy's product, the workers."""

    A: Array
    B: Array
    expected: Array
    engine: Engine
    weather: Weather
    setting: Setting


#: What shows an act while it is played.
View = Callable[[Act, Board, Blows], AbstractContextManager[Watch]]


def acts(setting: Setting) -> list[Act]:
    """The programme."""
    coded, uncoded = setting.coded, setting.uncoded
    trouble = "one worker is killed, one is stopped, one is slow"
    return [
        Act("coded, all well", "A coded product; all is well", coded),
        Act("coded, in trouble", f"The same product, while {trouble}", coded, is_troubled=True),
        Act(
            "coded, one wrong",
            "The same product, while one bit of one number that a worker sends is wrong, and nothing says so",
            coded,
            wrong=1,
        ),
        Act(
            "uncoded, in trouble",
            f"Without coding: {uncoded.workers} tasks, all of them needed; somebody is killed, stopped and slow again",
            uncoded,
            is_troubled=True,
            patience_seconds=setting.patience_seconds,
        ),
    ]


def play(act: Act, theatre: Theatre, view: View) -> Result:
    """Play one act before a view, and say what came of it."""
    setting, weather = theatre.setting, theatre.weather
    weather.task_seconds = setting.task_seconds_of(act.code)
    weather.slow = (setting.workers - 1,) if act.is_troubled else ()
    weather.corrupted = (CORRUPTED,) if act.wrong else ()
    board = Board(theatre.engine.clock.now)
    began, product, reason = perf_counter(), None, ""
    signals = blows(weather.task_seconds) if act.is_troubled else []
    with Blows(theatre.engine, signals) as dealt, view(act, board, dealt) as see:

        def watch(step: Step) -> None:
            board.see(step)
            if isinstance(step.event, Started):
                dealt.start()
            see(step)

        try:
            product = anyk.matmul(
                theatre.A,
                theatre.B,
                act.code,
                engine=theatre.engine,
                wrong=act.wrong,
                timeout=act.patience_seconds,
                rng=setting.seed,
                watch=watch,
            )
        except ClusterError as failure:
            reason = str(failure)
    seconds = perf_counter() - began
    troubles = {rank: words for rank in range(setting.workers) if (words := trouble(rank, dealt, weather))}
    if product is None:
        return Result(act, seconds, (), (), board.answered(), troubles, None, None, reason)
    difference = float(np.linalg.norm(product.value - theatre.expected) / np.linalg.norm(theatre.expected))
    return Result(act, seconds, product.survivors, product.wrong, board.answered(), troubles, product.error, difference)


def blows(task_seconds: float) -> list[Blow]:
    """Both fall in the middle of the first task."""
    return [
        Blow(STOPPED, signal.SIGSTOP, 0.4 * task_seconds),
        Blow(KILLED, signal.SIGKILL, 0.6 * task_seconds),
    ]


def trouble(rank: int, dealt: Blows, weather: Weather) -> str:
    """What is the matter with this worker; empty: nothing."""
    words = {signal.SIGKILL: "killed", signal.SIGSTOP: "stopped"}
    struck = dealt.struck(rank)
    if struck is not None:
        return words[struck]
    return "slow" if rank in weather.slow else "wrong bit" if rank in weather.corrupted else ""
