r"""Damped Gauss-Newton descent (Levenberg-Marquardt) on what survivor sets leave of the wanted combinations.

The valleys of level codes are as narrow as the precision is fine: across them the loss rises 1 / lambda times faster
than along them, and steps along the slope stand still. Here every step solves the linearized problem by QR. With
P_S = I - Q Q^T the projection away from set S's answers, [M_S; lambda I] = Q R, set S leaves r_S = P_S [T; 0], and a
change of the tables changes it by

    d r_S = - P_S [(d M_S) d_S; 0],   d d_S = - R^-1 Q^T [(d M_S) d_S; 0]        (variable projection, Kaufman's form)

Valleys bend, too. What the linear model left out on a step is known, since M_S d_S is a product,

    n_S = - (d M_S) (d d_S) - (the second order of M_S) d_S,

and one more linear problem with the same J takes it back. Without that second part steps are as short as the valley is
wide.

The p-mean is a sum of squares with weights error_S^(p-2), renewed at every step.

Legend: s = sets, k = answers, c = wanted blocks, e = equations, q = coefficients of one task, P = tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.discovery.objective import Loss, Sets, left_over, wanted, working_kind
from anyk.discovery.tables import Tables, sizes, unit

Table = NDArray[Any]

#: Gains below this, in the logarithm of the error, end a descent.
_SETTLED = 1e-6

#: Damping: where it starts, how it grows after a failure and falls after a success, its least, how often it may grow.
_DAMPING, _GROW, _FALL, _LEAST, _TRIES = 1e-6, 10.0, 30.0, 1e-20, 16


def descended(tables: Tables, loss: Loss, steps: int, tick: Callable[[Tables], None]) -> Tables:
    """Up to so many Gauss-Newton steps down, fewer where none gains; see `anyk.discovery.methods.Epoch`."""
    tables = unit(*tables)
    value, damping = loss.of(tables), _DAMPING
    for _ in range(steps):
        linear = _Linear.at(tables, loss)
        for _ in range(_TRIES):
            straight, bent = linear.steps(damping)
            new, moved = min(((loss.of(each), each) for each in (bent, straight)), key=lambda each: each[0])
            if new < value:
                break
            damping *= _GROW
        else:
            break
        gain, value = float(np.log(value / new)), new
        tables = unit(*moved)
        damping = max(damping / _FALL, _LEAST)
        tick(tables)
        if gain < _SETTLED:
            break
    return tables


@dataclass(frozen=True, eq=False)
class _Linear:
    """The linear problem |J x + r| around one pair of tables, J = Q R.

    Args:
        tables: of columns of unit length.
        units: what one unit of a coefficient is.
        tasks: the sets, shape (s, k).
        shares: weights of the sets, shape (s,).
        weights: decoding weights, shape (s, k, c).
        answers: Q and R of every [M_S; lambda I].
        factor: Q and R of J, whose columns have been divided by ``scale``.
        rest: r, shape (rows of J,).
    """

    tables: Tables
    units: Tables
    tasks: Sets
    shares: Table
    weights: Table
    answers: tuple[Table, Table]
    factor: tuple[Table, Table]
    scale: Table
    rest: Table

    @classmethod
    def at(cls, tables: Tables, loss: Loss) -> "_Linear":
        """Linearize."""
        sets, noise = loss.sets, loss.noise
        units = sizes(tables[0]), sizes(tables[1])
        columns, target = _columns(tables), wanted(*tables)
        kind = working_kind(noise)
        # small singular values of M_S are as small as lambda: Q must come from the same precision as the loss
        parts = left_over(columns.astype(kind)[:, sets.T], target.astype(kind), noise)
        rest, basis, triangle = (np.moveaxis(each, 2, 0).astype(np.float64) for each in parts)
        weights = rest[:, len(columns) :] / -noise
        found = np.linalg.norm(rest, axis=(1, 2))
        shares = (found / found.max()) ** (loss.power / 2 - 1)
        matrix = _derivatives(_changes(tables, units), sets, weights, basis)
        matrix = (matrix * shares[:, None, None, None]).reshape(-1, matrix.shape[-1])
        scale = np.linalg.norm(matrix, axis=0)
        scale = np.maximum(scale, 1e-14 * scale.max())
        factor = np.linalg.qr(matrix / scale)
        rest = (rest * shares[:, None, None]).ravel()
        return cls(tables, units, sets, shares, weights, (basis, triangle), factor, scale, rest)

    def steps(self, damping: float) -> tuple[Tables, Tables]:
        """The tables after a straight step and after a bent one; lengths of columns are not restored."""
        q, r = self.factor
        count = r.shape[1]
        damped = np.linalg.qr(np.vstack([r, np.sqrt(damping) * np.eye(count)]))

        def solved(rest: Table) -> Table:
            step: Table = np.linalg.solve(damped[1], damped[0][: len(r)].T @ (q.T @ rest)) / self.scale
            return -step

        straight = solved(self.rest)
        return self._moved(straight), self._moved(straight + solved(self._left_out(straight)))

    def _moved(self, by: Table) -> Tables:
        left, right = self.tables
        moves = by.reshape(-1, left.shape[2])
        entries = left.shape[0] * left.shape[1]
        return (
            left + moves[:entries].reshape(left.shape) * self.units[0],
            right + moves[entries:].reshape(right.shape) * self.units[1],
        )

    def _left_out(self, by: Table) -> Table:
        """What the linear problem does not know of this step: all orders above the first; shape of ``rest``."""
        columns, (basis, triangle) = _columns(self.tables), self.answers
        first = np.einsum("eqw,qw->ew", _changes(self.tables, self.units), by.reshape(-1, columns.shape[1]))
        whole = _columns(unit(*self._moved(by))) - columns
        top = basis[:, : len(columns)].swapaxes(1, 2)
        turned = -np.linalg.solve(triangle, top @ (_of(first, self.tasks) @ self.weights))
        missed = -(_of(whole, self.tasks) @ turned + _of(whole - first, self.tasks) @ self.weights)
        rest: Table = -basis @ (top @ missed)
        rest[:, : len(columns)] += missed
        rest *= self.shares[:, None, None]
        return rest.ravel()


def _of(columns: Table, tasks: Sets) -> Table:
    """The columns of every set: (s, e, k)."""
    return np.moveaxis(columns[:, tasks], 1, 0)


def _columns(tables: Tables) -> Table:
    """M, shape (e, P)."""
    workers = tables[0].shape[2]
    a, b = (each.reshape(-1, workers) for each in tables)
    columns: Table = np.einsum("aw,bw->abw", a, b)
    return columns.reshape(-1, workers)


def _changes(tables: Tables, units: Tables) -> Table:
    """Derivatives of M's columns along the coefficients of their tasks, which keep unit length; shape (e, q, P)."""
    workers = tables[0].shape[2]
    a, b = (each.reshape(-1, workers) for each in tables)
    turned = [
        (np.eye(len(each))[:, :, None] - each[:, None] * each[None]) * size.reshape(1, -1, 1)
        for each, size in zip((a, b), units, strict=True)
    ]
    along = np.einsum("apw,bw->abpw", turned[0], b), np.einsum("aw,bpw->abpw", a, turned[1])
    return np.concatenate(along, axis=2).reshape(len(a) * len(b), -1, workers)


def _derivatives(changes: Table, tasks: Sets, weights: Table, basis: Table) -> Table:
    """J before the sets are weighed, shape (s, e + k, c, q P)."""
    equations, coefficients, workers = changes.shape
    found = np.zeros((len(tasks), basis.shape[1], weights.shape[2], coefficients, workers))
    every = np.arange(len(tasks))
    for at in range(tasks.shape[1]):
        change = np.moveaxis(changes[:, :, tasks[:, at]], 2, 0)
        moved = -basis @ (basis[:, :equations].swapaxes(1, 2) @ change)
        moved[:, :equations] += change
        for block in range(weights.shape[2]):
            found[every, :, block, :, tasks[:, at]] = moved * -weights[:, at, block, None, None]
    return found.reshape(*found.shape[:3], -1)
