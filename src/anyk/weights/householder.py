"""Least squares by Householder reflections: for batches of small systems, in the precision they come in."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[Any]


def householder(matrix: Table, goal: Table) -> Table:
    """Least squares for every matrix of a batch; both arguments are used up."""
    triangulate(matrix, goal)
    unknowns = matrix.shape[2]
    solution = goal[:, :unknowns].copy()
    for at in reversed(range(unknowns)):
        solution[:, at] /= matrix[:, at, at, None]
        solution[:, :at] -= matrix[:, :at, at, None] * solution[:, at, None, :]
    return solution


def triangulate(matrix: Table, goal: Table) -> None:
    """Make every matrix of a batch upper triangular by Householder reflections, in place, in its own precision."""
    for at in range(matrix.shape[2]):
        for work in _reflections(matrix[:, at:, at].copy()):
            _reflect(matrix[:, at:, at:], work)
            _reflect(goal[:, at:], work)


def _reflections(column: Table) -> Iterator[Table]:
    """The unit vector whose reflection sends a column to a multiple of the first axis (none for a zero column)."""
    norm = np.sqrt((column.real**2 + column.imag**2).sum(axis=1))
    phase = np.where(column[:, 0] == 0, 1, column[:, 0] / np.where(column[:, 0] == 0, 1, abs(column[:, 0])))
    column[:, 0] += phase * norm
    length = np.sqrt((column.real**2 + column.imag**2).sum(axis=1))
    if (length > 0).any():
        yield column / np.where(length > 0, length, 1)[:, None]


def _reflect(part: Table, axis: Table) -> None:
    part -= 2 * axis[:, :, None] * np.einsum("sq,sqk->sk", axis.conj(), part)[:, None, :]
