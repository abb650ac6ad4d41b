r"""Level codes: MatDot-like tables whose blocks enter with weights of falling size, so that fewer answers suffice.

A block pair (a, b) reaches the product with weight tau_a / tau_b. Weights that fall with a suppress the junk above the
wanted term, and the answers need only tell apart what is left. Constant weights are an exact code (2m - 1 answers);
geometric ones are the published construction (m answers); a staircase of L steps lies between: m - 1 + ceil(m / L)
answers with an error of about lambda^(1/L), because rounding is amplified by the ratio of the highest to the lowest
step.

Legend: m = inner, k = results, P = workers, g = k - m + 1, lambda = relative error of one answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.bases import cosine, scattered, sine
from anyk.weights import Sets, System, survivor_sets

Table = NDArray[Any]
Profile = NDArray[np.float64]

#: Survivor sets on which candidates are first sifted, then ranked.
_SIFTED, _RANKED, _KEPT = 40, 200, 6


@dataclass(frozen=True, eq=False)
class Candidate:
    """One pair of tables.

    Args:
        words: family and parameter.
        left: table of A, shape (m, P).
        right: table of B, shape (m, P).
    """

    words: str
    left: Table
    right: Table

    def errors(self, sets: Sets, noise: float) -> NDArray[np.float64]:
        """Expected errors of survivor sets."""
        norms = np.linalg.norm(self.left, axis=0), np.linalg.norm(self.right, axis=0)
        return System((self.left / norms[0])[None], (self.right / norms[1])[:, None]).errors(sets, noise)


def candidates(m: int, k: int, workers: int, noise: float, *, geometric: bool) -> Iterator[Candidate]:
    """Every family at its natural parameters: the law fixes them up to a small factor.

    Args:
        m: inner blocks.
        k: results that must suffice.
        workers: P.
        noise: lambda.
        geometric: only weights that fall steadily, which lose accuracy gracefully.
    """
    g, pairs = k - m + 1, ceil(m / 2)
    for factor in (0.7, 1.0, 1.5, 2.2, 3.3, 5.0):
        ratio = factor * noise ** (1 / k)
        yield Candidate(f"powers, radius {ratio:.2g}", *_powers(m, workers, ratio))
        yield Candidate(f"Chebyshev, ratio {ratio:.2g}", *_chebyshev(m, workers, ratio ** np.arange(m)))
    for factor in (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0) if g > 1 else ():
        ratio = factor * noise ** (1 / (pairs + g // 2 - 1))
        yield Candidate(f"trigonometric, ratio {ratio:.2g}", *_carrier(m, workers, ratio ** np.arange(pairs)))
    if not geometric:
        yield from _staircases(m, g, pairs, workers, noise)


def _staircases(m: int, g: int, pairs: int, workers: int, noise: float) -> Iterator[Candidate]:
    families: list[tuple[str, Callable[[int, int, Profile], tuple[Table, Table]], int, int]] = [
        ("Chebyshev", _chebyshev, m, ceil(m / g))
    ]
    if g > 1:
        families.append(("trigonometric", _carrier, pairs, ceil(pairs / (g // 2))))
    for name, fill, groups, fewest in families:
        for steps in (fewest, fewest + 1) if fewest < groups else (fewest,):
            for factor in (1.0, 2.0, 4.0, 8.0):
                drop = factor * noise ** (1 / steps)
                weights = drop ** (np.arange(groups) * steps // groups)
                yield Candidate(f"{name}, {steps} steps of {drop:.2g}", *fill(m, workers, weights))


def ranked(
    given: Iterator[Candidate], draw: Callable[[int], Sets], score: Callable[[Candidate, Sets], float]
) -> list[Candidate]:
    """The candidates with the lowest scores, best first: all sifted on a few survivor sets, the best ranked on many."""
    few, many = draw(_SIFTED), draw(_RANKED)
    sifted = sorted(given, key=lambda each: score(each, few))[:_KEPT]
    return sorted(sifted, key=lambda each: score(each, many))


def random_sets(workers: int, results: int, count: int, *, seed: int) -> Sets:
    """All sets where there are few, else random ones without the contiguous one."""
    if comb(workers, results) <= count:
        return survivor_sets(workers, results, None, None)
    return survivor_sets(workers, results, count, np.random.default_rng(seed))[:-1]


# --- tables -----------------------------------------------------------------------------------------------------------


def _powers(m: int, workers: int, radius: float) -> tuple[Table, Table]:
    """The published construction: MatDot in powers, at equispaced points of a small radius."""
    points = radius * (2 * scattered(workers) - workers + 1) / max(1, workers - 1)
    table = points ** np.arange(m)[:, None]
    return table, table[::-1]


def _chebyshev(m: int, workers: int, weights: Profile) -> tuple[Table, Table]:
    """A_a on T_a, B_b on T_(m-1-b), wanted: the coefficient of T_(m-1); T_0 counts half."""
    table = cosine(np.outer(np.arange(m), 2 * scattered(workers) + 1), 2 * workers)
    table[0] /= 2
    return table * weights[:, None], table[::-1] / weights[:, None]


def _carrier(m: int, workers: int, weights: Profile) -> tuple[Table, Table]:
    """A on frequencies f, B on m - f, wanted: the coefficient of cos(m theta); the lowest frequency weighs most."""
    positions = scattered(workers)
    left, right = [], []
    for frequency, weight in zip(range(1 - m % 2, m, 2), weights, strict=True):
        high = (m - frequency) * positions
        if frequency == 0:
            left.append(weight * np.full(workers, np.sqrt(0.5)))
            right.append(cosine(high, workers) * np.sqrt(0.5) / weight)
        else:
            left += [weight * cosine(frequency * positions, workers), weight * sine(frequency * positions, workers)]
            right += [cosine(high, workers) / weight, -sine(high, workers) / weight]
    return np.array(left), np.array(right)
