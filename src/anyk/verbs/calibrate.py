"""Measure this machine for the planner: what operations, bytes and messages cost, in some ten seconds."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from anyk import codes, engines
from anyk.arrays import combine
from anyk.code import Code
from anyk.decoding import prepare
from anyk.engines.base import Engine
from anyk.engines.work import multiply
from anyk.planning import CostModel
from anyk.probes import Probe
from anyk.verbs.matmul import matmul

Array = NDArray[Any]

#: Side of the matrices: blocks of a few megabytes, as products that are worth distributing have.
_SIDE = 1200

#: Repetitions; the least time of each counts, for whatever else the machine does only adds.
_TURNS = 5

#: A matrix of so many times the side is read from memory, not from a cache.
_OUT_OF_CACHE = 6


def calibrate(*, side: int = _SIDE, turns: int = _TURNS) -> CostModel:
    """Speeds of this machine's cores, memory and ``processes`` engine.

    Processor time is measured, so that other programs on the machine count little; only the engine's own time is time
    on the clock.

    Args:
        side: of the square matrices that are worked on; fewer than 1000 say little about large products.
        turns: repetitions of each measurement, of which the fastest counts.

    Returns:
        The cost model; `anyk.planning.store` keeps it.

    Raises:
        ClusterError: worker processes cannot be started.
    """
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, side, side))
    with closing(engines.open("processes:4")) as engine:
        worker, memory = engine.lanes[0].submit(_on_worker, side, turns).result()
        fixed, per_task = _overheads(engine, turns)
    threads = max((each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"), default=1)
    machine = 2.0 * side**3 * threads / _least(partial(np.matmul, A, B), turns)
    with threadpool_limits(1):
        coding, encode_bytes = _encoding(A, B, turns)
        decode_bytes = _decoding(A, B, turns, coding)
        checked = _least(lambda: Probe.draw(A, B, rng).error(A), turns)
    return CostModel(
        worker_operations=worker,
        machine_operations=machine,
        coding_operations=coding,
        encode_bytes=encode_bytes,
        decode_bytes=decode_bytes,
        check_bytes=(A.nbytes + B.nbytes + 2 * A.nbytes) / checked,
        worker_bytes=memory,
        task_seconds=per_task,
        product_seconds=fixed,
        source=f"measured with {side} x {side} matrices on {engines.cores()} cores, {threads} BLAS threads",
    )


def _on_worker(side: int, turns: int) -> tuple[float, float]:
    """Operations and bytes per second of a worker: of square products, and of products with a vector."""
    rng = np.random.default_rng(0)
    A, B, out = *rng.standard_normal((2, side, side)), np.empty((side, side))
    long, vector, short = np.ones((_OUT_OF_CACHE * side, side)), np.ones((side, 1)), np.empty((_OUT_OF_CACHE * side, 1))
    square, narrow = (_least(partial(multiply, *three), turns) for three in ((A, B, out), (long, vector, short)))
    memory = long.nbytes / narrow
    # Blocks are read and written besides; that is paid for as bytes.
    return 2.0 * side**3 / max(square - 3 * A.nbytes / memory, 0.1 * square), memory


def _overheads(engine: Engine, turns: int) -> tuple[float, float]:
    """Seconds per product and per task of products too small to take any time."""
    small = np.eye(24)
    few, many = codes.uncoded(1, 1, 1), codes.uncoded(4, 1, 4)
    times: dict[int, list[float]] = {few.workers: [], many.workers: []}
    for _ in range(8 * turns):
        for code in (few, many):
            began = perf_counter()
            matmul(small, small, code, engine=engine, rng=0)
            times[code.workers].append(perf_counter() - began)
    one, all_of_them = (min(each) for each in times.values())
    per_task = max((all_of_them - one) / (many.workers - few.workers), 1e-2 * one)
    return max(one - per_task, 1e-2 * one), per_task


def _encoding(A: Array, B: Array, turns: int) -> tuple[float, float]:
    """Operations and bytes per second, from codes with many and with few of each: t = operations / x + bytes / y."""
    tables = [codes.matdot(8, 18), codes.polynomial(4, 4, 18), codes.uncoded(2, 1, 2)]
    rows, times = [], []
    for code in tables:
        left, right = code.encode(A, B)
        written = sum(block.nbytes for block in (*left, *right))
        rows.append((2.0 * code.workers * (A.size + B.size), A.nbytes + B.nbytes + written))
        times.append(_least(partial(_encode, code, A, B, left, right), turns))
    return _speeds(np.array(rows), np.array(times))


def _encode(code: Code, A: Array, B: Array, left: list[Array], right: list[Array]) -> None:
    combine(code.left, A, left)
    combine(code.right, B, right)


def _speeds(counts: Array, times: Array) -> tuple[float, float]:
    """Two positive speeds that explain the times best; where one is lost in noise, half of the time each."""
    paces, *_ = np.linalg.lstsq(counts / times[:, None], np.ones(len(times)), rcond=None)
    shares = np.clip(paces * counts.mean(axis=0) / times.mean(), 0.1, 0.9)
    operations, moved = (
        float(count / (share * times.mean())) for count, share in zip(counts.mean(axis=0), shares, strict=True)
    )
    return operations, moved


def _decoding(A: Array, B: Array, turns: int, coding: float) -> float:
    """Bytes per second: what is left of the time once operations are paid for."""
    paces = []
    for code in (codes.matdot(8, 18), codes.polynomial(4, 4, 18)):
        tasks = range(code.recovery_threshold)
        shape = code.partition.result_block((len(A), B.shape[1]))
        answers, out = {task: np.ones(shape) for task in tasks}, np.empty((len(A), B.shape[1]))
        weights = prepare(code, tasks)
        seconds = _least(partial(weights.apply, answers, code.partition, out), turns)
        paid = 2 * code.recovery_threshold * out.size / coding
        moved = out.nbytes + sum(answer.nbytes for answer in answers.values())
        paces.append(max(seconds - paid, 0.2 * seconds) / moved)
    return 1 / float(np.mean(paces))


def _least(call: Callable[[], object], turns: int) -> float:
    """Processor seconds of the fastest of several calls, after a first one that does not count."""
    call()
    times = []
    for _ in range(turns):
        began = process_time()
        call()
        times.append(process_time() - began)
    return max(min(times), 1e-6)
