"""The paper's search for codes: three exact least-squares steps in turn, from random starts, many starts at once.

Minimize sum_S |I - left diag(d_S) right^T|^2 over both tables and all decoding weights. Each step is solved by normal
equations, as published; with G = (left^T left) o (right^T right), c_w = left_w . right_w, Z = D D^T, z = D 1:

    for each S:  G_SS d_S = c_S
    left  (Z o (right^T right)) = right diag(z)
    right (Z o (left^T left))   = left diag(z)

Nothing keeps the weights from growing: where the infimum is not attained, the loss falls like one over the sweeps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from papers.approximate_matmul.loss import losses, survivor_sets

Array = NDArray[Any]


def search(inner: int, results: int, workers: int, *, seeds: int, sweeps: int) -> tuple[Array, Array, Array]:
    """Run the search from several starts.

    Args:
        inner: m.
        results: k.
        workers: P.
        seeds: how many starts.
        sweeps: of each.

    Returns:
        Total loss of every start, shape (seeds,), NaN where it broke down; and the tables, shape (seeds, m, P) each.
    """
    sets = survivor_sets(workers, results)
    starts = [np.random.default_rng(seed).standard_normal((2, inner, workers)) for seed in range(seeds)]
    left, right = (np.array([start[side] for start in starts]) for side in (0, 1))
    with np.errstate(all="ignore"):
        for _ in range(sweeps):
            weights = _weights(left, right, sets)
            spread = np.zeros((seeds, len(sets), workers))
            np.put_along_axis(spread, np.broadcast_to(sets, weights.shape), weights, axis=2)
            mixed, total = np.swapaxes(spread, 1, 2) @ spread, spread.sum(axis=1)
            left = _table(mixed, total, right)
            right = _table(mixed, total, left)
        weights = _weights(left, right, sets)
        found = [
            float(losses(mine, other, own, sets).sum()) for mine, other, own in zip(left, right, weights, strict=True)
        ]
    return np.array(found), left, right


def _weights(left: Array, right: Array, sets: Array) -> Array:
    gram = (np.swapaxes(left, 1, 2) @ left) * (np.swapaxes(right, 1, 2) @ right)
    goal = (left * right).sum(axis=1)
    return _solved(gram[:, sets[:, :, None], sets[:, None]], goal[:, sets])


def _table(mixed: Array, total: Array, other: Array) -> Array:
    system = mixed * (np.swapaxes(other, 1, 2) @ other)
    columns = np.swapaxes(other * total[:, None], 1, 2)
    return np.swapaxes(_solved(system, columns), 1, 2)


def _solved(systems: Array, sides: Array) -> Array:
    """Solutions of many systems; NaN where one is singular, as in the published runs."""
    is_vector = sides.ndim < systems.ndim
    columns = sides[..., None] if is_vector else sides
    try:
        solved = np.linalg.solve(systems, columns)
    except np.linalg.LinAlgError:
        solved = np.full(columns.shape, np.nan)
        for place in np.ndindex(systems.shape[:-2]):
            try:
                solved[place] = np.linalg.solve(systems[place], columns[place])
            except np.linalg.LinAlgError:
                continue
    return solved[..., 0] if is_vector else solved
