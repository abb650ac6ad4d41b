"""Plans against what happens: `python -m benchmarks.planner [--tiny]`.

In each scenario a plan is made, its fastest candidates and the best of every family are run on the ``processes``
engine, each with worker processes of its own, and predicted time and error are set against measured ones.

*Real* scenarios take what this machine has; their candidates take turns, and the least time of each counts, for
whatever else runs on the machine only adds. In *slowed* ones workers are as slow as the scenario says: they compute,
and then sleep for what the drawn multiple of their operations takes at that speed. So ten workers fit on two cores,
other programs hardly matter, and the candidates run side by side, all meeting the same draws; the mean over the rounds
counts.

The machine is calibrated first. The full run takes some ten minutes, most of them asleep, and writes
docs/_data/planner.json, from which the manual makes its tables; rows that are there are not measured again.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

import numpy as np

import anyk
from anyk.engines import cores
from anyk.faults import Crash, FaultModel, GaussianError, Trace, combine, preset
from anyk.planning import Candidate, CostModel, Plan
from anyk.verbs.calibrate import calibrate
from benchmarks.kept import Kept, Row

DATA = Path(__file__).parents[1] / "docs/_data/planner.json"

#: Candidates run in each scenario: the first ones, and the best of every family.
FIRST = 3

Array = np.ndarray


@dataclass(frozen=True)
class Scenario:
    """One question, and the world it is tried in.

    Args:
        name: in a few words.
        sizes: (height, depth, width).
        workers: how many there are.
        asked: further arguments of the plan.
        seconds: that one slowed worker would take for the whole product; None: real speed.
        faults: of slowed workers, by the seconds of a task; what they draw is the multiple of it that a task takes.
        rounds: products per candidate.
    """

    name: str
    sizes: tuple[int, int, int]
    workers: int
    asked: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    faults: Callable[[float], FaultModel] = lambda unit: Trace([[1.0]], unit)
    rounds: int = 8

    @property
    def operations(self) -> float:
        """Of the whole product."""
        return 2.0 * np.prod(self.sizes)


def law(name: str) -> Callable[[float], FaultModel]:
    """A preset, by the seconds of a task."""
    return lambda unit: preset(name, unit_seconds=unit)


def two_are_slow(unit: float) -> FaultModel:
    """Ranks 1 and 4 take five times as long as the others, always."""
    return Trace([[5.0 if rank in (1, 4) else 1.0 for rank in range(8)]], unit)


def some_die(unit: float) -> FaultModel:
    """One task in ten is the end of its worker."""
    return combine(Crash(probability=0.1, after_seconds=0.05), preset("llm-imbalance", unit_seconds=unit))


def two_lie(unit: float) -> FaultModel:
    """Two workers answer wrongly, at ordinary times."""
    return combine(GaussianError(ranks=(0, 3), size=0.1), preset("shifted-exp", unit_seconds=unit))


SCENARIOS = (
    Scenario("all alike", (500, 500, 500), 8, seconds=8.0, rounds=5),
    Scenario("two workers slow", (500, 400, 600), 8, seconds=6.0, faults=two_are_slow, rounds=5),
    Scenario("exponential waits", (500, 500, 500), 10, seconds=6.0, faults=law("shifted-exp")),
    Scenario("heavy tail", (600, 500, 500), 10, seconds=5.0, faults=law("pareto:1.8")),
    Scenario("rare stragglers", (500, 500, 500), 12, seconds=3.0, faults=law("dolly"), rounds=300),
    Scenario("workers that die", (500, 600, 500), 8, {"stragglers": 2}, 6.0, some_die),
    Scenario("two wrong workers", (500, 500, 600), 10, {"wrong": 2}, 6.0, two_lie),
    Scenario("long inner dimension", (100, 16_000, 100), 9, {"stragglers": 2}, 6.0, law("shifted-exp")),
    Scenario(
        "few digits, little memory",
        (250, 6000, 250),
        9,
        {"stragglers": 3, "tolerance": 1e-3, "memory_per_worker": 6.5e6},
        6.0,
        law("pareto:1.8"),
    ),
    Scenario("small, real", (300, 300, 300), 4),
    Scenario("large, real", (1600, 1600, 1600), 4, rounds=5),
    Scenario("large, real, not here", (1200, 1200, 1200), 6, {"local": False}, rounds=6),
)
TINY = (
    Scenario("tiny, real", (60, 50, 40), 2, rounds=2),
    Scenario("tiny", (60, 50, 40), 3, seconds=0.1, faults=law("shifted-exp"), rounds=2),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planner", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="the smallest scenarios, kept nowhere: does it run at all?")
    parser.add_argument("--only", metavar="WORDS", help="scenarios with these words in their name, kept nowhere")
    options = parser.parse_args(arguments)
    chosen = TINY if options.tiny else [each for each in SCENARIOS if (options.only or "") in each.name]
    kept = Kept(None if options.tiny or options.only else DATA)
    costs = calibrate(side=96, turns=1) if options.tiny else calibrate()
    print(costs, flush=True)
    for scenario in chosen:
        tried(scenario, costs, kept)
    for line in kept.printed():
        print(line)
    return 0


def tried(scenario: Scenario, costs: CostModel, kept: Kept) -> None:
    """One scenario: a row for each candidate, and one for the choice."""
    if any(row["scenario"] == scenario.name for row in kept.of("choices")):
        return
    plan = planned(scenario, costs)
    candidates = list(compared(plan))
    times, errors = (real if scenario.seconds is None else slowed)(scenario, candidates)
    for each in candidates:
        kept.row(
            {"table": "candidates", "scenario": scenario.name, "candidate": each.name},
            lambda each=each: row_of(each, times[each.name], errors[each.name]),
        )
    kept.row({"table": "choices", "scenario": scenario.name}, lambda: choice_of(plan, times))


def planned(scenario: Scenario, costs: CostModel) -> Plan:
    """The plan, of what the scenario says and no more."""
    height, depth, width = scenario.sizes
    shapes = (height, depth), (depth, width)
    if scenario.seconds is None:
        return anyk.plan(*shapes, workers=scenario.workers, cores=cores(), costs=costs, **scenario.asked)
    slow = replace(costs, worker_operations=scenario.operations / scenario.seconds)
    return anyk.plan(
        *shapes,
        workers=scenario.workers,
        delays=scenario.faults(1.0),
        delay_unit="tasks",
        local=False,
        costs=slow,
        **scenario.asked,
    )


def compared(plan: Plan) -> Iterator[Candidate]:
    """The fastest few, and the best of every family."""
    families = set[str]()
    for place, each in enumerate(plan.candidates):
        if place < FIRST or each.family not in families:
            yield each
        families.add(each.family)


Measured = tuple[dict[str, float], dict[str, list[float]]]


def real(scenario: Scenario, candidates: Sequence[Candidate]) -> Measured:
    """Least seconds and measured errors of every candidate, in turns."""
    with ExitStack() as stack:
        calls = {each.name: caller(each, scenario, stack) for each in candidates}
        turns = [{name: timed(call) for name, call in calls.items()} for _ in range(1 + scenario.rounds)][1:]
    times = {name: min(turn[name][0] for turn in turns) for name in calls}
    return times, {name: [turn[name][1] for turn in turns] for name in calls}


def slowed(scenario: Scenario, candidates: Sequence[Candidate]) -> Measured:
    """Mean seconds and measured errors of every candidate, side by side."""
    with ExitStack() as stack:
        calls = {each.name: caller(each, scenario, stack) for each in candidates}
        pool = stack.enter_context(ThreadPoolExecutor(len(calls)))
        done = {
            name: pool.submit(lambda call=call: [timed(call) for _ in range(scenario.rounds)])
            for name, call in calls.items()
        }
        rounds = {name: future.result() for name, future in done.items()}
    times = {name: mean(seconds for seconds, _ in each) for name, each in rounds.items()}
    return times, {name: [error for _, error in each] for name, each in rounds.items()}


def timed(call: Callable[[], float]) -> tuple[float, float]:
    """Seconds, and what came back."""
    began = perf_counter()
    error = call()
    return perf_counter() - began, error


def caller(candidate: Candidate, scenario: Scenario, stack: ExitStack) -> Callable[[], float]:
    """Forms the product once; its measured error, 0 where nothing measures it."""
    rng = np.random.default_rng(0)
    height, depth, width = scenario.sizes
    A, B = rng.standard_normal((height, depth)), rng.standard_normal((depth, width))
    if not candidate.is_distributed:
        return lambda: float((A @ B).size * 0)
    faults = None
    if scenario.seconds is not None:
        faults = scenario.faults(scenario.seconds * candidate.operations / scenario.operations)
    engine = anyk.engines.open(f"processes:{candidate.code.workers}", faults=faults, seed=1)
    stack.callback(engine.close)
    wrong = scenario.asked.get("wrong", 0)
    given = {"wrong": wrong, "screen": "syndrome"} if wrong else {}

    def product() -> float:
        with suppress(anyk.ClusterError):
            return float(anyk.matmul(A, B, candidate.code, engine=engine, rng=0, retries=3, **given).error or 0)
        return product()  # it is made again, as the plan counts

    return product


def row_of(candidate: Candidate, seconds: float, errors: Sequence[float]) -> Row:
    """Predicted against measured."""
    return {
        "answers": f"{candidate.answers} of {candidate.code.workers}" if candidate.is_distributed else "",
        "predicted s": candidate.seconds,
        "measured s": seconds,
        "measured / predicted": seconds / candidate.seconds,
        "predicted error": candidate.error,
        "worst expected": candidate.worst_error,
        "measured error": median(errors) or None,
        "largest measured": max(errors) or None,
    }


def choice_of(plan: Plan, times: dict[str, float]) -> Row:
    """The planner's choice against the fastest."""
    best = min(times, key=lambda name: times[name])
    ratio = times[plan.best.name] / times[best]
    return {
        "size": " x ".join(map(str, (*plan.request.shape_a, plan.request.shape_b[1]))),
        "chosen": plan.best.name,
        "fastest": best,
        "run": len(times),
        "predicted s": plan.best.seconds,
        "chosen s": times[plan.best.name],
        "fastest s": times[best],
        "chosen / fastest": ratio,
        "within 10 %": "yes" if ratio <= 1.1 else "no",
        "slowest / fastest": max(times.values()) / times[best],
    }


if __name__ == "__main__":
    sys.exit(main())
