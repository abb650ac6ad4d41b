"""Of random trials, how many end with every wrong answer named, by size of the code, number and kind of errors."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

import anyk
from anyk.screening import Model
from benchmarks.screening.words import DEPENDENT, DTYPES, INDEPENDENT, SIZES, Row, outcome, spoilt, word

#: Products are made anew after so many trials.
_TRIALS_PER_WORD = 50


@dataclass(frozen=True)
class Part:
    """Which cells of a table to fill.

    Args:
        trials: in each cell.
        workers: numbers of workers P, from least to most.
        wrong: numbers of wrong answers, from least to most.
        dtypes: of the answers.
        errors: kinds of errors; empty: all.
        is_known: whether a cell, given by the beginning of its row, need not be filled.
    """

    trials: int = 1000
    workers: tuple[int, int] = (8, 40)
    wrong: tuple[int, int] = (1, 40)
    dtypes: tuple[str, ...] = DTYPES
    errors: tuple[str, ...] = ()
    is_known: Callable[[Row], bool] = lambda row: False


def found(part: Part) -> Iterator[Row]:
    """Independent errors: up to P - K - 1 of them, which is promised, and one more."""
    return _rows(part, INDEPENDENT, "random", beyond=1)


def conspiracies(part: Part) -> Iterator[Row]:
    """Errors that depend on one another: workers who agree on a false codeword, and errors with one cause."""
    return _rows(part, DEPENDENT, "adversarial", beyond=0)


def _rows(part: Part, kinds: tuple[str, ...], model: Model, beyond: int) -> Iterator[Row]:
    for workers, threshold in SIZES:
        code = anyk.codes.mds(threshold, workers)
        promised = code.wrong_answers_correctable(workers, model=model)
        if not part.workers[0] <= workers <= part.workers[1]:
            continue
        for dtype in part.dtypes:
            for kind in part.errors or kinds:
                for wrong in range(part.wrong[0], min(part.wrong[1], promised + beyond) + 1):
                    cell: Row = {"P": workers, "K": threshold, "dtype": dtype, "errors": kind, "wrong": wrong}
                    if not part.is_known(cell):
                        seen = _tally(code, dtype, kind, wrong, model, part.trials)
                        outcomes = {each: seen[each] for each in ("named", "unseen", "declared", "silent")}
                        yield {**cell, "trials": part.trials, **outcomes}


def _tally(code: anyk.Code, dtype: str, kind: str, wrong: int, model: Model, trials: int) -> Counter[str]:
    """Outcomes of one cell; it has a seed of its own, so that tables can be filled in parts."""
    rng = np.random.default_rng([code.workers, wrong, *dtype.encode(), *kind.encode()])
    seen: Counter[str] = Counter()
    for trial in range(trials):
        if trial % _TRIALS_PER_WORD == 0:
            answers, other = word(code, rng, dtype), word(code, rng, dtype)
        tasks = rng.permutation(code.workers)[:wrong].tolist()
        seen[outcome(code, answers, spoilt(answers, other, tasks, kind, rng), model, rng)] += 1
    return seen
