"""Sixteen block products with extra work each, while a worker is killed, or stopped for a while."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Timer
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import anyk
from anyk.code import Code
from anyk.errors import ClusterError
from benchmarks.measure import Row, of_engine, spread
from benchmarks.rivals import POOLS, Rival

Array = NDArray[Any]

FAULTS = ("none", "killed", "stopped")


@dataclass(frozen=True)
class Task:
    """What everybody has to do, and what happens meanwhile. Times in seconds.

    Args:
        size: of the matrices.
        extra: work that each block product takes beside the multiplication.
        at: when the fault comes.
        stop: how long a stopped worker stands still.
    """

    size: int
    extra: float
    at: float
    stop: float


@dataclass(frozen=True)
class Entry:
    """One contender: its workers, how many pieces of work it hands out, how it is opened."""

    who: str
    workers: int
    pieces: int
    open: Callable[[Task], AbstractContextManager[Rival]]


def run(tiny: bool) -> list[Row]:
    """With four pieces of work per worker, then with one."""
    if tiny:
        several = Task(size=40, extra=0.02, at=0.03, stop=0.3)
        entries = [_coded("anyk polynomial 4x4, any 16 of 20", anyk.codes.polynomial(4, 4, 20), 5)]
        return rows_of("four pieces per worker", entries, several, turns=1)
    several = Task(size=2000, extra=0.5, at=1.0, stop=20.0)
    one = replace(several, at=0.25)
    uncoded = anyk.codes.uncoded(4, 1, 4)
    four = [_pool(name, 4) for name in POOLS]
    four += [
        _coded("anyk uncoded 4x4, lost work repeated", uncoded, 4),
        _coded("anyk replication, two groups of 4 alike", replication(8, alike=True), 8),
        _coded("anyk replication, second copies last", replication(8, alike=False), 8),
        _coded("anyk polynomial 4x4, any 16 of 20", anyk.codes.polynomial(4, 4, 20), 5),
    ]
    single = [_pool(name, 16) for name in POOLS]
    single += [
        _coded("anyk uncoded 4x4, lost work repeated", uncoded, 16),
        _coded("anyk replication", anyk.codes.replication(4, 1, 4, 2), 32),
        _coded("anyk polynomial 4x4, any 16 of 18", anyk.codes.polynomial(4, 4, 18), 18),
    ]
    return [
        *rows_of("four pieces per worker", four, several, turns=3),
        *rows_of("one piece per worker", single, one, turns=3),
    ]


# --- who --------------------------------------------------------------------------------------------------------------


def _pool(name: str, workers: int) -> Entry:
    return Entry(name, workers, 16, lambda task: POOLS[name](workers))


def _coded(who: str, code: Code, workers: int) -> Entry:
    @contextmanager
    def opened(task: Task) -> Iterator[Rival]:
        extra_work = anyk.faults.Trace([[task.extra]], unit_seconds=1.0)
        with anyk.engines.open(f"processes:{workers}", faults=extra_work) as engine:
            yield Rival(lambda A, B, *_: anyk.matmul(A, B, code, engine=engine, rng=0).value, of_engine(engine))

    return Entry(who, workers, code.workers, opened)


def replication(workers: int, *, alike: bool) -> Code:
    """Two copies of 4 x 4 products, never both on one worker: tasks go to workers in turn.

    With ``alike`` half of the workers does the same as the other half at the same time; else every worker does first
    copies before second ones.
    """
    plain, tasks = anyk.codes.uncoded(4, 1, 4), np.arange(32)
    half = workers // 2
    order = (tasks // workers) * half + tasks % half if alike else (tasks + half * (tasks // 16)) % 16
    left, right = plain.left[:, :, order], plain.right[:, :, order]
    return Code("replication", plain.partition, left, right, 31)


# --- what happens -----------------------------------------------------------------------------------------------------


def rows_of(setting: str, entries: list[Entry], task: Task, turns: int) -> list[Row]:
    """Every contender without and with each fault, in turns."""
    A, B = np.random.default_rng(0).standard_normal((2, task.size, task.size))
    times: dict[tuple[str, str], list[float | str]] = {}
    for _ in range(turns):
        for entry in entries:
            for fault in FAULTS:
                found = times.setdefault((entry.who, fault), [])
                if not any(isinstance(each, str) or each > task.stop for each in found):  # once is enough
                    found.append(timed(entry, task, fault, A, B))
    return [row_of(setting, entry, {fault: times[entry.who, fault] for fault in FAULTS}) for entry in entries]


def row_of(setting: str, entry: Entry, times: dict[str, list[float | str]]) -> Row:
    """The times of one contender: fault -> seconds, or what went wrong in words."""
    row: Row = {"setting": setting, "who": entry.who, "workers": entry.workers, "pieces": entry.pieces}
    row |= {f"{fault}, s": _summary(found) for fault, found in times.items()}
    for fault in FAULTS[1:]:
        worked = all(isinstance(each, float) for each in times[fault])
        ratio = [a / b for a, b in zip(times[fault], times["none"], strict=False)] if worked else None  # type: ignore[operator]
        row[f"{fault} / none"] = spread(ratio) if ratio else "–"
    row["target"] = 1.15 if entry.who.startswith("anyk polynomial") else None
    return row


def _summary(found: list[float | str]) -> object:
    failures = [each for each in found if isinstance(each, str)]
    return failures[0] if failures else spread(each for each in found if isinstance(each, float))


def timed(entry: Entry, task: Task, fault: str, A: Array, B: Array) -> float | str:
    """Seconds until the product is there and right; or in words, why it is not."""
    with suppress(BrokenProcessPool), entry.open(task) as rival, _struck(rival, task, fault):
        began = perf_counter()
        try:
            value = rival.product(A, B, 4, task.extra)
        except (BrokenProcessPool, CancelledError, ClusterError, OSError, RuntimeError) as error:
            return f"lost after {perf_counter() - began:.1f} s ({type(error).__name__})"
        seconds = perf_counter() - began
        assert np.allclose(value, A @ B), f"{entry.who} is wrong"
        return seconds
    return "lost"


@contextmanager
def _struck(rival: Rival, task: Task, fault: str) -> Iterator[None]:
    """Let the fault come to one worker while the block runs."""
    if fault == "none":
        yield
        return
    victim = next(iter(rival.pids()))
    if fault == "killed":
        timers = [Timer(task.at, os.kill, (victim, signal.SIGKILL))]
    else:
        timers = [
            Timer(task.at, _signal, (victim, signal.SIGSTOP)),
            Timer(task.at + task.stop, _signal, (victim, signal.SIGCONT)),
        ]
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()
        if fault == "stopped":
            _signal(victim, signal.SIGCONT)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
