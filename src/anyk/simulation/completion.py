"""How long products took: the value that a simulation returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from anyk.errors import InputError
from anyk.simulation.strategy import Strategy

Array = NDArray[np.float64]

#: The quantiles that reports show.
QUANTILES = (0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True, eq=False)
class Completion:
    """When products were complete under one strategy, and what was worked for them.

    Args:
        strategy: which.
        workers: how many there were.
        seconds: until each product's last needed answer, shape (products,); infinite where it never comes.
        worker_seconds: worked by all workers for each product, until it was complete, shape (products,).
        used_seconds: the part of it that went into answers that were used, shape (products,).
        wrong: whether a wrong answer was used without notice, shape (products,).
    """

    strategy: Strategy
    workers: int
    seconds: Array = field(repr=False)
    worker_seconds: Array = field(repr=False)
    used_seconds: Array = field(repr=False)
    wrong: NDArray[np.bool_] = field(repr=False)

    @property
    def products(self) -> int:
        """How many were simulated."""
        return self.seconds.size

    @property
    def lost(self) -> float:
        """Share of the products that never complete."""
        return float(np.mean(np.isinf(self.seconds)))

    @property
    def spoilt(self) -> float:
        """Share of the products that hold a wrong answer without anybody's knowledge."""
        return float(np.mean(self.wrong))

    @property
    def mean(self) -> float:
        """Mean seconds of a product; infinite where any is lost."""
        return float(np.mean(self.seconds))

    @property
    def standard_error(self) -> float:
        """Of the mean: how far it may be from that of endlessly many products; NaN where any is lost."""
        return float(np.std(self.seconds) / sqrt(self.products)) if not self.lost else float("nan")

    @property
    def wasted(self) -> float:
        """Share of the workers' time that went into answers nobody used: lost, wrong, too late, or superfluous."""
        worked = float(np.sum(self.worker_seconds))
        return 1.0 - float(np.sum(self.used_seconds)) / worked if worked else 0.0

    def quantile(self, q: float) -> float:
        """The seconds within which this share of the products is complete; infinite where it never is.

        Args:
            q: from 0 to 1; an order statistic, so nothing is interpolated.

        Raises:
            InputError: no such share.
        """
        if not 0 <= q <= 1:
            raise InputError(f"`quantile({q})`: a share of the products is from 0 to 1, for example 0.99.")
        return float(np.quantile(self.seconds, q, method="inverted_cdf"))

    def as_dict(self) -> Mapping[str, object]:
        """Everything a script would ask, with None for what is infinite or unknown."""
        numbers = {
            "mean_seconds": self.mean,
            "standard_error_seconds": self.standard_error,
            "quantile_seconds": {f"{q:g}": _finite(self.quantile(q)) for q in QUANTILES},
            "lost": self.lost,
            "spoilt": self.spoilt,
            "worker_seconds": float(np.mean(self.worker_seconds)),
            "wasted": self.wasted,
        }
        return {
            "strategy": self.strategy.name,
            "workers": self.workers,
            "products": self.products,
            "tasks": self.strategy.tasks,
            "needed": self.strategy.needed,
            **{key: _finite(value) if isinstance(value, float) else value for key, value in numbers.items()},
        }

    def __repr__(self) -> str:
        told = ", ".join(f"{100 * q:g} % in {self.quantile(q):.3g} s" for q in QUANTILES[:3])
        return f"Completion({self.strategy.name!r}, {self.products} products on {self.workers} workers: {told})"


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
