"""What a user would pick instead: process pools that share out plain block products.

joblib is measured where it is installed (``pip install anyk[bench]``).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from anyk.engines.work import nap
from benchmarks.measure import Pids

Array = NDArray[Any]
Pair = tuple[Array, Array]


#: Whoever has not answered by then will not.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Rival:
    """Whoever computes products, with its workers started and ready.

    Args:
        product: A B from cut x cut block products, each after extra seconds of work: ``product(A, B, cut, extra)``.
        pids: its workers.
    """

    product: Callable[[Array, Array, int, float], Array]
    pids: Pids


@contextmanager
def futures_pool(workers: int) -> Iterator[Rival]:
    """`concurrent.futures.ProcessPoolExecutor`."""
    pool: Any = ProcessPoolExecutor(workers, mp_context=get_context("forkserver"), initializer=_one_thread)

    def answers(pairs: list[Pair], extra_seconds: float) -> list[Array]:
        pending = [pool.submit(block_product, *pair, extra_seconds) for pair in pairs]
        return [future.result(PATIENCE_SECONDS) for future in pending]

    processes = []
    try:
        answers(warming(workers), 0.2)
        processes += (pool._processes or {}).values()  # listed only privately
        yield Rival(partial(assembled, answers), lambda: [*(pool._processes or ())])
    finally:
        # Python up to 3.12 can wait here for ever after a worker was killed: the thread that feeds the queue is stuck,
        # for nobody reads it and its reading end is still open (python/cpython#94777).
        queue, manager = pool._call_queue, pool._executor_manager_thread
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        manager.join(2.0)
        if manager.is_alive():
            queue._reader.close()


@contextmanager
def joblib_pool(workers: int) -> Iterator[Rival]:
    """joblib with its default backend, loky, which maps large operands into memory."""
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", inner_max_num_threads=1), Parallel(workers, timeout=PATIENCE_SECONDS) as parallel:

        def answers(pairs: list[Pair], extra_seconds: float) -> list[Array]:
            found: list[Array] = parallel(delayed(block_product)(*pair, extra_seconds) for pair in pairs)
            return found

        answers(warming(workers), 0.2)
        yield Rival(partial(assembled, answers), lambda: [*(parallel._backend._workers._processes or ())])


#: Name -> how to open it; joblib only where it is installed.
POOLS: dict[str, Callable[[int], AbstractContextManager[Rival]]] = {"concurrent.futures": futures_pool}
if find_spec("joblib") is not None:
    POOLS["joblib"] = joblib_pool


def block_product(a: Array, b: Array, extra_seconds: float = 0.0) -> Array:
    """One block product, after some extra work; runs on a worker."""
    nap(extra_seconds)
    product: Array = a @ b
    return product


def blocks(A: Array, B: Array, cut: int) -> list[Pair]:
    """Operands of the cut x cut block products of a product, row after row."""
    return [(a, b) for a in np.array_split(A, cut) for b in np.array_split(B, cut, axis=1)]


def assembled(
    answers: Callable[[list[Pair], float], list[Array]], A: Array, B: Array, cut: int, extra_seconds: float
) -> Array:
    found = answers(blocks(A, B, cut), extra_seconds)
    return np.block([found[row * cut : (row + 1) * cut] for row in range(cut)])


def warming(workers: int) -> list[Pair]:
    return [(np.eye(2), np.eye(2))] * workers


def _one_thread() -> None:
    """Start of a worker: its BLAS shall not compete with its neighbours', as in anyk's own workers."""
    _limits.append(threadpool_limits(1))


_limits: list[Any] = []
