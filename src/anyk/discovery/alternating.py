r"""Alternating minimization: decoding weights, then the table of A, then the table of B, each at its best.

With A and B the tables as matrices, one column per task, G = (A^T A) o (B^T B) (o: entry by entry), and for each
survivor set S and each wanted block the column c of <T, A_w (x) B_w>:

    1.  G_SS d_S = c_S                     for every S
    2.  A (Z o B^T B) = sum_S T_S B diag d_S,   Z = sum_S d_S d_S^T
    3.  the same for B

The ridge lambda^2 |d_w|^2 |A_w|^2 |B_w|^2, which does not care for the scale of tasks, multiplies the diagonals of G
and of Z o B^T B by 1 + lambda^2, nothing more: so each step lowers one and the same loss. These equations square what
they solve and are a direction to look in, no more: ridges below the square root of rounding are raised to it, and every
loss that is reported comes from `objective`.

Legend: m, n, p = rows, inner, cols; P = tasks; k = answers in a set; s = sets; c = wanted blocks (m p).

Reference: Jeong, Devulapalli, Cadambe, Calmon, arXiv 2105.01973, alternating minimization.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.discovery.tables import Tables, unit

Table = NDArray[Any]
Sets = NDArray[np.intp]

#: Squared ridges below this are lost in the rounding of the squared equations.
SMALLEST_RIDGE = 1e-13

#: Sets in one batch.
_BATCH = 16_384


def search_noise(noise: float) -> float:
    """The lambda this search works with: the one asked for, or the smallest it can see."""
    return float(np.sqrt(max(noise**2, SMALLEST_RIDGE)))


class Alternating:
    """Sweeps over one collection of survivor sets.

    Args:
        sets: task numbers, shape (S, k).
        workers: P.
        noise: relative error of one answer (lambda).
    """

    def __init__(self, sets: Sets, workers: int, noise: float) -> None:
        self._workers, self._ridge = workers, search_noise(noise) ** 2
        by_answer = np.ascontiguousarray(sets.T)
        self._sets = [by_answer[:, at : at + _BATCH] for at in range(0, len(sets), _BATCH)]
        # places of the lower triangle of every G_SS in G, column by column
        self._places = [[tasks[at:] * workers + tasks[at] for at in range(len(tasks))] for tasks in self._sets]

    def sweep(self, left: Table, right: Table, shares: NDArray[np.float64] | None = None) -> Tables:
        """All three steps once; the loss does not rise.

        Args:
            left: shape (m, n, P).
            right: shape (n, p, P).
            shares: weight of each set in the loss, shape (S,); default: all alike.
        """
        left, right = unit(left, right)
        square, sums = self._decoded(left, right, shares)
        left = self._solved(square * _gram(right), np.einsum("jlw,ilw->ijw", right, sums))
        right = self._solved(square * _gram(left), np.einsum("ijw,ilw->jlw", left, sums))
        return unit(left, right)

    def _decoded(self, left: Table, right: Table, shares: NDArray[np.float64] | None) -> tuple[Table, Table]:
        """Step 1: Z = sum_S d d^T over sets and wanted blocks, (P, P), and sum_S d, (m, p, P)."""
        gram = _gram(left) * _gram(right)
        gram[np.diag_indices(self._workers)] *= 1 + self._ridge
        goal: Table = np.einsum("ijw,jlw->ilw", left, right)
        flat = goal.reshape(-1, self._workers)
        square, sums, at = np.zeros_like(gram), np.zeros_like(flat), 0
        for tasks, places in zip(self._sets, self._places, strict=True):
            weights = _cholesky_solved(gram, places, flat.take(tasks, axis=1), self._ridge)
            count = tasks.shape[1]
            share = None if shares is None else shares[at : at + count]
            at += count
            for block, (total, found) in enumerate(zip(sums, weights, strict=True)):
                spread = np.zeros((count, self._workers))
                np.put_along_axis(spread, tasks.T, found.T, axis=1)
                shared = spread if share is None else spread * share[:, None]
                square += shared.T @ spread
                sums[block] = total + shared.sum(axis=0)
        return square, sums.reshape(goal.shape)

    def _solved(self, matrix: Table, goal: Table) -> Table:
        """X matrix = goal with the ridge on the diagonal; tasks that no set uses get the tables they would ask for."""
        diagonal = np.sqrt(np.diagonal(matrix))
        scale = np.where(diagonal > 0, diagonal, 1.0)
        scaled = matrix / scale / scale[:, None]
        scaled[np.diag_indices(len(scaled))] = 1 + self._ridge
        flat = goal.reshape(-1, len(scale)) / scale
        found: Table = np.linalg.solve(scaled, flat.T).T / scale
        return found.reshape(goal.shape)


def _gram(table: Table) -> Table:
    flat = table.reshape(-1, table.shape[-1])
    gram: Table = flat.T @ flat
    return gram


def _cholesky_solved(gram: Table, places: list[Sets], goal: Table, ridge: float) -> Table:
    """G_SS d = goal for all sets at once, sets along the last axis.

    Args:
        gram: shape (P, P), unit diagonal but for the ridge.
        places: for column q of the factor, where its entries lie in ``gram``, shape (k - q, s).
        goal: shape (c, k, s); used up.
        ridge: pivots are not taken below a fraction of it, so that rounding cannot stop the search.
    """
    unknowns, count = len(places), goal.shape[2]
    factor = np.empty((unknowns, unknowns, count))
    for at, place in enumerate(places):
        column = gram.take(place)
        for before in range(at):
            column -= factor[at:, before] * factor[at, before]
        column /= np.sqrt(np.maximum(column[0], 0.1 * ridge))
        factor[at:, at] = column
    for at in range(unknowns):
        goal[:, at] /= factor[at, at]
        goal[:, at + 1 :] -= factor[at + 1 :, at] * goal[:, at, None]
    for at in reversed(range(unknowns)):
        goal[:, at] /= factor[at, at]
        goal[:, :at] -= factor[at, :at] * goal[:, at, None]
    return goal
