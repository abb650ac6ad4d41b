"""How small an error still shows, by the number of columns that each answer is looked at through."""

from collections.abc import Iterator
from math import sqrt

import numpy as np
from numpy.random import Generator

import anyk
from anyk.faults import Draw, GaussianError
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
                for where, share in (("the whole block", 1.0), ("one entry", 0.0)):
                    yield {
                        "dtype": dtype,
                        "side": side,
                        "by": by,
                        "error in": where,
                        **{f"{r} columns": _least(by, (a, b), answers, share, r, trials) for r in COLUMNS},
                    }


def _least(
    by: str, operands: tuple[Array, Array], answers: Answers, share: float, columns: int, trials: int
) -> float | None:
    """The smallest of sizes that grow by a fourth root of two."""
    rng, unit = np.random.default_rng(0), product_error(answers[0].dtype)
    for exponent in np.arange(0, 16, 0.25):
        model = GaussianError(size=unit * 2**exponent, share=share, ranks=(VICTIM,))
        seen = 0
        for trial in range(trials):
            wrong = model.fate(Draw(trial, 0, VICTIM)).corrupt[0](answers[VICTIM], None)
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
