"""The families as the planner sees them: for which partitions they exist, how many answers they need, how one is built.

Legend: m, n, p = rows, inner, cols; arrays of one shape, one entry per draft.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk import codes
from anyk.code import Code
from anyk.codes._levels import QUICK
from anyk.codes.approximate_matdot import searched as searched_matdot
from anyk.codes.approximate_polydot import searched as searched_polydot

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Kind:
    """One family in one basis.

    Args:
        name: of the family, as in `anyk.codes.CATALOGUE`.
        basis: of the tables, or "".
        fits: whether there is such a code for partitions (m, n, p).
        threshold: answers needed for partitions (m, n, p); of approximate families: at most.
        build: makes the code of (m, n, p, results, workers, dtype).
        is_complex: real matrices become complex ones.
        is_approximate: fewer answers for an error known beforehand.
        quick: where tables are searched for: makes them with an eighth of the effort; else None.
    """

    name: str
    basis: str
    fits: Callable[[Ints, Ints, Ints], Mask]
    threshold: Callable[[Ints, Ints, Ints], Ints]
    build: Callable[..., Code]
    is_complex: bool = False
    is_approximate: bool = False
    quick: Callable[..., Code] | None = None

    @property
    def label(self) -> str:
        """Name and, where it is not the usual one, basis."""
        return self.name if self.basis in ("", "trigonometric") else f"{self.name} ({self.basis})"


# --- who exists where -------------------------------------------------------------------------------------------------


def _tall(m: Ints, n: Ints, p: Ints) -> Mask:
    return np.asarray((n == 1) & (p == 1) & (m > 1))


def _flat(m: Ints, n: Ints, p: Ints) -> Mask:
    return np.asarray((n == 1) & (p > 1))


def _deep(m: Ints, n: Ints, p: Ints) -> Mask:
    return np.asarray((n > 1) & (m * p == 1))


def _between(m: Ints, n: Ints, p: Ints) -> Mask:
    return np.asarray((n > 1) & (m * p > 1))


def _outer(m: Ints, n: Ints, p: Ints) -> Mask:
    return np.asarray((n == 1) & (m * p > 1))


def _apart(m: Ints, n: Ints, p: Ints) -> Ints:
    return m * p * (2 * n - 1)


def _shared(m: Ints, n: Ints, p: Ints) -> Ints:
    return m * n * p + n - 1


def _plain(m: Ints, n: Ints, p: Ints) -> Ints:
    return m * n * p


# --- how they are built -----------------------------------------------------------------------------------------------


def _mds(basis: str, m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.mds(m, workers, basis=basis, dtype=dtype)


def _polynomial(basis: str, m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.polynomial(m, p, workers, basis=basis, dtype=dtype)


def _matdot(basis: str, m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.matdot(n, workers, basis=basis, dtype=dtype)


def _bridging(basis: str, m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.generalized_polydot(m, n, p, workers, basis=basis, dtype=dtype)


def _polydot(basis: str, m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.polydot(m, n, p, workers, basis=basis, dtype=dtype)


def _random(m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.random_khatri_rao(m, p, workers, rng=0, dtype=dtype)


def _uncoded(m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.uncoded(m, n, p)


def _replication(m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.replication(m, n, p, copies=workers // (m * n * p))


def _fewer_deep(m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.approximate_matdot(n, workers, results=results, dtype=dtype)


def _fewer_between(basis: Any, m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return codes.approximate_polydot(m, n, p, workers, results=results, dtype=dtype, basis=basis)


def _quickly_deep(m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return searched_matdot(n, workers, results, dtype, "staircase", QUICK)


def _quickly_between(basis: Any, m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    return searched_polydot(m, n, p, workers, results, dtype, basis, QUICK)


def _archived(m: int, n: int, p: int, results: int, workers: int, dtype: str) -> Code:
    """The code of the archive with these numbers."""
    asked = (m, n, p, results, workers, dtype, "rms")
    keys = ("rows", "inner", "cols", "results", "workers", "dtype", "objective")
    names = (name for name, found in codes.archive().items() if tuple(getattr(found, key) for key in keys) == asked)
    return codes.load(next(names))


def _exact(name: str, fits: Any, threshold: Any, build: Any, bases: tuple[str, ...]) -> tuple[Kind, ...]:
    return tuple(
        Kind(name, basis, fits, threshold, partial(build, basis), is_complex=basis == "unit_circle") for basis in bases
    )


_BASES = ("trigonometric", "chebyshev", "unit_circle")

#: Without redundancy, then by copies, then the codes with any K answers. Powers of real points are for teaching.
UNCODED = Kind("uncoded", "", lambda m, n, p: m * n * p > 0, _plain, _uncoded)
REPLICATION = Kind("replication", "", lambda m, n, p: m * n * p > 0, _plain, _replication)
EXACT: tuple[Kind, ...] = (
    *_exact("mds", _tall, _plain, _mds, _BASES),
    *_exact("polynomial", _flat, _plain, _polynomial, _BASES),
    *_exact("matdot", _deep, _shared, _matdot, _BASES),
    *_exact("generalized_polydot", _between, _shared, _bridging, ("trigonometric", "unit_circle")),
    *_exact("polydot", _between, _apart, _polydot, _BASES),
    Kind("random_khatri_rao", "", _outer, _plain, _random),
)
APPROXIMATE: tuple[Kind, ...] = (
    Kind("approximate_matdot", "", _deep, _shared, _fewer_deep, is_approximate=True, quick=_quickly_deep),
    Kind(
        "approximate_polydot",
        "chebyshev",
        _between,
        _shared,
        partial(_fewer_between, "chebyshev"),
        quick=partial(_quickly_between, "chebyshev"),
        is_approximate=True,
    ),
    Kind(
        "approximate_polydot",
        "unit_circle",
        _between,
        _shared,
        partial(_fewer_between, "unit_circle"),
        quick=partial(_quickly_between, "unit_circle"),
        is_complex=True,
        is_approximate=True,
    ),
)
#: Found by search, for certain numbers only.
FOUND = Kind("found", "", lambda m, n, p: m < 0, _plain, _archived, is_approximate=True)
#: What `anyk.planning.choose` considers: the best conditioned basis of each family, in real arithmetic.
PLAIN: tuple[Kind, ...] = tuple(kind for kind in EXACT if kind.basis == "trigonometric" and kind.name != "polydot")
