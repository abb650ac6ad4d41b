"""Workers who agree on a false result, as many as the code can spare, against checked answers."""

from collections.abc import Iterator

import numpy as np

import anyk
from anyk.code import Code
from anyk.verbs.screen import OperandScreen, Screening
from benchmarks.screening.words import DTYPES, SIZES, Row

SIDE = 12
#: Matrices are drawn anew after so many trials.
_TRIALS_PER_PRODUCT = 50


def colluding(trials: int) -> Iterator[Row]:
    """Trials in which exactly the P - K workers were named who gave answers of one other product, by checking each."""
    codes = [anyk.codes.mds(threshold, workers) for workers, threshold in SIZES]
    for code in (*codes, anyk.codes.matdot(4, 18), anyk.codes.generalized_polydot(2, 2, 2, 18)):
        for dtype in DTYPES:
            yield {
                "code": code.name,
                "P": code.workers,
                "K": code.recovery_threshold,
                "dtype": dtype,
                "wrong": code.workers - code.recovery_threshold,
                "trials": trials,
                "named": _named(code, dtype, trials),
            }


def _named(code: Code, dtype: str, trials: int) -> int:
    rng, cut, named = np.random.default_rng(0), code.partition, 0
    spare = code.workers - code.recovery_threshold
    asked = Screening(spare, "checked", "random")
    for trial in range(trials):
        if trial % _TRIALS_PER_PRODUCT == 0:
            a, b, other = (
                rng.standard_normal((rows * SIDE, columns * SIDE)).astype(dtype)
                for rows, columns in ((cut.rows, cut.inner), (cut.inner, cut.cols), (cut.rows, cut.inner))
            )
            blocks, (false, _) = code.encode(a, b), code.encode(other, b)
            answers = [left @ right for left, right in zip(*blocks, strict=True)]
            wrong_answers = [left @ right for left, right in zip(false, blocks[1], strict=True)]
        liars = tuple(sorted(rng.permutation(code.workers)[:spare].tolist()))
        given = {w: (wrong_answers if w in liars else answers)[w] for w in range(code.workers)}
        named += OperandScreen(asked, code, (a, b), blocks, None, rng).suspects(given) == liars
    return named
