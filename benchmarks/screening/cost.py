"""What looking for wrong answers costs, against the product: processor seconds of one thread."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import anyk
from anyk.code import Code
from anyk.decoding import prepare
from anyk.probes import Probe, draw_columns
from anyk.screening import Evidence, columns_for
from anyk.screening.pursuit import pursue
from anyk.verbs.screen import OperandScreen, Screening
from benchmarks.screening.words import Answers, Array, Row

CODES = (
    anyk.codes.generalized_polydot(2, 2, 2, 18),
    anyk.codes.matdot(4, 18),
    anyk.codes.matdot(8, 18),
    anyk.codes.mds(9, 18),
)


def seconds(work: Callable[..., object], *args: Any) -> float:
    """Least processor time of this thread, of five runs."""
    took = []
    for _ in range(5):
        began = time.thread_time()
        work(*args)
        took.append(time.thread_time() - began)
    return min(took)


def cost(side: int) -> Iterator[Row]:
    """Of screening a product with 18 workers: milliseconds, and per cent of all its block products."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((side, side)), rng.standard_normal((side, side))
    for code in CODES:
        blocks = code.encode(a, b)
        answers = {task: x @ y for task, (x, y) in enumerate(zip(*blocks, strict=True))}
        whole = code.workers * seconds(np.matmul, blocks[0][0], blocks[1][0])
        yield _row(code, "18 block products", whole, whole)
        for what, took in (*_checked(code, (a, b), blocks, answers), *_syndromes(code, answers)):
            yield _row(code, what, took, whole)


def _row(code: Code, what: str, took: float, whole: float) -> Row:
    name = f"{code.name} {code.partition}, any {code.recovery_threshold}"
    return {"code": name, "what": what, "ms": 1e3 * took, "% of the product": 100 * took / whole}


def _checked(
    code: Code, operands: tuple[Array, Array], blocks: tuple[list[Array], list[Array]], answers: Answers
) -> Iterator[tuple[str, float]]:
    rng = np.random.default_rng(1)
    asked = Screening(code.workers - code.recovery_threshold, "checked", "random")
    probe = Probe.draw(*operands, rng, columns=2)
    weights = prepare(code, answers, operands[0].dtype)
    value = np.empty((len(operands[0]), operands[1].shape[1]))
    weights.apply(answers, code.partition, value)

    def screen() -> OperandScreen:
        return OperandScreen(asked, code, operands, blocks, None, rng, probe)

    clean = screen()
    quiet = seconds(lambda: Probe.draw(*operands, rng, columns=2)) + seconds(screen)
    yield "checked, nobody wrong", quiet + seconds(lambda: clean.suspects_in(value, weights, answers))
    yield "checked, somebody wrong: every answer", seconds(lambda: screen().suspects(answers))


def _syndromes(code: Code, answers: Answers) -> Iterator[tuple[str, float]]:
    rng, spare = np.random.default_rng(2), code.workers - code.recovery_threshold
    columns = draw_columns(answers[0].shape[1], columns_for(spare - 1), rng)
    yield "syndromes: fingerprints", seconds(Evidence.of, code, answers, columns)
    for wrong in (0, 1, min(3, spare - 1)):
        evidence = Evidence.of(code, answers | {task: 1.001 * answers[task] for task in range(wrong)}, columns)
        # A copy each time, so that nothing is remembered from the run before.
        yield f"syndromes: verdict, {wrong} wrong", seconds(lambda given: pursue(replace(given)), evidence)
