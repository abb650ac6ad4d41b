"""The processes engine: start, round trip, loss, replacement, cancelling, and blocks on their way."""

import os
import signal
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from anyk.engines.base import Ref
from anyk.engines.processes import ProcessEngine
from anyk.engines.work import multiply

Row = dict[str, Any]


def run(tiny: bool) -> list[Row]:
    """Everything in milliseconds; blocks also in GB/s, a first time and again."""
    turns = 1 if tiny else 10
    rows = [_row(f"start of {workers} workers", turns, lambda w=workers: _start(w)) for workers in _sizes(tiny)]
    with ProcessEngine(2, grace_seconds=10.0) as engine:
        engine.lanes[0].submit(os.getpid).result()
        rows += [
            _row("round trip of nothing", 100 * turns, lambda: _timed(lambda: _answer(engine))),
            _row("SIGKILL until noticed", turns, lambda: _death(engine)),
            _row("respawn", turns, lambda: _respawn(engine)),
            _row("respawn and first answer", turns, lambda: _respawn(engine) + _timed(lambda: _answer(engine))),
            _row("cancelled product until free", turns, lambda: _cancel(engine, 60 if tiny else 2000)),
        ]
        return [*rows, *_blocks(engine, 60 if tiny else 2896)]


def _sizes(tiny: bool) -> tuple[int, ...]:
    return (1,) if tiny else (2, 4, 10, 16)


def _row(what: str, turns: int, measure: Callable[[], float], nbytes: int = 0) -> Row:
    times = [measure() for _ in range(turns)]
    rate = {"GB/s first": nbytes / times[0] / 1e9, "GB/s again": nbytes / min(times) / 1e9} if nbytes else {}
    row = {"min ms": 1e3 * min(times), "median ms": 1e3 * median(times), "max ms": 1e3 * max(times)}
    return {"what": what, **row, **rate}


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _start(workers: int) -> float:
    """Until every worker has answered."""
    began = time.perf_counter()
    with ProcessEngine(workers) as engine:
        for future in [lane.submit(os.getpid) for lane in engine.lanes]:
            future.result()
        return time.perf_counter() - began


def _answer(engine: ProcessEngine) -> int:
    return engine.lanes[0].submit(os.getpid).result()


def _death(engine: ProcessEngine) -> float:
    pid, future = engine.lanes[0].pid, engine.lanes[0].submit(time.sleep, 60.0)
    assert pid is not None
    time.sleep(0.01)
    seconds = _timed(lambda: (os.kill(pid, signal.SIGKILL), future.exception()))
    engine.respawn(0)
    return seconds


def _respawn(engine: ProcessEngine) -> float:
    engine.lanes[0].kill()
    return _timed(lambda: engine.respawn(0))


def _cancel(engine: ProcessEngine, size: int) -> float:
    """From the cancel until the same worker has answered something else; grace is long, so it is not replaced."""
    lane = engine.lanes[0]
    lane.put("a", np.ones((size, size)))
    future = lane.submit(multiply, Ref("a"), Ref("a"), out="y")
    time.sleep(0.05)
    return _timed(lambda: (lane.cancel(future), _answer(engine)))


def _blocks(engine: ProcessEngine, size: int) -> list[Row]:
    lane, block = engine.lanes[0], np.random.default_rng(0).random((size, size))
    shared = lane.alloc("shared", block.shape, block.dtype)

    def alloc() -> None:
        lane.alloc("new", block.shape, block.dtype)[...] = block

    ways: dict[str, Callable[[], object]] = {
        "put": lambda: lane.put("put", block).result(),
        "alloc and write": alloc,
        "write again": lambda: np.copyto(shared, block),
        "put of a shared block": lambda: lane.put("again", shared).result(),
        "fetch of a shared block": lambda: lane.fetch("shared").result(),
        "result": lambda: lane.submit(np.ones, block.shape).result(),
    }
    return [
        _row(f"{what}, {block.nbytes / 1e6:.0f} MB", 4, lambda call=call: _timed(call), block.nbytes)  # type: ignore[misc]
        for what, call in ways.items()
    ]
