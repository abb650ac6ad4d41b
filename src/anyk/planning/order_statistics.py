r"""Mean times of the k-th of P answers in closed form, for delay models that have one.

All workers draw alike and independently; a task takes a common time and a delay on top. With c copies of N products,
each product takes the least of c delays and the whole the largest of N of those.
"""

from functools import singledispatch
from math import comb, exp, inf, lgamma

from anyk.faults import Bimodal, FaultModel, Pareto, ShiftedExponential


@singledispatch
def mean_delay(delays: FaultModel | None, needed: int, workers: int, copies: int) -> float | None:
    """The mean delay of the answer that completes a product, in seconds; None where there is no closed form.

    Args:
        delays: of every worker; None: nobody is late.
        needed: k answers of ``workers``; with copies: the number N of products, ``workers`` = copies * N.
        workers: P.
        copies: c; above 1, one copy of each product is enough.

    >>> mean_delay(ShiftedExponential(shift=1.0, scale=1.0), 1, 4, 1)
    1.25
    """
    return 0.0 if delays is None else None


@mean_delay.register
def _(delays: ShiftedExponential, needed: int, workers: int, copies: int) -> float:
    """Exponential waits end one after the other: the j-th of P after another scale / (P - j + 1) on average."""
    tail = 0 if copies > 1 else workers - needed
    waits = sum(1 / count for count in range(tail + 1, tail + needed + 1)) / copies
    return delays.unit_seconds * (delays.shift + delays.scale * waits)


@mean_delay.register
def _(delays: Pareto, needed: int, workers: int, copies: int) -> float:
    """The least of c Pareto waits is one of shape c alpha."""
    tail, shape = (0 if copies > 1 else workers - needed), delays.shape * copies
    part = 1 / shape
    if tail + 1 <= part:
        return inf
    total = tail + needed
    ratio = lgamma(total + 1) + lgamma(tail + 1 - part) - lgamma(tail + 1) - lgamma(total + 1 - part)
    return delays.unit_seconds * delays.scale * exp(ratio)


@mean_delay.register
def _(delays: Bimodal, needed: int, workers: int, copies: int) -> float:
    """A straggler is awaited where fewer than k are none."""
    slow = delays.probability**copies
    tail = 0 if copies > 1 else workers - needed
    total = tail + needed
    enough = sum(comb(total, late) * slow**late * (1 - slow) ** (total - late) for late in range(tail + 1))
    return delays.unit_seconds * (1 + (delays.factor - 1) * (1 - enough))
