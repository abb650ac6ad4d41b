r"""How good a pair of tables is over survivor sets, and which way is down.

With unit columns M_w = left_w (x) right_w and the wanted combinations T, answers S leave

    error_S^2 = min_d (|M_S d - T|^2 + lambda^2 |d|^2) / (rows inner cols),

the expected squared relative error on random matrices. What is minimized is the p-mean of the errors,
(mean_S error_S^p)^(1/p): p = 2 is their rms, and p to infinity the worst of them.

The decoding weights d are eliminated (variable projection): [M_S; lambda I] d = [T; 0] is orthogonalized set by set,
all sets side by side in memory, and the squared error is what is left of the right-hand side. Nothing is ever
subtracted from a squared number, so no loss comes out negative. The slope needs no derivative of d (envelope theorem):
d error_S^2 / d M_w = 2 d_w (M_S d - T) / (rows inner cols).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.discovery.tables import Tables

Table = NDArray[Any]
Sets = NDArray[np.intp]

#: Below this lambda, double precision would blur the loss it computes; extended precision takes over.
_DOUBLE_NOISE = 1e-12

#: Numbers in one batch of sets: small enough to stay in a second-level cache.
_BATCH_NUMBERS = 1 << 16


@dataclass(frozen=True, eq=False)
class Slope:
    """The logarithm of the p-mean of the errors, and its derivatives.

    Args:
        value: log of the p-mean.
        left: derivative with respect to the left table, its shape.
        right: derivative with respect to the right table, its shape.
    """

    value: float
    left: NDArray[np.float64]
    right: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Loss:
    """What one epoch of a search lowers.

    Args:
        sets: task numbers of the survivor sets, shape (S, k).
        noise: relative error of one answer (lambda), positive.
        power: p of the p-mean, at least 2.
    """

    sets: Sets
    noise: float
    power: float = 2.0

    def of(self, tables: Tables) -> float:
        """The p-mean of the errors."""
        return mean(errors(*tables, self.sets, self.noise), self.power)

    def slope(self, tables: Tables) -> Slope:
        """Its logarithm and that one's derivatives."""
        return slope(*tables, self.sets, self.noise, self.power)


def errors(left: Table, right: Table, sets: Sets, noise: float) -> NDArray[np.float64]:
    """Expected relative error of every survivor set.

    Args:
        left: encoding table of A, shape (rows, inner, P), real.
        right: encoding table of B, shape (inner, cols, P), real.
        sets: task numbers, shape (S, k).
        noise: relative error of one answer (lambda), positive.

    Returns:
        Shape (S,).
    """
    frame = _Frame(left, right, noise)
    return np.concatenate([frame.errors(residual) for _, _, residual in frame.solved(sets)])


def slope(left: Table, right: Table, sets: Sets, noise: float, power: float = 2.0) -> Slope:
    """The log of the p-mean of the errors and its derivatives.

    Args:
        left: encoding table of A, shape (rows, inner, P), real.
        right: encoding table of B, shape (inner, cols, P), real.
        sets: task numbers, shape (S, k).
        noise: relative error of one answer (lambda), positive.
        power: p, at least 2.
    """
    frame = _Frame(left, right, noise)
    batches = [(tasks, frame.errors(rest), weights, rest) for tasks, weights, rest in frame.solved(sets)]
    found = np.concatenate([each[1] for each in batches])
    value = mean(found, power)
    pull = np.zeros_like(frame.triangle)
    count, tasks_in_all = pull.shape
    for tasks, error, weights, rest in batches:
        # d log p-mean / d error^2 = error^(p-2) / (2 sum error^p)
        share = (error / value) ** (power - 2) / (value**2 * len(sets) * frame.scale)
        spread = np.zeros((tasks_in_all, *weights.shape[1:]), pull.dtype)
        spread[tasks.T, :, np.arange(len(tasks))] = np.moveaxis(weights, 1, 2)
        # minus: what is left is T - M d
        pull -= (rest[:count] * share).reshape(count, -1) @ spread.reshape(tasks_in_all, -1).T
    return Slope(float(np.log(value)), *frame.back(pull))


class _Frame:
    """[M, T] = Q [R, Q^T T] once for all sets: few equations say what all of M's rows say."""

    def __init__(self, left: Table, right: Table, noise: float) -> None:
        kind = working_kind(noise)
        self._norms = tuple(np.sqrt((each.astype(kind) ** 2).sum(axis=(0, 1))) for each in (left, right))
        self._left, self._right = left / self._norms[0], right / self._norms[1]
        self.noise, self.scale = noise, left.shape[0] * left.shape[1] * right.shape[1]
        matrix = np.einsum("ijw,klw->ijklw", self._left, self._right)
        self._shape = matrix.shape
        matrix, target = matrix.reshape(-1, matrix.shape[-1]), wanted(left, right).astype(kind)
        self._basis = _orthonormal(np.hstack([matrix, target]))
        self.triangle, self.target = self._basis.T @ matrix, self._basis.T @ target

    def solved(self, sets: Sets) -> Iterator[tuple[Sets, Table, Table]]:
        """Batches of: sets (s, k), weights (k, c, s), and what is left of [T; 0], (equations + k, c, s)."""
        count = len(self.triangle)
        step = max(1, _BATCH_NUMBERS // ((count + sets.shape[1]) * (sets.shape[1] + self.target.shape[1])))
        for at in range(0, len(sets), step):
            tasks = sets[at : at + step]
            rest = left_over(self.triangle[:, tasks.T], self.target, self.noise)[0]
            yield tasks, rest[count:] / -self.noise, rest

    def errors(self, rest: Table) -> NDArray[np.float64]:
        """Errors of one batch."""
        squares = (rest**2).sum(axis=(0, 1))
        found: Table = np.sqrt(squares / self.scale)
        return found.astype(np.float64)

    def back(self, pull: Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """From the slope along the triangle to those along both tables; the lengths of columns make no difference."""
        towards = (self._basis @ pull).reshape(self._shape)
        left = np.einsum("ijklw,klw->ijw", towards, self._right)
        right = np.einsum("ijklw,ijw->klw", towards, self._left)
        left -= self._left * (left * self._left).sum(axis=(0, 1))
        right -= self._right * (right * self._right).sum(axis=(0, 1))
        return (left / self._norms[0]).astype(np.float64), (right / self._norms[1]).astype(np.float64)


def mean(found: NDArray[np.float64], power: float) -> float:
    """The p-mean of errors; the largest for p = infinity."""
    top = float(found.max())
    return top if np.isinf(power) else top * float(np.mean((found / top) ** power)) ** (1 / power)


def working_kind(noise: float) -> type[np.floating[Any]]:
    """The precision in which losses at this lambda are computed."""
    return np.float64 if noise >= _DOUBLE_NOISE else np.longdouble


def wanted(left: Table, right: Table) -> NDArray[np.float64]:
    """T: the combination of A_ij (x) B_kl that is C_rc, shape (rows inner inner cols, rows cols)."""
    (rows, inner), cols = left.shape[:2], right.shape[1]
    target: Table = np.einsum("ir,jk,lc->ijklrc", np.eye(rows), np.eye(inner), np.eye(cols))
    return target.reshape(-1, rows * cols)


def _orthonormal(columns: Table) -> Table:
    """An orthonormal basis of the columns, by Gram-Schmidt done twice; all axes where there are more columns."""
    rows, count = columns.shape
    if rows <= count:
        return np.eye(rows, dtype=columns.dtype)
    basis = np.zeros_like(columns)
    for at in range(count):
        axis = columns[:, at]
        for _ in range(3):
            axis = axis / (np.sqrt(axis @ axis) or 1)
            axis = axis - basis[:, :at] @ (basis[:, :at].T @ axis)
        basis[:, at] = axis / (np.sqrt(axis @ axis) or 1)
    return basis


def left_over(columns: Table, target: Table, noise: float) -> tuple[Table, Table, Table]:
    """What is left of [T; 0] when everything along [M_S; noise I] = Q R is taken out, set by set, sets last.

    Modified Gram-Schmidt on the right-hand side too, which is as stable as Householder's reflections.

    Args:
        columns: shape (n, k, S).
        target: shape (n, c).
        noise: positive.

    Returns:
        The rest, shape (n + k, c, S), Q, shape (n + k, k, S), and R, shape (k, k, S).
    """
    rows, unknowns, count = columns.shape
    work = np.zeros((rows + unknowns, unknowns + target.shape[1], count), columns.dtype)
    work[:rows, :unknowns], work[:rows, unknowns:] = columns, target[:, :, None]
    work[rows + np.arange(unknowns), np.arange(unknowns)] = noise
    triangle = np.zeros((unknowns, unknowns, count), columns.dtype)
    for at in range(unknowns):
        # below row n the columns so far reach down to their own number
        reach = rows + at + 1
        axis, others = work[:reach, at], work[:reach, at + 1 :]
        triangle[at, at] = np.sqrt((axis**2).sum(axis=0))
        axis /= triangle[at, at]
        along = np.einsum("es,ecs->cs", axis, others)
        others -= axis[:, None] * along
        triangle[at, at + 1 :] = along[: unknowns - at - 1]
    return work[:, unknowns:], work[:, :unknowns], triangle
