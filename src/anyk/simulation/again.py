"""Tasks computed again: after a crash, after a wrong answer, and because they are late."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anyk.simulation.attempts import Array, Flags, Ranks
from anyk.simulation.speculation import Speculation
from anyk.simulation.under_way import UnderWay

#: When answers suffice: times of tasks (infinite where none comes), shape (products, tasks) -> shape (products,).
Enough = Callable[[Array], Array]


def after_crashes(products: UnderWay, retries: int, horizon: Array) -> None:
    """Send again what crashed workers owed, in the order of the losses, each task up to ``retries`` times.

    Args:
        products: with first attempts only.
        retries: at least 0.
        horizon: losses from then on do not matter, shape (products,), seconds.
    """
    crashes = np.where(products.first.crash_seconds < horizon[:, None], products.first.crash_seconds, np.inf)
    most = int(np.isfinite(crashes).sum(axis=1).max(initial=0))
    if not (most and retries):
        return
    # One column per first loss, in order; and the same columns for the losses of the attempts that made them good.
    tasks = np.argsort(crashes, axis=1, kind="stable")[:, :most]
    levels = [_Losses(np.take_along_axis(crashes, tasks, axis=1), tasks[:, :, None], tasks)]
    for level in range(1, retries):
        failed = np.zeros((*tasks.shape, level + 1), np.intp)
        levels.append(_Losses(np.full(tasks.shape, np.inf), failed, np.zeros(tasks.shape, np.intp)))
    while True:
        earliest = np.stack([losses.times.min(axis=1) for losses in levels])
        now, level_of = earliest.min(axis=0), earliest.argmin(axis=0)
        if not (now < horizon).any():
            return
        for level, losses in enumerate(levels):
            rows = np.flatnonzero((now < horizon) & (level_of == level))
            if rows.size:
                _make_good(products, tasks, losses, rows, *levels[level + 1 : level + 2])


@dataclass(frozen=True, eq=False)
class _Losses:
    """Losses to be made good: when, shape (products, losses), who lost the task, shape (…, workers), in which turn."""

    times: Array
    failed: Ranks
    turns: Ranks


def _make_good(products: UnderWay, tasks: Ranks, losses: _Losses, rows: Ranks, *then: _Losses) -> None:
    """The earliest loss of each of these products; if the new attempt crashes too, that is a loss of the next level."""
    at = losses.times[rows].argmin(axis=1)
    now, failed = losses.times[rows, at], losses.failed[rows, at]
    losses.times[rows, at] = np.inf
    workers = products.elsewhere(rows, now, failed, losses.turns[rows, at])
    attempts = products.send(rows, tasks[rows, at], workers, now, replaces=False)
    for each in then:
        each.times[rows, at] = now + attempts.crash_seconds[:, 0]
        each.failed[rows, at] = np.hstack([failed, workers[:, None]])
        each.turns[rows, at] = products.turns[rows, workers]


def after_wrong_answers(products: UnderWay, retries: int, enough: Enough, first_look: Array) -> Array:
    """Drop wrong answers whenever the master looks, and send their tasks again where too few right ones remain.

    Args:
        products: crashes made good.
        retries: how often one task may be sent again.
        enough: when answers suffice.
        first_look: when the master looks first, shape (products,), seconds.

    Returns:
        When enough right answers are there, shape (products,), seconds.
    """
    done = first_look.copy()
    rows = np.flatnonzero(np.isfinite(first_look))
    while rows.size:
        times, wrong, now = products.times[rows], products.wrong[rows], done[rows]
        right = np.where(wrong, np.inf, times)
        unmet = enough(right) > now
        rows, times, wrong, now = rows[unmet], times[unmet], wrong[unmet], now[unmet]
        if not rows.size:
            break
        found = wrong & (times <= now[:, None])
        _drop(products, rows, found, now, retries)
        done[rows] = np.maximum(now, enough(products.times[rows]))
        rows = rows[np.isfinite(done[rows])]
    return done


def _drop(products: UnderWay, rows: Ranks, found: Flags, now: Array, retries: int) -> None:
    """These answers are wrong: who gave them is trusted no more, and others compute the tasks, as far as allowed."""
    which, tasks = np.nonzero(found)
    workers = products.workers[rows[which], tasks]
    products.busy_until[rows[which], workers] = np.inf
    products.own_everything()
    products.times[rows[which], tasks] = np.inf
    allowed = products.sent[rows[which], tasks] <= retries
    which, tasks, workers = which[allowed], tasks[allowed], workers[allowed]
    _send_all(products, rows[which], tasks, now[which], workers, retries)


def _send_all(products: UnderWay, rows: Ranks, tasks: Ranks, now: Array, failed: Ranks, retries: int) -> None:
    """Send these tasks elsewhere, one of each product at a time, for every one sent makes a worker busy."""
    while rows.size:
        one = np.zeros(rows.size, bool)
        one[np.unique(rows, return_index=True)[1]] = True
        workers = products.elsewhere(rows[one], now[one], failed[one, None])
        attempts = products.send(rows[one], tasks[one], workers, now[one], replaces=True)
        dies = now[one] + attempts.crash_seconds[:, 0]
        lost = np.isfinite(dies) & (products.sent[rows[one], tasks[one]] <= retries)
        now, failed = np.append(now[~one], dies[lost]), np.append(failed[~one], workers[lost])
        rows, tasks = np.append(rows[~one], rows[one][lost]), np.append(tasks[~one], tasks[one][lost])


def because_late(products: UnderWay, rule: Speculation) -> None:
    """Give every late task to a worker that is free, those first who have been free for longest."""
    starts = rule.starts(products.times)
    rows = np.flatnonzero(np.isfinite(starts))
    if not rows.size:
        return
    late = products.times[rows] > starts[rows, None]
    most = int(late.sum(axis=1).max())
    tasks = np.argsort(~late, axis=1, kind="stable")[:, :most]
    workers = np.argsort(products.busy_until[rows], axis=1, kind="stable")[:, :most]
    is_free = np.take_along_axis(products.busy_until[rows], workers, axis=1) <= starts[rows, None]
    which, column = np.nonzero(np.take_along_axis(late, tasks, axis=1) & is_free)
    products.send(rows[which], tasks[which, column], workers[which, column], starts[rows[which]], replaces=False)
