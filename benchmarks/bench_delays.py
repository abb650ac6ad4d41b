"""From which delays on coding wins: completion times of codes on 18 workers, by simulation, against not coding."""

from concurrent.futures import Future
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import anyk
from anyk.arrays import combine
from anyk.code import Code
from anyk.decoding import prepare
from anyk.engines.base import Lane
from anyk.engines.drive import drive
from anyk.engines.simulated import SimulatedEngine
from anyk.faults import preset, seeded
from anyk.job import Job, first_threshold
from anyk.job.messages import Compute, Decoded
from benchmarks.measure import Contender, Row, in_turns, spread

Array = NDArray[Any]

#: The models compared, in their own settings; a task's time is multiplied by what they draw.
PRESETS = ("none", "llm-imbalance", "shifted-exp", "slow-node", "lambda", "dolly", "bimodal", "pareto")

#: In the unit of times: what one of 16 equal parts of the product takes one undisturbed worker.
PARTS = 16


@dataclass(frozen=True)
class Scheme:
    """One way to share out the product among 18 workers.

    Args:
        name: to print.
        code: with 18 tasks.
    """

    name: str
    code: Code

    @property
    def task(self) -> float:
        """Time of one undisturbed task."""
        return PARTS / self.code.partition.products


def schemes(tiny: bool) -> list[Scheme]:
    """Not coding first."""
    uncoded = Scheme("uncoded 3x6", anyk.codes.uncoded(3, 1, 6))
    polynomial = Scheme("polynomial 4x4, any 16", anyk.codes.polynomial(4, 4, 18))
    if tiny:
        return [uncoded, polynomial]
    return [
        uncoded,
        Scheme("replication 3x3, twice", anyk.codes.replication(3, 1, 3, 2)),
        polynomial,
        Scheme("polynomial 3x5, any 15", anyk.codes.polynomial(3, 5, 18)),
        Scheme("polynomial 3x4, any 12", anyk.codes.polynomial(3, 4, 18)),
        Scheme("matdot 8, any 15", anyk.codes.matdot(8, 18)),
    ]


def run(tiny: bool) -> list[Row]:
    """Simulated rounds, then two delay models on real processes."""
    rounds, names = (20, ("none", "lambda")) if tiny else (2000, PRESETS)
    compared = schemes(tiny)
    overheads = {scheme.name: _overhead(scheme, 100 if tiny else 2000) for scheme in compared}
    rows = []
    for name in names:
        times = {scheme.name: np.array(_on_many_clusters(scheme, name, rounds)) for scheme in compared}
        rows += [_row(name, scheme, times, overheads) for scheme in compared]
    return [*rows, *_real(tiny)]


def _row(name: str, scheme: Scheme, times: dict[str, Array], overheads: dict[str, float]) -> Row:
    plain, ours = next(iter(times.values())), times[scheme.name]
    extra = overheads[scheme.name] - next(iter(overheads.values()))
    gain = float(plain.mean() - ours.mean())
    return {
        "delays": name,
        "scheme": scheme.name,
        "mean": float(ours.mean()),
        "p99": float(np.quantile(ours, 0.99)),
        "mean / uncoded": float(ours.mean() / plain.mean()),
        "p99 / uncoded": float(np.quantile(ours, 0.99) / np.quantile(plain, 0.99)),
        # One sixteenth of the product must take a worker this long before the gain repays encoding and decoding.
        "wins from a part of, s": ""
        if scheme.name in next(iter(times))
        else max(0.0, extra) / gain
        if gain > 0
        else "never",
    }


# --- simulated --------------------------------------------------------------------------------------------------------


class _Nothing:
    """Work of which only the times matter."""

    def start(self, compute: Compute, lane: Lane) -> "Future[Any]":
        return lane.submit(bool)

    def decode(self, tasks: tuple[int, ...]) -> Decoded:
        return Decoded(at=0.0, error=None)


class _ByCount:
    """Any threshold of answers decodes; for replication, one copy of each product."""

    def __init__(self, code: Code) -> None:
        self._threshold, self._products = code.recovery_threshold, code.partition.products
        self._replicated = code.name in ("replication", "uncoded")

    def expected_error(self, tasks: tuple[int, ...]) -> float:
        return 0.0 if self.sufficient(tasks) else 1.0

    def sufficient(self, tasks: tuple[int, ...]) -> bool:
        found = {task % self._products for task in tasks} if self._replicated else tasks
        return len(found) >= (self._products if self._replicated else self._threshold)


def _simulated(scheme: Scheme, name: str, rounds: int, seed: int = 0) -> list[float]:
    """Completion times of many products, one after the other on the same workers."""
    code, model = scheme.code, preset(name, unit_seconds=scheme.task)
    # Models with a unit draw whole task times; the others slow the task itself down.
    task_seconds = 0.0 if hasattr(model, "unit_seconds") else scheme.task
    faults, times = seeded(model, seed), []
    with SimulatedEngine(code.workers, faults=faults, task_seconds=task_seconds, compute=False) as engine:
        for _ in range(rounds):
            job = Job(
                code.workers,
                len(engine.lanes),
                threshold=code.recovery_threshold,
                decodability=_ByCount(code),
                stop=first_threshold(),
                fewest=code.partition.wanted,
            )
            times.append(drive(job, engine, _Nothing()).seconds["collect"])
    return times


def _on_many_clusters(scheme: Scheme, name: str, rounds: int) -> list[float]:
    """The same on workers drawn anew now and then, for models in which some are slow for good."""
    return [each for seed in range(20) for each in _simulated(scheme, name, rounds // 20, seed)]


def _overhead(scheme: Scheme, size: int) -> float:
    """Processor seconds of the master for encoding and decoding; not coded, for plain copies. Warm, one thread."""
    A, B = np.random.default_rng(0).standard_normal((2, size, size))
    code, out = scheme.code, np.empty((size, size))
    left, right = code.encode(A, B)
    tasks = range(code.workers) if code.name == "uncoded" else range(code.recovery_threshold)
    answers, weights = {task: left[task] @ right[task] for task in tasks}, prepare(code, tasks)
    originals = [*left, *right, *answers.values()]
    copies = [np.ones_like(block) for block in originals]

    def coded() -> None:
        combine(code.left, A, left)
        combine(code.right, B, right)
        weights.apply(answers, code.partition, out)

    def copied() -> None:
        for copy, original in zip(copies, originals, strict=True):
            np.copyto(copy, original)

    with threadpool_limits(1):
        samples = in_turns({"": Contender(copied if code.name == "uncoded" else coded)}, turns=7)
    return spread(sample.cpu for sample in samples[""])["median"]


# --- on real processes ------------------------------------------------------------------------------------------------


def _real(tiny: bool) -> list[Row]:
    """The same fates, slept by real workers: small matrices, so that the delays are nearly all there is."""
    rounds, unit, size = (2, 0.005, 40) if tiny else (40, 0.1, 240)
    A, B = np.random.default_rng(0).standard_normal((2, size, size))
    rows = []
    for name in ("lambda",) if tiny else ("lambda", "dolly"):
        for scheme in schemes(tiny)[:: 1 if tiny else 2]:
            expected = np.array(_simulated(scheme, name, rounds)) * unit
            measured = []
            model = preset(name, unit_seconds=scheme.task * unit)
            with anyk.engines.open("processes:18", faults=model, seed=0) as engine:
                for _ in range(rounds):
                    began = perf_counter()
                    anyk.matmul(A, B, scheme.code, engine=engine, rng=0)
                    measured.append(perf_counter() - began)
            rows.append(
                {
                    "delays": name,
                    "scheme": scheme.name,
                    "products": rounds,
                    "measured, s": spread(measured),
                    "mean measured, s": float(np.mean(measured)),
                    "mean simulated, s": float(expected.mean()),
                    "measured / simulated": float(np.mean(measured) / expected.mean()),
                }
            )
    return rows
