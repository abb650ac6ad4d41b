r"""Level codes: MatDot-like tables whose blocks enter with weights of falling size, so that fewer answers suffice.

A block pair (a, b) reaches the product with weight tau_a / tau_b. Weights that fall with a suppress the junk above the
wanted term, and the answers need only tell apart what is left. Constant weights are an exact code (2m - 1 answers);
geometric ones are the published construction (m answers); a staircase of L steps lies between: m - 1 + ceil(m / L)
answers with an error of about lambda^(1/L), because rounding is amplified by the ratio of the highest to the lowest
step. Blocks that share a step number at most g = k - m + 1.

On the circle blocks come in pairs, a cosine and a sine; steps of an odd size take one more block from elsewhere
(`_anchored`).

Legend: m = inner, k = results, P = workers, g = k - m + 1, lambda = relative error of one answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, comb
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anyk.bases import cosine, scattered, sine
from anyk.errors import CodeError
from anyk.partition import Partition
from anyk.weights import Sets, System, survivor_sets

Table = NDArray[Any]
Profile = NDArray[np.float64]

#: Two copies of each block reach this error from as many answers as there are blocks.
WORST_BETTER_THAN_COPIES = 0.4

#: From so many blocks on, powers are worse than Chebyshev polynomials at every radius.
_POWERS_END = 10


@dataclass(frozen=True)
class Effort:
    """On how many survivor sets tables are compared.

    Args:
        sifted: sets on which all candidates are scored.
        kept: candidates that remain.
        ranked: sets on which these are scored.
        fresh: other sets, from which the error of the best is told.
        formula: sets on which the few candidates of a formula are scored.
        exact: sets that say from how many answers on the tables decode to rounding.
    """

    sifted: int = 40
    kept: int = 6
    ranked: int = 200
    fresh: int = 400
    formula: int = 100
    exact: int = 40


THOROUGH = Effort()

#: For a look at many codes: an eighth of the time; the tables chosen may be a little worse, the error told less sure.
QUICK = Effort(sifted=5, kept=3, ranked=20, fresh=50, formula=10, exact=5)


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
    for factor in (0.7, 0.8, 0.9, 1.0, 1.12, 1.25, 1.4, 1.6, 1.8, 2.0, 2.5, 3.3, 5.0):
        ratio = factor * noise ** (1 / k)
        if m < _POWERS_END:
            yield Candidate(f"powers, radius {ratio:.2g}", *_powers(m, workers, ratio))
        yield Candidate(f"Chebyshev, ratio {ratio:.2g}", *_chebyshev(m, workers, ratio ** np.arange(m)))
    for factor in (0.5, 0.7, 0.85, 1.0, 1.2, 1.45, 2.0, 2.8, 4.0) if g > 1 else ():
        ratio = factor * noise ** (1 / (pairs + g // 2 - 1))
        yield Candidate(f"trigonometric, ratio {ratio:.2g}", *_carrier(m, workers, ratio ** np.arange(pairs)))
    if not geometric:
        yield from _staircases(m, g, pairs, workers, noise)


def _staircases(m: int, g: int, pairs: int, workers: int, noise: float) -> Iterator[Candidate]:
    for steps in _near(ceil(m / g), m):
        for factor in (1.0, 2.0, 4.0, 8.0):
            drop = factor * noise ** (1 / steps)
            words = f"Chebyshev, {steps} steps of {drop:.2g}"
            yield Candidate(words, *_chebyshev(m, workers, _stairs(m, steps, drop)))
    for steps in _near(ceil(pairs / (g // 2)), pairs) if g > 1 else ():
        for slope in (1.0, 0.7, 0.5):
            for factor in (1.0, 1.5, 2.5, 4.0):
                drop = factor * noise ** (1 / steps)
                words = f"trigonometric, {steps} steps of {drop:.2g}, slope {slope:.2g}"
                yield Candidate(words, *_carrier(m, workers, _stairs(pairs, steps, drop, slope)))
    if g > 1 and g % 2:
        yield from _anchored_staircases(m, ceil(m / g), workers, noise)


def _anchored_staircases(m: int, fewest: int, workers: int, noise: float) -> Iterator[Candidate]:
    anchored = 1 if m % 2 else 2
    pairs = (m - anchored) // 2
    for steps in (fewest, fewest + 1):
        for slope, factor in ((1.0, 1.0), (0.7, 1.0), (1.0, 1.5), (0.7, 1.5), (1.0, 2.5), (0.7, 2.5)):
            drop = factor * noise ** (1 / steps)
            own = drop ** ((np.arange(anchored) + 0.5) / anchored * steps - 0.5)
            for size in (1.0, 0.5):
                words = f"trigonometric with an anchor, {steps} steps of {drop:.2g}, slope {slope:.2g}"
                yield Candidate(words, *_anchored(m, workers, _stairs(pairs, steps, drop, slope), own, size))


def _near(fewest: int, most: int) -> tuple[int, ...]:
    """The fewest steps that do, and one more."""
    return (fewest, fewest + 1) if fewest < most else (fewest,)


def _stairs(count: int, steps: int, drop: float, slope: float = 1.0) -> Profile:
    """Weights that fall by ``drop`` from step to step and, within one, by ``slope`` from place to place.

    A slope takes from those pairs of blocks that lie farthest apart and err most, and gives to the noise: 5 to 40 % of
    the error of flat steps where steps are of two to five places, less where they are of more.
    """
    levels = np.arange(count) * steps // count
    places = np.arange(count) - np.searchsorted(levels, levels)
    return drop**levels * slope**places


def ranked(
    given: Iterator[Candidate],
    draw: Callable[[int], Sets],
    score: Callable[[Candidate, Sets], float],
    effort: Effort = THOROUGH,
) -> list[Candidate]:
    """The candidates with the lowest scores, best first: all sifted on a few survivor sets, the best ranked on many."""
    few, many = draw(effort.sifted), draw(effort.ranked)
    sifted = sorted(given, key=lambda each: score(each, few))[: effort.kept]
    return sorted(sifted, key=lambda each: score(each, many))


def random_sets(workers: int, results: int, count: int, *, seed: int) -> Sets:
    """All sets where there are few, else random ones without the contiguous one."""
    if comb(workers, results) <= count:
        return survivor_sets(workers, results, None, None)
    return survivor_sets(workers, results, count, np.random.default_rng(seed))[:-1]


def ensure_integers(call: str, **counts: object) -> None:
    """Raise unless every count is an integer.

    Raises:
        CodeError: one is not.
    """
    for name, count in counts.items():
        if type(count) is not int:
            raise CodeError(f"`{call}` needs `{name}` to be an integer, not {count!r}.")


def refuse_if_copies_do(call: str, cut: Partition, workers: int, results: int, error: float, dtype: DTypeLike) -> None:
    """Raise if two copies of every block product would err as little, from as many random answers.

    Raises:
        CodeError: they would.
    """
    copies = workers // cut.products
    # a product is missing when none of its copies is among the results
    missing = comb(max(0, workers - copies), results) / comb(workers, results) if copies > 1 else 1.0
    if error >= min(missing**0.5, WORST_BETTER_THAN_COPIES):
        raise CodeError(
            f"`{call}` would have a relative error of {error:.1g} in {dtype}, no better than copies of each block. Use "
            f"replication({cut.rows}, {cut.inner}, {cut.cols}, copies=2) on {2 * cut.products} workers, "
            f"more results (up to {cut.products + cut.inner - 2}), or a wider dtype."
        )


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


def _anchored(m: int, workers: int, weights: Profile, own: Profile, size: float) -> tuple[Table, Table]:
    """The carrier beside one or two blocks that live at the angle zero, on powers of s = sin(theta).

    Carriers take the factor s^r, r blocks of their own the lower powers: one block on 1, its partner on 1; or two on s
    and cos(theta), their partners on cos(theta) and s. At zero, the products of partners have the coefficient of
    s^(r-1) to themselves; at the highest frequency, m + r - 1 + ..., the carriers have theirs. So every step of the
    staircase can hold pairs of frequencies and one power of s, an odd number, and no answer is lost to the wave beside
    the carrier. No task stands at zero, where s vanishes.

    Args:
        m: inner blocks; m - r is even.
        workers: P.
        weights: of the pairs of frequencies.
        own: of the blocks at zero, shape (r,), r = 1 or 2.
        size: of the blocks at zero beside the others; only the balance of errors depends on it.
    """
    positions, anchored = 2 * scattered(workers) + 1, len(own)
    carried = m - anchored

    def wave(frequency: int) -> tuple[Table, Table]:
        return cosine(frequency * positions, 2 * workers), sine(frequency * positions, 2 * workers)

    cos, sin = wave(1)
    left = [np.ones(workers)] if anchored == 1 else [sin, cos]
    right = left[::-1]
    left = [size * weight * each for weight, each in zip(own, left, strict=True)]
    right = [size / weight * each for weight, each in zip(own, right, strict=True)]
    for frequency, weight in zip(range(1, carried, 2), weights, strict=True):
        left += [weight * sin**anchored * each for each in wave(frequency)]
        high, low = wave(carried - frequency)
        right += [sin**anchored * high / weight, -(sin**anchored) * low / weight]
    return np.array(left), np.array(right)
