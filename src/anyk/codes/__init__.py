"""Every code family, one function per file, and the table that lists them.

A family is a function that returns a `Code`. To add one: write its file, add its row to `CATALOGUE`; the command line,
the contract tests and the documentation's tables pick it up from there.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from anyk.code import Code
from anyk.codes._archive import Found, archive, load
from anyk.codes._transposed import transposed
from anyk.codes.approximate_matdot import approximate_matdot
from anyk.codes.approximate_polydot import approximate_polydot
from anyk.codes.generalized_polydot import generalized_polydot
from anyk.codes.matdot import matdot
from anyk.codes.mds import mds
from anyk.codes.polydot import polydot
from anyk.codes.polynomial import polynomial
from anyk.codes.random_khatri_rao import random_khatri_rao
from anyk.codes.replication import replication
from anyk.codes.uncoded import uncoded

__all__ = [
    "CATALOGUE",
    "Family",
    "Found",
    "approximate_matdot",
    "approximate_polydot",
    "archive",
    "generalized_polydot",
    "load",
    "matdot",
    "mds",
    "polydot",
    "polynomial",
    "random_khatri_rao",
    "replication",
    "transposed",
    "uncoded",
]


@dataclass(frozen=True)
class Family:
    """One row of the catalogue.

    Args:
        function: builds the code.
        description: one line for a person.
        threshold: recovery threshold, as a formula for a person.
        example: small arguments that make a code with some redundancy where the family has any; tests and docs use
            them.
    """

    function: Callable[..., Code]
    description: str
    threshold: str
    example: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The function's parameters by name."""
        return inspect.signature(self.function).parameters


#: Every family by name.
CATALOGUE: Mapping[str, Family] = MappingProxyType(
    {
        "uncoded": Family(
            uncoded, "every block product once: no redundancy", "rows*inner*cols", {"rows": 2, "inner": 2, "cols": 2}
        ),
        "replication": Family(
            replication,
            "every block product several times",
            "P - copies + 1",
            {"rows": 2, "inner": 1, "cols": 2, "copies": 2},
        ),
        "mds": Family(mds, "A coded by rows, B as it is: for vectors and narrow B", "rows", {"rows": 4, "workers": 6}),
        "polynomial": Family(
            polynomial, "A by rows, B by columns: small answers", "rows*cols", {"rows": 2, "cols": 3, "workers": 8}
        ),
        "matdot": Family(
            matdot,
            "the inner dimension cut: few answers, each as large as C",
            "2*inner - 1",
            {"inner": 4, "workers": 10},
        ),
        "polydot": Family(
            polydot,
            "all three dimensions cut, with digits kept apart",
            "rows*cols*(2*inner - 1)",
            {"rows": 2, "inner": 2, "cols": 1, "workers": 8},
        ),
        "generalized_polydot": Family(
            generalized_polydot,
            "all three dimensions cut: from polynomial to matdot",
            "rows*inner*cols + inner - 1",
            {"rows": 2, "inner": 2, "cols": 2, "workers": 12},
        ),
        "approximate_matdot": Family(
            approximate_matdot,
            "fewer answers than MatDot, for an error known beforehand",
            "results",
            {"inner": 4, "workers": 8, "results": 5},
        ),
        "approximate_polydot": Family(
            approximate_polydot,
            "fewer answers than Generalized PolyDot, for an error known beforehand",
            "results",
            {"rows": 2, "inner": 2, "cols": 1, "workers": 7, "results": 4},
        ),
        "random_khatri_rao": Family(
            random_khatri_rao,
            "random combinations: for many missing workers",
            "rows*cols",
            {"rows": 2, "cols": 3, "workers": 12, "rng": 0},
        ),
    }
)
