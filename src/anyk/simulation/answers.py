"""When each worker's answer is there, for many products at once."""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from anyk.errors import InputError
from anyk.faults.base import FaultModel
from anyk.faults.many import Draws, fates_of


def answer_seconds(
    faults: FaultModel | None,
    *,
    seconds: ArrayLike,
    products: int,
    rng: Generator,
    scale: float = 1.0,
    alone: bool = False,
) -> NDArray[np.float64]:
    r"""Seconds from the start of each product until each worker's answer is there.

    A worker whose work takes s seconds answers after $s f + d$, f its slowdown and d its delay under the fault model;
    that is what the ``simulated`` engine does. Products are the model's rounds. Nobody computes a lost answer again.

    Args:
        faults: a model of `anyk.faults`; None: nothing ever happens.
        seconds: of work per worker, shape (workers,), at least 0. With models whose delay is the whole time of a task
            ("a task takes …"), 0.
        products: how many; at least 0.
        rng: decides everything; one number is drawn from it, the seed of the fates.
        scale: factor on every delay, for tasks of another size than the model's unit.
        alone: ask the model for every fate by itself: the very numbers that an engine opened with this seed draws, a
            thousand times as slow.

    Returns:
        Shape (products, workers), seconds; infinite where the worker crashes or falls silent. A wrong answer comes
        like a right one.

    Raises:
        InputError: ``seconds`` that are no list of durations, or a negative count.

    >>> from anyk.faults import SlowNodes
    >>> rng = np.random.default_rng(0)
    >>> answer_seconds(SlowNodes(ranks=(2,), factor=3.0), seconds=[1.0, 1.0, 1.0], products=2, rng=rng)
    array([[1., 1., 3.],
           [1., 1., 3.]])
    """
    work = durations("answer_seconds", seconds)
    if products < 0:
        raise InputError(f"`answer_seconds(products={products})`: a number of products is at least 0.")
    seed = int(rng.integers(2**63))
    times = np.empty((products, work.size))
    if faults is None:
        times[...] = work
        return times
    fates = fates_of(faults, Draws(seed, range(products), work.size), alone=alone)
    np.multiply(work, fates.slowdown, out=times)
    times += scale * np.asarray(fates.delay_seconds)
    times[np.broadcast_to(np.logical_or(fates.crashes, fates.stops), times.shape)] = np.inf
    return times


def durations(call: str, seconds: ArrayLike) -> NDArray[np.float64]:
    """Seconds of work per worker, or an error.

    Raises:
        InputError: not a list of finite numbers of at least 0.
    """
    work: NDArray[Any] = np.asarray(seconds, np.float64)
    if work.ndim != 1 or not work.size or not (np.isfinite(work) & (work >= 0)).all():
        raise InputError(
            f"`{call}(seconds={seconds!r})` is no work for workers: give each worker its seconds, a list of numbers "
            "of at least 0, for example np.full(16, 0.5)."
        )
    return work
