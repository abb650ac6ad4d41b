"""Thousands of products on thousands of workers, in a moment: when each would be complete."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from anyk.code import Code
from anyk.errors import InputError
from anyk.faults import PRESETS, FaultModel, Trace, preset
from anyk.simulation.again import after_crashes, after_wrong_answers, because_late
from anyk.simulation.answers import durations
from anyk.simulation.attempts import Array, Load
from anyk.simulation.completion import Completion
from anyk.simulation.in_jobs import in_jobs
from anyk.simulation.order import kth_smallest
from anyk.simulation.strategy import Strategy, strategy
from anyk.simulation.under_way import UnderWay

#: Products are simulated in blocks of about so many pieces of work: enough for speed, few enough for memory.
_BLOCK = 2_000_000

Progress = Callable[[int, int], None]


def simulate(
    given: str | Code | Strategy,
    *,
    workers: int | None = None,
    products: int = 1000,
    delays: FaultModel | str | None = None,
    seconds: float | ArrayLike = 1.0,
    equal_tasks: bool = False,
    extra: int = 0,
    screened: bool = True,
    retries: int = 1,
    job: bool = False,
    rng: Generator | int | None = None,
    progress: Progress | None = None,
) -> Completion:
    """How long products take under one strategy, from the job's rules on drawn times.

    All tasks of a product start together, one on a worker. What is counted is the workers' time and waiting for it:
    encoding, sending and decoding are not. With the same seed, strategies of as many tasks meet the same luck.

    Args:
        given: a code; a name (``"uncoded"``, ``"replication:2"``, ``"speculation"``, ``"matdot:4"``,
            ``"polynomial:8x8"``, see `anyk.simulation.strategy`); or a strategy.
        workers: how many; default: as many as the code has tasks. More than tasks are idle until something is lost.
        products: how many are simulated; at least 1.
        delays: a fault model, a name of `anyk.faults.PRESETS`, or a CSV file of recorded seconds (see
            `anyk.faults.Trace`); None: nothing ever happens. A model of whole task times (shifted exponential, Pareto,
            log-normal, bimodal, bursts, trace) is multiplied by the task's nominal time; another model's delays are
            added to it.
        seconds: nominal time of one worker's equal share of the uncoded product: one number, or one for each worker
            where they differ, shape (workers,).
        equal_tasks: every task takes that time, whatever the code; else a task takes as much longer as it holds more of
            the product: with matdot:4 on 10 workers, 10/4 times as long.
        extra: answers awaited beyond the recovery threshold, to find wrong ones with.
        screened: wrong answers are found when the answers suffice, thrown out, and computed again where too few right
            ones remain; else nobody notices them, and they are counted (``Completion.spoilt``).
        retries: how often one task is computed again after a crash or a wrong answer. A worker that falls silent is
            waited for.
        job: run a real `anyk.job.Job` for every product on the ``simulated`` engine, with the very same times; a code
            is then asked whether just these answers decode. About 10 microseconds for every task and product.
        rng: generator or seed; default: fresh randomness.
        progress: called with the products done and to be done.

    Returns:
        Completion times of all products.

    Raises:
        InputError: no such strategy or model, or counts and times out of range.

    >>> calm, stormy = (
    ...     simulate("matdot:4", workers=10, delays=name, rng=0).quantile(0.99)
    ...     for name in ("none", "dolly")
    ... )
    >>> calm, stormy
    (2.5, 2.5)
    >>> simulate("uncoded", workers=10, delays="dolly", rng=0).quantile(0.99)
    8.0
    """
    chosen = strategy(given, workers)
    count = chosen.tasks if workers is None else workers
    work = np.asarray(seconds, np.float64)
    work = durations("simulate", np.full(count, work) if work.ndim == 0 else work)
    _check(chosen, count, work.size, products, extra, retries)
    model = named(delays) if isinstance(delays, str) else delays
    size = 1.0 if equal_tasks else chosen.share * count
    load = Load(model, work, size, int(np.random.default_rng(rng).integers(2**63)))
    enough = partial(_enough, chosen)
    parts = []
    step = max(1, _BLOCK // count)
    spare = products
    for start in range(0, products, step):
        block = UnderWay.begun(load, range(start, min(start + step, products)), spare, chosen.tasks)
        horizon = np.full(len(block.times), np.inf)
        if not (job or chosen.speculation or (screened and block.wrong.any())):
            horizon = enough(block.times, extra=extra)
        after_crashes(block, retries, horizon)
        if chosen.speculation is not None:
            because_late(block, chosen.speculation)
        done = enough(block.times, extra=extra)
        if extra:
            done = np.minimum(done, np.maximum(enough(block.times), block.ended(silent=np.inf)))
        if screened and block.wrong.any():
            done = after_wrong_answers(block, retries, enough, done)
        if job:
            done = in_jobs(chosen, given if isinstance(given, Code) else None, block, extra, retries, screened)
        parts.append((done, *_worked(chosen, block, done), _spoilt(block, done, screened)))
        spare = block.spare
        if progress is not None:
            progress(min(start + step, products), products)
    return Completion(chosen, count, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def named(delays: str) -> FaultModel:
    """A preset by name, or the recorded delays of a file.

    Raises:
        InputError: neither; or a line of the file holds no delays.
    """
    head = delays.partition(":")[0]
    if head in PRESETS or not (Path(delays).exists() or "." in head):
        return preset(delays)
    return Trace(delays)


def _check(chosen: Strategy, workers: int, given: int, products: int, extra: int, retries: int) -> None:
    call = f"simulate({chosen.name!r}, workers={workers}"
    if given != workers:
        raise InputError(f"`{call}, seconds=...)`: {given} times for {workers} workers. Give one, or one each.")
    if products < 1 or extra < 0 or retries < 0:
        raise InputError(
            f"`{call}, products={products}, extra={extra}, retries={retries})`: simulate 1 or more products; the other "
            "counts are at least 0."
        )
    if chosen.needed + extra > chosen.tasks:
        raise InputError(
            f"`{call}, extra={extra})`: {chosen.needed} + {extra} answers can never come from {chosen.tasks} tasks. "
            "Use a smaller `extra`, or a code with a lower threshold."
        )


def _enough(chosen: Strategy, times: Array, *, extra: int = 0) -> Array:
    """When the answers suffice, as the stop rule ``first_threshold(extra)`` has it."""
    if not chosen.copies:
        return kth_smallest(times, chosen.needed + extra)
    blocks = times.reshape(len(times), chosen.copies, -1)
    covered: Array = (blocks.min(axis=1) if chosen.copies > 1 else blocks[:, 0]).max(axis=1)
    return np.maximum(covered, kth_smallest(times, chosen.needed + extra)) if extra else covered


def _worked(chosen: Strategy, block: UnderWay, done: Array) -> tuple[Array, Array]:
    """Seconds worked for each product until it was done (a lost one: until nothing was under way), and used."""
    until = np.where(np.isfinite(done), done, block.ended(silent=0.0))[:, None]
    if chosen.speculation is not None:  # whoever is second is stopped
        until = np.minimum(block.times, until)
    worked = np.minimum(block.first.ends, until).sum(axis=1)
    for again in block.story:
        limit = np.broadcast_to(until, block.times.shape)[again.rows, again.tasks]
        took = np.clip(limit - again.since, 0.0, again.attempts.ends[:, 0])
        worked += np.bincount(again.rows, took, len(worked))
    return worked, _used(chosen, block, done)


def _used(chosen: Strategy, block: UnderWay, done: Array) -> Array:
    """Seconds that went into answers used: with copies the first of each block, else all that came in time."""
    took = np.where(block.times <= done[:, None], block.times - block.since, 0.0)
    took[np.isinf(done)] = 0.0
    if chosen.copies > 1:
        blocks = block.times.reshape(len(done), chosen.copies, -1)
        first = blocks.argmin(axis=1)[:, None]
        took = np.take_along_axis(took.reshape(blocks.shape), first, axis=1)[:, 0]
    used: Array = took.sum(axis=1)
    return used


def _spoilt(block: UnderWay, done: Array, screened: bool) -> np.ndarray:
    if screened:
        return np.zeros(done.size, bool)
    return (block.wrong & (block.times <= done[:, None])).any(axis=1) & np.isfinite(done)
