"""Engines: P workers with a block store each, behind one protocol.

`open` turns a name into an engine; `drive` runs a job on one. A new engine is one file and one row of `ENGINES`.
"""

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from typing import Any

from anyk.engines.base import (
    Array,
    Cancelled,
    Caps,
    Clock,
    Engine,
    Far,
    Inbox,
    Joined,
    Lane,
    Lost,
    News,
    Note,
    Ref,
    Slow,
    Unreachable,
    WorkerLost,
)
from anyk.engines.drive import Outcome, Watch, Work, drive, drive_stepwise
from anyk.engines.limits import cores
from anyk.engines.meter import Moved
from anyk.engines.suspicion import suspicions
from anyk.errors import InputError
from anyk.faults.base import FaultModel, seeded

__all__ = [
    "open",
    "cores",
    "ENGINES",
    "OBJECTS",
    "is_engine",
    "drive",
    "drive_stepwise",
    "suspicions",
    "Watch",
    "Work",
    "Outcome",
    "Engine",
    "Lane",
    "Caps",
    "Ref",
    "Far",
    "Moved",
    "Clock",
    "Inbox",
    "Array",
    "News",
    "Lost",
    "Joined",
    "Slow",
    "Note",
    "WorkerLost",
    "Unreachable",
    "Cancelled",
]

#: Name -> where its class is; imported when opened. Called as ``Class(workers, faults=...)``; a class that also takes
#: ``at=`` can be opened by an address, with the number of workers wanted or 0.
ENGINES = {
    "inline": "anyk.engines.inline:InlineEngine",
    "processes": "anyk.engines.processes:ProcessEngine",
    "simulated": "anyk.engines.simulated:SimulatedEngine",
    "futures": "anyk.engines.futures:FuturesEngine",
    "dask": "anyk.engines.dask:DaskEngine",
    "ray": "anyk.engines.ray:RayEngine",
    "mpi": "anyk.engines.mpi:MPIEngine",
    "tcp": "anyk.engines.tcp:TcpEngine",
}

#: Whose objects are opened as an engine: module and name of a class -> name of the engine, which gets it as ``at=``.
OBJECTS = {
    ("concurrent.futures._base", "Executor"): "futures",
    ("distributed.client", "Client"): "dask",
    ("distributed.deploy.cluster", "Cluster"): "dask",
}


def open(spec: str | Engine | Any, *, faults: FaultModel | None = None, seed: int = 0, workers: int = 0) -> Engine:
    """Open an engine by name; close it after use, or use it as a context manager.

    Args:
        spec: a name of `ENGINES`, also with a number of workers (``"processes:8"``) or an address
            (``"dask://scheduler:8786"``); an object that an engine is made of (`OBJECTS`: an executor, a Dask client),
            which stays open when the engine is closed; or an engine, returned as it is.
        faults: what happens to the engine's work; None: nothing is injected.
        seed: of the faults.
        workers: how many, where ``spec`` does not say; 0: one per core, or all there are behind an address or object.

    Returns:
        The engine, its workers ready.

    Raises:
        InputError: a name or a number that does not exist, or faults for an engine that is open already.

    >>> engine = open("simulated:3")
    >>> [lane.rank for lane in engine.lanes]
    [0, 1, 2]
    """
    fates = None if faults is None else seeded(faults, seed)
    if not isinstance(spec, str):
        name = next((OBJECTS[kind] for kind in _kinds(spec) if kind in OBJECTS), None)
        return _opened(spec, faults) if name is None else _class(name)(workers, at=spec, faults=fates)
    name, _, rest = spec.partition(":")
    if name not in ENGINES:
        raise InputError(f"`open({spec!r})`: there is no engine of that name. {_EXISTING}")
    kind = _class(name)
    if rest.startswith("//") and "at" in signature(kind).parameters:
        return kind(workers, at=spec, faults=fates)
    counted = _count(spec, rest) if rest or spec.endswith(":") else workers
    return kind(counted or (0 if getattr(kind, "finds_workers", False) else cores()), faults=fates)


def is_engine(spec: Any) -> bool:
    """Whether this is an opened engine, and no name, address or object to make one of."""
    return all(hasattr(spec, attribute) for attribute in ("lanes", "clock", "caps", "subscribe"))


def _kinds(spec: Any) -> list[tuple[str, str]]:
    return [(kind.__module__, kind.__name__) for kind in type(spec).__mro__]


def _class(name: str) -> Callable[..., Engine]:
    module, _, class_name = ENGINES[name].partition(":")
    kind: Callable[..., Engine] = getattr(import_module(module), class_name)
    return kind


_EXISTING = f"Engines are {', '.join(ENGINES)}; a number of workers may follow, as in 'processes:8'."


def _count(spec: str, count: str) -> int:
    if not count.isdecimal() or int(count) == 0:
        raise InputError(f"`open({spec!r})`: {count!r} is not a number of workers. {_EXISTING}")
    return int(count)


def _opened(engine: Any, faults: FaultModel | None) -> Engine:
    if not is_engine(engine):
        raise InputError(f"`open({engine!r})`: neither an engine nor a name. {_EXISTING}")
    if faults is not None:
        raise InputError(
            f"`open({engine.name!r} engine, faults=...)`: it is open already; give faults where it is opened"
        )
    opened: Engine = engine
    return opened
