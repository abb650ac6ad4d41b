"""What it takes before work begins: import, start, an answer; and after a loss. Side by side with process pools."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from threading import Timer
from typing import Any

import numpy as np

import anyk
from benchmarks.measure import Contender, Row, in_turns, ratios, spread

OURS = "anyk processes"


def run(tiny: bool) -> list[Row]:
    """Everything in milliseconds."""
    turns, sizes = (1, (1,)) if tiny else (3, (2, 4, 10, 16))
    rows = _rows("import in a fresh interpreter", _imports(tiny), turns)
    for workers in sizes:
        calls = {name: partial(_start, opening, workers) for name, opening in _pools(tiny).items()}
        rows += _rows(f"start {workers} workers, NumPy loaded in each", calls, turns)
    with ExitStack() as opened:
        pools = {name: opened.enter_context(opening(2)) for name, opening in _pools(tiny).items()}
        rows += _rows(
            "round trip of nothing", {name: partial(_answer, pool) for name, pool in pools.items()}, 40 * turns
        )
        rows += _rows("1000 pieces of nothing", {name: partial(_many, pool) for name, pool in pools.items()}, turns)
    rows += _losses(tiny, turns)
    return rows


def _rows(what: str, calls: dict[str, Callable[[], object]], turns: int) -> list[Row]:
    samples = in_turns({name: Contender(call) for name, call in calls.items()}, turns)
    times = {name: [1e3 * sample.wall for sample in each] for name, each in samples.items()}
    first = next(iter(times))
    return [
        {"what": what, "who": name, "ms": spread(each), "times the first": ratios(each, times[first])}
        for name, each in times.items()
    ]


# --- import -----------------------------------------------------------------------------------------------------------


def _imports(tiny: bool) -> dict[str, Callable[[], object]]:
    modules = ["anyk", "numpy"] if tiny else ["anyk", "numpy", "numpy, scipy.linalg", "joblib", "nothing"]
    found = [names for names in modules if names == "nothing" or find_spec(names.split(",")[0])]
    return {names: partial(_python, "pass" if names == "nothing" else f"import {names}") for names in found}


def _python(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True)


# --- start and round trips --------------------------------------------------------------------------------------------


@contextmanager
def _loky(workers: int) -> Iterator[Any]:
    from joblib.externals.loky import ProcessPoolExecutor as Loky

    with Loky(workers) as pool:
        yield pool


def _engine(workers: int) -> AbstractContextManager[Any]:
    return anyk.engines.open(f"processes:{workers}")  # type: ignore[return-value]


def _executor(method: str, workers: int) -> AbstractContextManager[Any]:
    return ProcessPoolExecutor(workers, mp_context=get_context(method))


def _pools(tiny: bool) -> dict[str, Callable[[int], AbstractContextManager[Any]]]:
    """Every pool runs ``submit(function)``; anyk's first."""
    pools: dict[str, Callable[[int], AbstractContextManager[Any]]] = {
        OURS: _engine,
        "concurrent.futures, forkserver": partial(_executor, "forkserver"),
    }
    if not tiny:
        pools["concurrent.futures, spawn"] = partial(_executor, "spawn")
        if find_spec("joblib"):
            pools["joblib's loky"] = _loky
    return pools


def _submit(pool: Any, count: int, function: Callable[..., Any], *args: Any) -> list[Any]:
    """As many pieces of work, in turn on the lanes of an engine, or on whichever worker of a pool."""
    if not hasattr(pool, "lanes"):
        return [pool.submit(function, *args) for _ in range(count)]
    return [pool.lanes[n % len(pool.lanes)].submit(function, *args) for n in range(count)]


def _start(opening: Callable[[int], AbstractContextManager[Any]], workers: int) -> None:
    with opening(workers) as pool:
        for future in _submit(pool, workers, np.zeros, 1):  # a worker without NumPy is not ready
            future.result()


def _answer(pool: Any) -> None:
    _submit(pool, 1, os.getpid)[0].result()


def _many(pool: Any) -> None:
    for future in _submit(pool, 1000, os.getpid):
        future.result()


# --- losses -----------------------------------------------------------------------------------------------------------


def _losses(tiny: bool, turns: int) -> list[Row]:
    """A worker is killed in the middle of its work: until its future tells, and until the next answer is there."""
    told: dict[str, list[float]] = {}
    again: dict[str, list[float]] = {}
    for _ in range(turns):
        for name, opening in _pools(tiny).items():
            with suppress(Exception), ExitStack() as opened:
                pool = opened.enter_context(opening(2))
                notice, recovery = _killed(pool, opened, opening)
                told.setdefault(name, []).append(notice)
                again.setdefault(name, []).append(recovery)
    rows = []
    for what, times in (("SIGKILL until its future tells", told), ("from then to the next answer", again)):
        rows += [
            {"what": what, "who": name, "ms": spread(each), "times the first": ratios(each, times[OURS])}
            for name, each in times.items()
        ]
    return rows


def _killed(pool: Any, opened: ExitStack, opening: Callable[[int], AbstractContextManager[Any]]) -> tuple[float, float]:
    for future in _submit(pool, 2, time.sleep, 0.05):
        future.result()
    ours = hasattr(pool, "lanes")
    victim = pool.lanes[0].pid if ours else next(iter(pool._processes))
    pending, struck = _submit(pool, 2, time.sleep, 5.0), [0.0]

    def strike() -> None:
        struck[0] = time.perf_counter()
        os.kill(victim, signal.SIGKILL)

    Timer(0.1, strike).start()
    while not any(future.done() for future in pending):
        time.sleep(2e-4)
    noticed = time.perf_counter()
    _replaced(pool, opened, opening)
    recovered = time.perf_counter()
    if ours:
        pool.lanes[1].kill()
    return 1e3 * (noticed - struck[0]), 1e3 * (recovered - noticed)


def _replaced(pool: Any, opened: ExitStack, opening: Callable[[int], AbstractContextManager[Any]]) -> None:
    """A new worker has answered: one worker replaced, or, where the pool is broken, a new pool."""
    if hasattr(pool, "lanes"):
        pool.respawn(0)
        pool.lanes[0].submit(os.getpid).result()
        return
    _answer(opened.enter_context(opening(2)))
