"""What every benchmark needs: contenders measured in turns, processor time of several processes, memory, spreads.

Contenders take turns (A B C A B C …), so that whatever else the machine does falls on all of them alike, and ratios are
formed within one turn. A spread is the least, the median and the largest of what was measured.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

Row = dict[str, Any]
Pids = Callable[[], Iterable[int]]


@dataclass(frozen=True)
class Sample:
    """One measured call, in seconds.

    Args:
        wall: by the clock on the wall.
        own: processor time of this process, all threads.
        workers: processor time of the contender's other processes.
    """

    wall: float
    own: float
    workers: float

    @property
    def cpu(self) -> float:
        """Processor time of all processes."""
        return self.own + self.workers


@dataclass(frozen=True)
class Contender:
    """Something to be measured.

    Args:
        call: does it once.
        pids: its other processes, as they are now.
        settle: waits, unmeasured, until nothing of the last call is left over.
    """

    call: Callable[[], object]
    pids: Pids = tuple
    settle: Callable[[], object] = bool


def in_turns(contenders: Mapping[str, Contender], turns: int, warm: int = 1) -> dict[str, list[Sample]]:
    """Measure every contender ``turns`` times, one after the other in each turn, after ``warm`` unmeasured turns."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    for turn in range(warm + turns):
        for name, contender in contenders.items():
            sample = measured(contender)
            if turn >= warm:
                samples[name].append(sample)
    return samples


def measured(contender: Contender) -> Sample:
    """One call."""
    workers, own, began = cpu_of(contender.pids()), time.process_time(), time.perf_counter()
    contender.call()
    ended = time.perf_counter()
    own = time.process_time() - own
    contender.settle()  # what workers still do after the answer counts too
    return Sample(ended - began, own, max(0.0, cpu_of(contender.pids()) - workers))


def spread(values: Iterable[float]) -> dict[str, float]:
    """Least, median and largest."""
    ordered = sorted(values)
    return {"min": ordered[0], "median": float(median(ordered)), "max": ordered[-1]}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Spread of ours / theirs, turn by turn."""
    return spread(a / b for a, b in zip(ours, theirs, strict=True))


def cpu_of(pids: Iterable[int]) -> float:
    """Processor time so far of running processes, all their threads; those that are gone count nothing."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            total += time.clock_gettime(~pid << 3 | 2)  # the Linux kernel's number of another process' clock
    return total


def pss_of(pids: Iterable[int]) -> int:
    """Bytes of memory of processes, shared pages divided among their holders."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


def peak_rss() -> int:
    """Bytes that this process had in memory at most so far, shared pages counted in full."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


@contextmanager
def peak_memory(pids: Pids, every: float = 0.01) -> Iterator[Callable[[], int]]:
    """Watch the memory of this process and others; yields a function that tells the largest sum seen so far.

    Watching takes time: not for calls that are timed as well.
    """
    done, seen = Event(), [0]

    def look() -> None:
        seen[0] = max(seen[0], pss_of([os.getpid(), *pids()]))

    def watch() -> None:
        while not done.wait(every):
            look()

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: (look(), seen[0])[1]
    finally:
        done.set()
        thread.join()


def of_engine(engine: Any) -> Pids:
    """The worker processes of an anyk engine."""
    return lambda: [lane.pid for lane in engine.lanes if lane.pid is not None]


def idle(engine: Any) -> Callable[[], None]:
    """Wait until every worker of a processes engine has answered all it was given."""

    def settle() -> None:
        while any(lane.pending() for lane in engine.lanes):
            time.sleep(1e-3)

    return settle
