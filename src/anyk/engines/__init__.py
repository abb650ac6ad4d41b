"""Engines: P workers with a block store each, behind one protocol.

`open` turns a name into an engine; `drive` runs a job on one. A new engine is one file and one row of `ENGINES`.
"""

import os
from importlib import import_module
from typing import Any

from anyk.engines.base import (
    Array,
    Cancelled,
    Caps,
    Clock,
    Engine,
    Inbox,
    Joined,
    Lane,
    Lost,
    News,
    Note,
    Ref,
    Slow,
    WorkerLost,
)
from anyk.engines.drive import Outcome, Watch, Work, drive, drive_stepwise
from anyk.errors import InputError
from anyk.faults.base import FaultModel, seeded

__all__ = [
    "open",
    "cores",
    "ENGINES",
    "drive",
    "drive_stepwise",
    "Watch",
    "Work",
    "Outcome",
    "Engine",
    "Lane",
    "Caps",
    "Ref",
    "Clock",
    "Inbox",
    "Array",
    "News",
    "Lost",
    "Joined",
    "Slow",
    "Note",
    "WorkerLost",
    "Cancelled",
]

#: Name -> where its class is; imported when opened. Called as ``Class(workers, faults=...)``.
ENGINES = {
    "inline": "anyk.engines.inline:InlineEngine",
    "processes": "anyk.engines.processes:ProcessEngine",
    "simulated": "anyk.engines.simulated:SimulatedEngine",
}


def open(spec: str | Engine, *, faults: FaultModel | None = None, seed: int = 0, workers: int = 0) -> Engine:
    """Open an engine by name; close it after use, or use it as a context manager.

    Args:
        spec: a name of `ENGINES`, also with a number of workers (``"processes:8"``), or an engine, returned as it is.
        faults: what happens to the engine's work; None: nothing is injected.
        seed: of the faults.
        workers: how many, where ``spec`` does not say; 0: one per core.

    Returns:
        The engine, its workers ready.

    Raises:
        InputError: a name or a number that does not exist, or faults for an engine that is open already.

    >>> engine = open("simulated:3")
    >>> [lane.rank for lane in engine.lanes]
    [0, 1, 2]
    """
    if not isinstance(spec, str):
        return _opened(spec, faults)
    name, _, count = spec.partition(":")
    if name not in ENGINES:
        raise InputError(f"`open({spec!r})`: there is no engine of that name. {_EXISTING}")
    module, _, class_name = ENGINES[name].partition(":")
    engine: Engine = getattr(import_module(module), class_name)(
        _count(spec, count) if count or spec.endswith(":") else workers or cores(),
        faults=None if faults is None else seeded(faults, seed),
    )
    return engine


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_EXISTING = f"Engines are {', '.join(ENGINES)}; a number of workers may follow, as in 'processes:8'."


def _count(spec: str, count: str) -> int:
    if not count.isdecimal() or int(count) == 0:
        raise InputError(f"`open({spec!r})`: {count!r} is not a number of workers. {_EXISTING}")
    return int(count)


def _opened(engine: Any, faults: FaultModel | None) -> Engine:
    if not all(hasattr(engine, attribute) for attribute in ("lanes", "clock", "caps", "subscribe")):
        raise InputError(f"`open({engine!r})`: neither an engine nor a name. {_EXISTING}")
    if faults is not None:
        raise InputError(
            f"`open({engine.name!r} engine, faults=...)`: it is open already; give faults where it is opened"
        )
    opened: Engine = engine
    return opened
