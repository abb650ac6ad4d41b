"""Whole products on warm workers, against plain NumPy on all cores, process pools, and 2x replication."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
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
from anyk.verbs.blocks import encoded
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
    ratios,
    spread,
)
from benchmarks.rivals import POOLS

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
    """First everybody side by side, then a coded product phase by phase."""
    sizes, turns = ((40,), 1) if tiny else ((256, 512, 1000, 2000), 7)
    with ExitStack() as opened:
        engine = opened.enter_context(anyk.engines.open("processes:5" if tiny else "processes:18"))
        pools = {} if tiny else {name: opened.enter_context(pool(cores())) for name, pool in POOLS.items()}
        side_by_side = []
        for size in sizes:
            A, B = np.random.default_rng(0).standard_normal((2, size, size))
            side_by_side += _side_by_side(A, B, engine, pools, tiny, turns)
        code = anyk.codes.polynomial(2, 2, 5) if tiny else anyk.codes.polynomial(4, 4, 18)
        phases = _phases(A, B, code, engine, turns)
        memory = _memory(A, B, code, engine)
    return [*side_by_side, *phases, *memory]


# --- side by side -----------------------------------------------------------------------------------------------------


def _side_by_side(A: Array, B: Array, engine: Engine, pools: dict[str, Any], tiny: bool, turns: int) -> list[Row]:
    contenders = {"NumPy, all cores": Contender(lambda: A @ B)}
    for name, pool in pools.items():
        contenders[f"{name}, 16 blocks"] = Contender(lambda pool=pool: pool.product(A, B, 4), pool.pids)  # type: ignore[misc]
    for name, code in coded(tiny).items():
        call = _matmul(A, B, code, engine)
        contenders[name] = Contender(call, of_engine(engine), idle(engine))
    samples = in_turns(contenders, turns)
    plain = samples["NumPy, all cores"]
    return [_row(len(A), name, samples[name], plain) for name in contenders]


def _matmul(A: Array, B: Array, code: Code, engine: Engine) -> Callable[[], object]:
    return lambda: anyk.matmul(A, B, code, engine=engine, rng=0)


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


def _memory(A: Array, B: Array, code: Code, engine: Engine) -> list[Row]:
    """The largest sum over all processes, shared pages counted once; and what shapes alone account for."""
    with peak_memory(of_engine(engine)) as peak:
        idle_bytes = peak()
        anyk.matmul(A, B, code, engine=engine, rng=0)
        largest = peak()
    cut = code.partition
    a, b, c = cut.left_block(A.shape), cut.right_block(B.shape), cut.result_block(A.shape)
    coded_bytes = 8 * code.workers * sum(np.prod(shape) for shape in (a, b, c))
    operand_bytes = A.nbytes + B.nbytes + A.nbytes
    return [
        {
            "size": len(A),
            "code": code.name,
            "peak MB": round(largest / 1e6),
            "of it blocks and answers": round(coded_bytes / 1e6),
            "of it A, B and C": round(operand_bytes / 1e6),
            "before the product": round(idle_bytes / 1e6),
            "target MB": 500 if len(A) >= 2000 else None,
        }
    ]
