"""Measure this machine for the planner: what operations, bytes and messages cost, in some ten seconds."""

import os
from collections.abc import Callable
from contextlib import closing
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def calibrate(*, side: int = _SIDE, turns: int = _TURNS) -> CostModel:
    """Speeds of this machine's cores, memory and ``processes`` engine.

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
    operations, moved = 2.0 * side**3, 8.0 * side * side
    with closing(engines.open("processes:4")) as engine:
        core, vector = (engine.lanes[0].submit(_on_worker, side, width, turns).result() for width in (side, 1))
        fixed, per_task = _overheads(engine, turns)
    # A product reads and writes its blocks as well; what a product with a vector takes is nothing but reading.
    worker_bytes = moved / vector
    machine = _least(lambda: np.matmul(A, B), turns)
    coding, encode_bytes = _encoding(A, B, turns)
    return CostModel(
        worker_operations=operations / max(core - 3 * moved / worker_bytes, 0.1 * core),
        machine_operations=operations / machine,
        coding_operations=coding,
        encode_bytes=encode_bytes,
        decode_bytes=_decoding(A, B, turns, coding),
        check_bytes=4 * moved / _least(lambda: Probe.draw(A, B, rng).error(A), turns),
        worker_bytes=worker_bytes,
        task_seconds=per_task,
        product_seconds=fixed,
        source=f"measured with {side} x {side} matrices on {os.cpu_count()} cores",
    )


def _on_worker(side: int, width: int, turns: int) -> float:
    """Seconds of one product, by the worker's own clock."""
    rng = np.random.default_rng(0)
    A, B, out = rng.standard_normal((side, side)), rng.standard_normal((side, width)), np.empty((side, width))
    return _least(lambda: multiply(A, B, out), turns)


def _overheads(engine: Engine, turns: int) -> tuple[float, float]:
    """Seconds per product and per task of products too small to take any time."""
    small = np.eye(24)
    few, many = codes.uncoded(1, 1, 1), codes.uncoded(4, 1, 4)
    one, all_of_them = (
        _least(partial(matmul, small, small, code, engine=engine, rng=0), 4 * turns) for code in (few, many)
    )
    per_task = max((all_of_them - one) / (many.workers - few.workers), 1e-6)
    return max(one - per_task, 1e-5), per_task


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
    """Seconds of the fastest of several calls, after a first one that does not count."""
    call()
    times = []
    for _ in range(turns):
        began = perf_counter()
        call()
        times.append(perf_counter() - began)
    return min(times)
