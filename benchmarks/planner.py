"""Plans against what happens: `python -m benchmarks.planner [--tiny]`.

Scenarios on real worker processes: sizes, delays, losses, wrong workers. In each one a plan is made, the candidates of
every family and the fastest ones are run on the ``processes`` engine, in turns, every one with worker processes of its
own and the same fates, and predicted time and error are set against measured ones. The machine is calibrated first.

The times are means over the rounds: luck is the same for all. The full run takes about four minutes and writes
docs/_data/planner.json, from which the manual makes its tables; rows that are there are not measured again.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

import numpy as np

import anyk
from anyk.engines import cores
from anyk.faults import Bimodal, Crash, FaultModel, GaussianError, Pareto, ShiftedExponential, SlowNodes, combine
from anyk.planning import Candidate, CostModel, Plan
from anyk.verbs.calibrate import calibrate
from benchmarks.kept import Kept, Row

DATA = Path(__file__).parents[1] / "docs/_data/planner.json"

#: Candidates run in each scenario: the first ones, and the best of every family.
FIRST = 3


@dataclass(frozen=True)
class Scenario:
    """One question, and the world it is tried in.

    Args:
        name: in a few words.
        sizes: (height, depth, width).
        workers: processes.
        faults: of the engine; also the plan's delays.
        asked: further arguments of the plan.
        rounds: products per candidate.
    """

    name: str
    sizes: tuple[int, int, int]
    workers: int
    faults: FaultModel | None = None
    asked: dict[str, Any] = field(default_factory=dict)
    rounds: int = 10


#: Somewhere else than here: this machine has the operands and too little time.
ELSEWHERE = {"local": False}

SCENARIOS = (
    Scenario("small, reliable", (300, 300, 300), 4),
    Scenario("large, reliable", (2000, 2000, 2000), 4, rounds=6),
    Scenario("large, reliable, elsewhere", (1600, 1600, 1600), 6, asked=ELSEWHERE, rounds=8),
    Scenario("exponential waits", (600, 600, 600), 10, ShiftedExponential(0.1, 0.2), ELSEWHERE),
    Scenario("heavy tail", (800, 600, 700), 10, Pareto(1.5, 0.2), ELSEWHERE),
    Scenario("rare stragglers", (500, 500, 500), 12, Bimodal(0.1, 10.0, 0.15), ELSEWHERE),
    Scenario("two slow workers", (1600, 1600, 1600), 8, SlowNodes(ranks=(1, 4), factor=8.0), ELSEWHERE, rounds=6),
    Scenario(
        "workers that die",
        (600, 800, 600),
        8,
        combine(Crash(probability=0.1, after_seconds=0.05), ShiftedExponential(0.2, 0.2)),
        {**ELSEWHERE, "stragglers": 2},
        rounds=8,
    ),
    Scenario(
        "two wrong workers",
        (700, 500, 600),
        10,
        combine(GaussianError(ranks=(0, 3), size=0.1), ShiftedExponential(0.1, 0.3)),
        {**ELSEWHERE, "wrong": 2},
        rounds=8,
    ),
    Scenario("long inner dimension", (120, 30_000, 120), 9, ShiftedExponential(0.2, 0.3), ELSEWHERE),
    Scenario(
        "few digits, little memory",
        (250, 6000, 250),
        9,
        Pareto(1.5, 0.2),
        {**ELSEWHERE, "stragglers": 3, "tolerance": 1e-3, "memory_per_worker": 6.5e6},
    ),
)
TINY = (Scenario("tiny", (60, 50, 40), 4, ShiftedExponential(0.005, 0.005), {"local": False}, rounds=2),)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planner", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="one small scenario, kept nowhere: does it run at all?")
    parser.add_argument("--only", metavar="WORDS", help="scenarios with these words in their name, kept nowhere")
    options = parser.parse_args(arguments)
    chosen = [each for each in SCENARIOS if options.only in each.name] if options.only else SCENARIOS
    kept = Kept(None if options.tiny or options.only else DATA)
    costs = calibrate(side=96, turns=1) if options.tiny else calibrate()
    print(costs, flush=True)
    for scenario in TINY if options.tiny else chosen:
        tried(scenario, costs, kept)
    for line in kept.printed():
        print(line)
    return 0


def tried(scenario: Scenario, costs: CostModel, kept: Kept) -> None:
    """One scenario: a row for each candidate, and one for the choice."""
    if any(row["scenario"] == scenario.name for row in kept.of("choices")):
        return
    height, depth, width = scenario.sizes
    plan = anyk.plan(
        (height, depth),
        (depth, width),
        workers=scenario.workers,
        delays=scenario.faults,
        cores=cores(),
        costs=costs,
        **scenario.asked,
    )
    candidates = list(compared(plan))
    times, errors = run(scenario, candidates)
    for each in candidates:
        kept.row(
            {"table": "candidates", "scenario": scenario.name, "candidate": each.name},
            lambda each=each: row_of(each, times[each.name], errors[each.name]),
        )
    kept.row({"table": "choices", "scenario": scenario.name}, lambda: choice_of(plan, times))


def compared(plan: Plan) -> Iterator[Candidate]:
    """The fastest few, and the best of every family."""
    families = set[str]()
    for place, each in enumerate(plan.candidates):
        if place < FIRST or each.family not in families:
            yield each
        families.add(each.family)


def run(scenario: Scenario, candidates: Sequence[Candidate]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds and measured errors of every candidate, round by round, in turns."""
    rng = np.random.default_rng(0)
    height, depth, width = scenario.sizes
    A, B = rng.standard_normal((height, depth)), rng.standard_normal((depth, width))
    times: dict[str, list[float]] = {each.name: [] for each in candidates}
    errors: dict[str, list[float]] = {each.name: [] for each in candidates}
    with ExitStack() as stack:
        calls = {each.name: caller(each, scenario, A, B, stack) for each in candidates}
        for call in calls.values():
            call()  # fresh memory is touched for the first time
        for _ in range(scenario.rounds):
            for name, call in calls.items():
                began = perf_counter()
                error = call()
                times[name].append(perf_counter() - began)
                errors[name].append(error)
    return times, errors


def caller(
    candidate: Candidate, scenario: Scenario, A: np.ndarray, B: np.ndarray, stack: ExitStack
) -> Callable[[], float]:
    """Forms the product once; its measured error, 0 where nothing measures it."""
    if not candidate.is_distributed:
        return lambda: float((A @ B).size * 0)
    engine = anyk.engines.open(f"processes:{candidate.code.workers}", faults=scenario.faults, seed=1)
    stack.callback(engine.close)
    wrong = scenario.asked.get("wrong", 0)
    given = {"wrong": wrong, "screen": "syndrome"} if wrong else {}

    def product() -> float:
        return float(anyk.matmul(A, B, candidate.code, engine=engine, rng=0, retries=3, **given).error or 0)

    return product


def row_of(candidate: Candidate, times: Sequence[float], errors: Sequence[float]) -> Row:
    """Predicted against measured."""
    return {
        "answers": f"{candidate.answers} of {candidate.code.workers}" if candidate.is_distributed else "",
        "predicted s": candidate.seconds,
        "measured s": mean(times),
        "measured / predicted": mean(times) / candidate.seconds,
        "predicted error": candidate.error,
        "worst expected": candidate.worst_error,
        "measured error": median(errors) or None,
        "largest measured": max(errors) or None,
    }


def choice_of(plan: Plan, times: dict[str, list[float]]) -> Row:
    """The planner's choice against the fastest."""
    best = min(times, key=lambda name: mean(times[name]))
    ratio = mean(times[plan.best.name]) / mean(times[best])
    return {
        "size": " x ".join(map(str, (*plan.request.shape_a, plan.request.shape_b[1]))),
        "chosen": plan.best.name,
        "fastest": best,
        "run": len(times),
        "chosen s": mean(times[plan.best.name]),
        "fastest s": mean(times[best]),
        "chosen / fastest": ratio,
        "within 10 %": "yes" if ratio <= 1.1 else "no",
        "slowest / fastest": max(map(mean, times.values())) / mean(times[best]),
    }


if __name__ == "__main__":
    sys.exit(main())
