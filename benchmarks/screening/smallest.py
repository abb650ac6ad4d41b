"""How small an error still shows, by the number of columns that each answer is looked at through."""

from collections.abc import Iterator
from math import sqrt

import numpy as np
from numpy.random import Generator

import anyk
from anyk.probes import draw_columns
from anyk.screening import Evidence
from anyk.verbs.witness import OperandWitness
from anyk.weights import product_error
from benchmarks.screening.words import DTYPES, Answers, Array, Row

COLUMNS = (1, 2, 4, 8)
SIDES = (16, 128)
VICTIM = 3
CODE = anyk.codes.mds(4, 8)


def smallest(trials: int) -> Iterator[Row]:
    """Size of an error, in roundings of an answer's usual entry, that shows in 99 % of trials, by number of columns."""
    for dtype in DTYPES:
        for side in SIDES:
            rng = np.random.default_rng(0)
            a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((4 * side, side), (side, side)))
            answers = {task: x @ y for task, (x, y) in enumerate(zip(*CODE.encode(a, b), strict=True))}
            for by in ("checked", "syndrome"):
                for where in ("the whole block", "one entry"):
                    yield {
                        "dtype": dtype,
                        "side": side,
                        "by": by,
                        "error in": where,
                        **{f"{r} columns": _least(by, (a, b), answers, where, r, trials) for r in COLUMNS},
                    }


def _least(
    by: str, operands: tuple[Array, Array], answers: Answers, where: str, columns: int, trials: int
) -> float | None:
    """The smallest of sizes that grow by a fourth root of two."""
    rng, right = np.random.default_rng(0), answers[VICTIM]
    unit = product_error(right.dtype) * np.linalg.norm(right) / right.size**0.5
    for exponent in np.arange(0, 16, 0.25):
        seen = 0
        for _ in range(trials):
            error = np.zeros(right.shape)
            if where == "one entry":
                error[tuple(rng.integers(0, right.shape))] = rng.choice([-1, 1])
            else:
                error = rng.standard_normal(right.shape)
            wrong = (right + unit * 2**exponent * error).astype(right.dtype)
            seen += _shows(by, operands, answers | {VICTIM: wrong}, columns, rng)
        if seen >= 0.99 * trials:
            return float(2**exponent)
    return None


def _shows(by: str, operands: tuple[Array, Array], given: Answers, columns: int, rng: Generator) -> bool:
    if by == "checked":
        usual = sqrt(operands[0].shape[1])
        return not OperandWitness(CODE, *operands, None, usual, rng, columns).holds(VICTIM, given[VICTIM])
    evidence = Evidence.of(CODE, given, draw_columns(given[0].shape[1], columns, rng))
    return not evidence.syndrome(evidence.finite).agrees
