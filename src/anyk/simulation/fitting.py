"""Laws fitted to recorded task times, and how far each is from them: in the body, and in the tail."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.errors import InputError
from anyk.faults import Bimodal, FaultModel, LogNormal, Pareto, ShiftedExponential, Trace

Array = NDArray[np.float64]

#: Fewer times tell nothing of a law.
LEAST = 20
#: Where the tail is compared.
TAIL = 0.999
#: So many times, drawn from all, are asked whether a law can be theirs.
_ENOUGH = 4096
#: Two values that went through a logarithm count as one.
_ROUND = 1 - 1e-9


@dataclass(frozen=True)
class Fitted:
    """One law, fitted by maximum likelihood.

    Args:
        name: of the family, as in `anyk.faults.FAULTS`.
        model: replays it, in seconds.
        distance: the largest difference of the fitted and the recorded distribution function (Kolmogorov and Smirnov).
        p_value: how often samples of the fitted law, fitted anew, are as far from their fit or farther. Small: the law
            is not that of the recording (of 4096 of its times, where there are more). Every simple law is refuted by
            enough times; then look at the tail.
        tail_seconds: the time within which the law has 99.9 % of the tasks.
    """

    name: str
    model: FaultModel
    distance: float
    p_value: float
    tail_seconds: float


@dataclass(frozen=True, eq=False)
class Fits:
    """What a recording looks like.

    Args:
        laws: nearest first.
        times: recorded, ascending, seconds.
        rounds_differ: p-value of equal rounds (Kruskal and Wallis): small where some products were slow as a whole.
        workers_differ: p-value of equal workers: small where some workers are slower for good.
    """

    laws: tuple[Fitted, ...]
    times: Array = field(repr=False)
    rounds_differ: float
    workers_differ: float

    @property
    def best(self) -> Fitted:
        """The nearest law."""
        return self.laws[0]

    @property
    def tail_seconds(self) -> float:
        """The recorded time within which 99.9 % of the tasks were done."""
        return float(np.quantile(self.times, TAIL, method="inverted_cdf"))

    def as_dict(self) -> Mapping[str, object]:
        """For scripts."""
        return {
            "times": self.times.size,
            "median_seconds": float(np.median(self.times)),
            "tail_seconds": self.tail_seconds,
            "rounds_differ_p": self.rounds_differ,
            "workers_differ_p": self.workers_differ,
            "laws": [
                {
                    "name": law.name,
                    "model": repr(law.model),
                    "distance": law.distance,
                    "p_value": law.p_value,
                    "tail_seconds": law.tail_seconds,
                }
                for law in self.laws
            ],
        }


def fit(
    recorded: str | PurePath | Sequence[Sequence[float]] | Trace,
    *,
    rng: Generator | int | None = 0,
    replicates: int = 99,
) -> Fits:
    """Fit the delay laws of `anyk.faults` to recorded task times.

    The shifted exponential, the Pareto law and the log-normal law are fitted in closed form; the bimodal one as two
    log-normal heaps of one width, whose medians are then its two values. None of them knows of rounds in which many
    are late together, or of workers that are slow for good: ``rounds_differ`` and ``workers_differ`` say whether the
    recording does. `anyk.faults.Trace` replays it as it is.

    Args:
        recorded: a CSV file, rows of seconds (one per product, one column per worker), or a trace.
        rng: of the goodness of fit.
        replicates: samples drawn from each law for its p-value; at least 19.

    Returns:
        The laws, nearest first.

    Raises:
        InputError: no such file, a line that holds no times, fewer than 20 times, times of 0, or all alike.

    >>> rows = 0.5 + np.random.default_rng(0).exponential(0.2, (50, 8))
    >>> found = fit(rows.tolist())
    >>> found.best.name, found.best.p_value > 0.05
    ('shifted-exponential', True)
    """
    trace = recorded if isinstance(recorded, Trace) else Trace(recorded)
    rows = trace.unit_seconds * np.array(trace.rows)
    times = np.sort(rows, axis=None)
    if times.size < LEAST or not 0 < times[0] < times[-1]:
        raise InputError(
            f"`fit` of {times.size} times from {times[0]:g} to {times[-1]:g} s tells nothing: {LEAST} or more are "
            "needed, all above 0 and not all alike. Record more products."
        )
    if replicates < 19:
        raise InputError(f"`fit(replicates={replicates})`: at least 19 are needed to see a p-value of 0.05.")
    rng = np.random.default_rng(rng)
    laws = [_fitted(name, family, times, rng, replicates) for name, family in _LAWS.items()]
    return Fits(tuple(sorted(laws, key=lambda law: law.distance)), times, _differ(rows), _differ(rows.T))


@dataclass(frozen=True)
class _Law:
    """One family: its parameters from ascending times, its distribution, and the model that replays it."""

    estimate: Callable[[Array], tuple[float, ...]]
    below: Callable[[Array, tuple[float, ...]], Array]
    quantile: Callable[[Array, tuple[float, ...]], Array]
    model: Callable[[tuple[float, ...]], FaultModel]


def _fitted(name: str, law: _Law, times: Array, rng: Generator, replicates: int) -> Fitted:
    found = law.estimate(times)
    some = times if times.size <= _ENOUGH else np.sort(rng.choice(times, _ENOUGH, replace=False))
    own = law.estimate(some)
    asked, worse = _distance(some, law, own), 0
    for _ in range(replicates):
        sample = np.sort(law.quantile(rng.random(some.size), own))
        worse += sample[0] < sample[-1] and _distance(sample, law, law.estimate(sample)) >= asked
    tail = float(law.quantile(np.array([TAIL]), found)[0])
    return Fitted(name, law.model(found), _distance(times, law, found), (1 + worse) / (1 + replicates), tail)


def _distance(times: Array, law: _Law, found: tuple[float, ...]) -> float:
    """Between the steps of the recorded distribution function and the fitted one, on both sides of each step."""
    steps, counts = np.unique(times, return_counts=True)
    high = np.cumsum(counts) / times.size
    low = high - counts / times.size
    at, before = law.below(steps, found), law.below(steps * (1 - 1e-7), found)
    return float(max(abs(high - at).max(), abs(low - before).max()))


def _differ(rows: Array) -> float:
    """Whether rows come from one law, by ranks; NaN where that cannot be asked."""
    if min(rows.shape) < 2 or np.ptp(rows) == 0:
        return float("nan")
    return float(_stats().kruskal(*rows).pvalue)


# --- the laws: parameters in seconds ----------------------------------------------------------------------------------


def _stats() -> Any:
    """SciPy's distributions, loaded when first asked for: importing anyk is to take no longer for them."""
    from scipy import stats

    return stats


def _special() -> Any:
    """SciPy's special functions, likewise."""
    from scipy import special

    return special


def _exponential(times: Array) -> tuple[float, ...]:
    """Least time and mean wait."""
    return float(times[0]), float(times.mean() - times[0])


def _pareto(times: Array) -> tuple[float, ...]:
    """Least time and shape."""
    return float(times[0]), float(1 / np.log(times / times[0]).mean())


def _log_normal(times: Array) -> tuple[float, ...]:
    """Median and spread of the logarithm."""
    logs = np.log(times)
    return float(np.exp(logs.mean())), float(logs.std())


def _bimodal(times: Array) -> tuple[float, ...]:
    """Both values and the probability of the larger: two normal heaps of logarithms, the likelier from two starts."""
    logs = np.log(times)
    _, low, high, share = max(_heaps(logs, high) for high in (float(logs[-1]), float(np.quantile(logs, 0.8))))
    return float(np.exp(low)), float(np.exp(max(low, high))), share


def _heaps(logs: Array, high: float) -> tuple[float, float, float, float]:
    """Log-likelihood, both means and the share of the second, by expectation-maximization from one start."""
    low, share, width, likelihood = float(np.median(logs)), 0.1, float(logs.std()), -np.inf
    for _ in range(200):
        odds = _special().logit(share) + ((logs - low) ** 2 - (logs - high) ** 2) / (2 * width**2)
        of_low = np.log1p(-share) - (logs - low) ** 2 / (2 * width**2) - np.log(width)
        before, likelihood = likelihood, float(np.sum(of_low + np.logaddexp(0.0, odds)))
        if likelihood - before < 1e-9 * abs(likelihood):
            break
        of_high = _special().expit(odds)
        share = float(np.clip(of_high.mean(), 1e-9, 1 - 1e-9))
        low, high = (float(np.average(logs, weights=weights)) for weights in (1 - of_high + 1e-12, of_high + 1e-12))
        variance = ((1 - of_high) * (logs - low) ** 2 + of_high * (logs - high) ** 2).mean()
        width = max(float(np.sqrt(variance)), 1e-6)
    return (likelihood, low, high, share) if low <= high else (likelihood, high, low, 1 - share)


_LAWS: Mapping[str, _Law] = {
    "shifted-exponential": _Law(
        _exponential,
        lambda x, p: -np.expm1(-np.maximum(x - p[0], 0.0) / p[1]),
        lambda q, p: p[0] - p[1] * np.log1p(-q),
        lambda p: ShiftedExponential(p[0] / sum(p), p[1] / sum(p), unit_seconds=sum(p)),
    ),
    "pareto": _Law(
        _pareto,
        lambda x, p: 1 - (p[0] / np.maximum(x, p[0])) ** p[1],
        lambda q, p: p[0] * (1 - q) ** (-1 / p[1]),
        lambda p: Pareto(shape=max(p[1], 0.1), unit_seconds=p[0]),
    ),
    "log-normal": _Law(
        _log_normal,
        lambda x, p: _stats().norm.cdf(np.log(x / p[0]) / p[1]),
        lambda q, p: p[0] * np.exp(p[1] * _stats().norm.ppf(q)),
        lambda p: LogNormal(sigma=p[1], unit_seconds=p[0]),
    ),
    "bimodal": _Law(
        _bimodal,
        lambda x, p: np.where(x >= p[1] * _ROUND, 1.0, np.where(x >= p[0] * _ROUND, 1 - p[2], 0.0)),
        lambda q, p: np.where(q < 1 - p[2], p[0], p[1]),
        lambda p: Bimodal(probability=p[2], factor=p[1] / p[0], unit_seconds=p[0]),
    ),
}
