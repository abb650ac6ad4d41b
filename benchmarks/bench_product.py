"""Whole products on warm workers, against plain NumPy on all cores, process pools, and 2x replication."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import prod
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import anyk
from anyk.code import Code
from anyk.engines import cores
from anyk.engines.base import Engine
from anyk.job import first_threshold
from anyk.probes import Probe
from anyk.verbs.bands import bands_of
from anyk.verbs.encoding import encoded
from anyk.verbs.run import Run, Settings
from benchmarks.measure import (
    Contender,
    Row,
    Sample,
    cpu_of,
    idle,
    in_turns,
    of_engine,
    peak_memory,
    peak_rss,
    ratios,
    spread,
)
from benchmarks.rivals import POOLS, Rival

Array = NDArray[Any]


def coded(tiny: bool) -> dict[str, Code]:
    """The codes compared, and how they share out the product."""
    few = {"anyk polynomial 2x2, any 4 of 5": anyk.codes.polynomial(2, 2, 5)}
    many = {
        "anyk uncoded 4x4": anyk.codes.uncoded(4, 1, 4),
        "anyk replication 4x4, twice": anyk.codes.replication(4, 1, 4, 2),
        "anyk polynomial 4x4, any 16 of 18": anyk.codes.polynomial(4, 4, 18),
        "anyk matdot 8, any 15 of 18": anyk.codes.matdot(8, 18),
    }
    return few if tiny else {**few, **many}


def run(tiny: bool) -> list[Row]:
    """First everybody side by side, then a coded product phase by phase, then its memory, in a process of its own."""
    sizes, turns = ((40,), 1) if tiny else ((256, 512, 1000, 2000), 5)
    side_by_side = []
    with ExitStack() as opened:
        # An engine keeps the buffers of one kind of product, so every code is warm on an engine of its own.
        engines = {
            name: opened.enter_context(anyk.engines.open(f"processes:{min(18, code.workers)}"))
            for name, code in coded(tiny).items()
        }
        pools = {} if tiny else {name: opened.enter_context(pool(cores())) for name, pool in POOLS.items()}
        for size in sizes:
            side_by_side += _side_by_side(_operands(size), tiny, engines, pools, turns)
    name = [*coded(tiny)][0 if tiny else 3]
    with anyk.engines.open(f"processes:{coded(tiny)[name].workers}") as engine:
        phases = _phases(*_operands(sizes[-1]), coded(tiny)[name], engine, turns)
    if tiny:
        return [*side_by_side, *phases, _memory(sizes[-1], name, tiny)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        memory = [elsewhere.submit(_memory, sizes[-1], name, tiny).result() for name in coded(tiny)]
    return [*side_by_side, *phases, *memory]


def _operands(size: int) -> tuple[Array, Array]:
    A, B = np.random.default_rng(0).standard_normal((2, size, size))
    return A, B


# --- side by side -----------------------------------------------------------------------------------------------------


def _side_by_side(
    operands: tuple[Array, Array], tiny: bool, engines: dict[str, Engine], pools: dict[str, Rival], turns: int
) -> list[Row]:
    A, B = operands
    contenders = {"NumPy, all cores": Contender(lambda: A @ B)}
    for name, pool in pools.items():
        contenders[f"{name}, 16 blocks"] = Contender(partial(pool.product, A, B, 4, 0.0), pool.pids)
    for name, code in coded(tiny).items():
        call = partial(anyk.matmul, A, B, code, engine=engines[name], rng=0)
        contenders[name] = Contender(call, of_engine(engines[name]), idle(engines[name]))
    samples = in_turns(contenders, turns, warm=2)
    plain = samples["NumPy, all cores"]
    return [_row(len(A), name, samples[name], plain) for name in contenders]


def _row(size: int, who: str, ours: list[Sample], plain: list[Sample]) -> Row:
    return {
        "size": size,
        "who": who,
        "wall s": spread(sample.wall for sample in ours),
        "times NumPy": ratios([sample.wall for sample in ours], [sample.wall for sample in plain]),
        "cpu s": spread(sample.cpu for sample in ours),
        "of it workers": spread(sample.workers for sample in ours),
        "times NumPy's cpu": ratios([sample.cpu for sample in ours], [sample.cpu for sample in plain]),
    }


# --- by phase ---------------------------------------------------------------------------------------------------------


@dataclass
class _Meter:
    """Processor seconds of this process, by phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - began


@dataclass(frozen=True)
class _MeteredProbe:
    probe: Probe
    meter: _Meter

    def error(self, product: Array) -> float:
        with self.meter.phase("measure"):
            return self.probe.error(product)


class _MeteredRun(Run):
    meter: _Meter

    def decode(self, tasks: tuple[int, ...]) -> Any:
        with self.meter.phase("decode and measure"):
            return super().decode(tasks)


def _phases(A: Array, B: Array, code: Code, engine: Engine, turns: int) -> list[Row]:
    """What `matmul` does, with a meter between its phases; BLAS has one thread, so that processor time is work."""
    seconds: list[dict[str, float]] = []
    with threadpool_limits(1):
        for _ in range(1 + turns):
            seconds.append({"the plain product": _plain(A, B), **_metered(A, B, code, engine)})
    rows = []
    for phase in seconds[0]:
        spent = [each[phase] for each in seconds[1:]]
        plain = [each["the plain product"] for each in seconds[1:]]
        target = 0.03 if phase == "verify (probe and measure)" and len(A) >= 2000 else None
        rows.append(
            {
                "size": len(A),
                "phase": phase,
                "cpu s": spread(spent),
                "times the plain product": ratios(spent, plain),
                "target": target,
            }
        )
    return rows


def _plain(A: Array, B: Array) -> float:
    began = time.process_time()
    _ = A @ B
    return time.process_time() - began


def _metered(A: Array, B: Array, code: Code, engine: Engine) -> dict[str, float]:
    meter, pids = _Meter(), of_engine(engine)
    before, began = cpu_of(pids()), time.process_time()
    with meter.phase("probe"):
        probe = Probe.draw(A, B, np.random.default_rng(0))
    with meter.phase("encode"):
        context = encoded(engine, code, A, B)
        operands = context.__enter__()
    run = _MeteredRun(
        Settings(code, engine, first_threshold()), *operands, A.shape, A.dtype, _MeteredProbe(probe, meter)
    )
    run.meter = meter
    run.finish({})
    context.__exit__(None, None, None)
    whole = time.process_time() - began
    idle(engine)()
    workers = max(0.0, cpu_of(pids()) - before)
    spent = meter.seconds
    decode = spent.pop("decode and measure") - spent["measure"]
    verify = spent["probe"] + spent.pop("measure")
    rest = whole - spent["probe"] - spent["encode"] - decode - (verify - spent["probe"])
    return {
        "verify (probe and measure)": verify,
        "encode": spent["encode"],
        "multiply, on the workers": workers,
        "decode": decode,
        "send and collect": max(0.0, rest),
        "the whole coded product": whole + workers,
    }


# --- memory -----------------------------------------------------------------------------------------------------------


def _memory(size: int, name: str, tiny: bool) -> Row:
    """The largest sum over all processes, shared pages counted once, and what shapes alone account for."""
    (A, B), code = _operands(size), coded(tiny)[name]
    with anyk.engines.open(f"processes:{min(18, code.workers)}") as engine, peak_memory(of_engine(engine)) as peak:
        before = peak()
        anyk.matmul(A, B, code, engine=engine, rng=0)
        largest = peak()
    bands = bands_of(A, B, code, first_threshold(), None)
    cut, band = code.partition, A[bands[0]].shape
    shapes = cut.left_block(band), cut.right_block(B.shape), cut.result_block((band[0], B.shape[1]))
    return {
        "size": size,
        "code": name,
        "bands of rows": len(bands),
        "peak MB, all processes": round(largest / 1e6),
        "peak MB, master": round(peak_rss() / 1e6),
        "encoded blocks and answers": round(code.workers * 8 * sum(map(prod, shapes)) / 1e6),
        "A, B and C": round(3 * A.nbytes / 1e6),
        "before the product": round((before - 2 * A.nbytes) / 1e6),
        "target MB, master": None if tiny else 500,
    }
