r"""Wrong answers that conspire: candidates where the pursuit cannot tell, because the errors are not independent.

Errors of one common cause, or of workers who agree on a false codeword, all look alike: the syndromes span few
directions, and no single row lies in them. Two ways find up to half as many wrong answers as there are checks:

*Locator* (codes with a frame). The answers are values of a trigonometric polynomial of K frequencies at P angles; t
wrong ones are the zeros of another one, Lambda, of t + 1 frequencies, and Lambda(theta_w) y_w is one of K + t
frequencies again. So the parity checks H of the longer code give linear equations, $H^T \mathrm{diag}(y) \Lambda = 0$;
where at most half the checks are wrong, every solution vanishes at every wrong answer. (Berlekamp and Welch's decoder,
in an orthonormal real basis.)

*Consensus* (any code). Draw as many answers as determine the rest; if none of them is wrong, the rest betrays the wrong
ones. Repeated until a miss has probability `MISS`; the number of draws grows exponentially, so there is a limit.
"""

from collections.abc import Iterator
from math import ceil, comb, log
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.bases import Frame, trigonometric
from anyk.screening.syndrome import Evidence, Flags

Array = NDArray[Any]

#: Probability that no draw of a consensus was free of wrong answers although draws were made to the end.
MISS = 1e-9

#: Where so many times more draws than allowed are needed, none is made.
_HOPELESS = 1000

#: Where a locator spoke, rounding alone can have misled it, and few draws make up for that.
_AFTER_A_LOCATOR = 10_000

#: Sets drawn and solved at a time; the most promising few of them are looked at closely.
_BATCH, _PROMISING = 256, 3


def candidates(evidence: Evidence, most: int, draws: int, rng: Generator) -> Iterator[Flags]:
    """Sets of answers that may be right, each without ``most`` finite ones, the likeliest first.

    Args:
        evidence: of all answers.
        most: how many may be wrong.
        draws: limit on the sets drawn.
        rng: where they come from.
    """
    words = _loudest(evidence)
    if evidence.code.positions is not None:
        yield from _located(evidence, words, most)
        draws = min(draws, _AFTER_A_LOCATOR)
    yield from _agreed(evidence, words, most, draws, rng)


def draws_needed(answers: int, checks: int, most: int) -> float:
    """How many draws leave a miss the probability `MISS`.

    >>> draws_needed(answers=20, checks=10, most=5)
    1265
    """
    free = comb(answers - most, answers - checks) / comb(answers, answers - checks)
    return 1 if free >= 1 else ceil(log(MISS) / log(1 - free)) if free > 1e-15 else float("inf")


def _loudest(evidence: Evidence) -> Array:
    """Combinations of words that carry the loud syndromes, shape (P, q), in units of rounding."""
    seen = evidence.syndrome(evidence.finite)
    loudest = np.argsort(seen.loudness)[::-1][: 4 * len(seen.words) + 4]
    _, sizes, mixing = np.linalg.svd(seen.words[:, loudest], full_matrices=False)
    loud = max(1, int((sizes > seen.limit).sum()))
    words: Array = evidence.measured(evidence.finite)[:, loudest] @ mixing[:loud].conj().T
    return words


def _without(evidence: Evidence, suspects: NDArray[np.intp]) -> Flags:
    believed = evidence.finite.copy()
    believed[suspects] = False
    return believed


def _located(evidence: Evidence, words: Array, most: int) -> Iterator[Flags]:
    code, places = evidence.code, np.flatnonzero(evidence.finite)
    threshold = code.exact_threshold + most
    if code.positions is None or threshold >= len(places):
        return
    checks, tasks = Frame(threshold, code.positions).checks, evidence.tasks[places]
    missing = np.delete(checks, tasks, axis=0)
    free = np.linalg.qr(missing.T, mode="complete")[0][:, len(missing) :]
    basis = trigonometric(most + 1, 1, code.positions)[:, tasks].T
    longer = checks[tasks] @ free
    equations = np.concatenate([(longer * word[:, None]).T @ basis for word in words[places].T])
    locator = np.linalg.svd(equations)[2][-1].conj()
    yield _without(evidence, places[np.argsort(abs(basis @ locator))[:most]])


def _agreed(evidence: Evidence, words: Array, most: int, draws: int, rng: Generator) -> Iterator[Flags]:
    places = np.flatnonzero(evidence.finite)
    checks = evidence.syndrome(evidence.finite).checks[places]
    count = len(places) - checks.shape[1]
    needed = draws_needed(len(places), checks.shape[1], most)
    if count < 1 or most < 1 or needed > _HOPELESS * draws:
        return
    generator = np.linalg.qr(checks.conj(), mode="complete")[0][:, checks.shape[1] :]
    given = words[places].astype(np.result_type(words, generator))
    for _ in range(0, int(min(draws, needed)), _BATCH):
        drawn = np.argsort(rng.random((_BATCH, len(places))), axis=1)[:, :count]
        # Sets that do not determine the rest would have singular systems; a touch of ridge makes them merely useless.
        systems = generator[drawn] + 1e-12 * np.eye(count)
        misses = abs(given - generator @ np.linalg.solve(systems, given[drawn])).max(axis=2)
        order = np.argsort(misses, axis=1)
        agreement = np.take_along_axis(misses, order[:, -most - 1 : -most], axis=1)[:, 0]
        for trial in np.argsort(agreement)[:_PROMISING]:
            yield _without(evidence, places[order[trial, -most:]])
