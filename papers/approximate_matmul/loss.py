"""The paper's loss, its decoder and its error on matrices; and the loss with rounding counted.

With weights d of the answers S, what comes out is sum_ab M_ab A_a B_b, M = sum_w d_w left_w right_w^T, and

    loss = sum over all S of |I - M_S|_F^2 .

On random matrices the expected relative Frobenius error of one set is sqrt(loss_S / m).
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.weights import product_error

Array = NDArray[Any]

#: Rows and columns of the paper's test matrices, of unit Frobenius norm.
SIZE = 100


def survivor_sets(workers: int, results: int) -> NDArray[np.intp]:
    """All of them, in the order of `itertools.combinations`."""
    return np.array(list(combinations(range(workers), results)), dtype=np.intp)


def pinv_weights(left: Array, right: Array, sets: Array) -> Array:
    """The paper's decoder: least squares by NumPy's pseudo-inverse with its default cut-off; shape (S, k)."""
    inner, goal = len(left), np.eye(len(left)).ravel()
    products = np.einsum("aw,bw->abw", left, right).reshape(inner**2, -1)
    return np.array([np.linalg.pinv(products[:, tasks]) @ goal for tasks in sets])


def ridge_weights(left: Array, right: Array, sets: Array, dtype: str = "float64") -> Array:
    """anyk's decoder: the same least squares, with rounding weighed against residual; shape (S, k)."""
    from anyk.weights import System

    norms = np.linalg.norm(left, axis=0), np.linalg.norm(right, axis=0)
    system, noise = System((left / norms[0])[None], (right / norms[1])[:, None]), product_error(dtype)
    scale = norms[0] * norms[1]
    return np.array([system.solve(tasks, noise).weights[0, :, 0] / scale[tasks] for tasks in sets])


def losses(left: Array, right: Array, weights: Array, sets: Array) -> Array:
    """|I - M_S|^2 of every set, as a residual; the paper expands the square, which cancels to noise below 1e-5."""
    goal = np.eye(len(left))
    mixed = np.einsum("aSk,Sk,bSk->Sab", left[:, sets], weights, right[:, sets])
    return np.asarray(((mixed - goal) ** 2).sum(axis=(1, 2)))


def rounding(left: Array, right: Array, weights: Array, sets: Array, dtype: str = "float64") -> Array:
    """What rounding adds to the loss of every set: lambda^2 sum (d_w |left_w| |right_w|)^2."""
    size = np.linalg.norm(left, axis=0) * np.linalg.norm(right, axis=0)
    return np.asarray(product_error(dtype) ** 2 * ((weights * size[sets]) ** 2).sum(axis=1))


def matrices(seed: int = 0) -> tuple[Array, Array]:
    """Two Gaussian matrices of unit Frobenius norm."""
    A, B = np.random.default_rng(seed).standard_normal((2, SIZE, SIZE))
    return A / np.linalg.norm(A), B / np.linalg.norm(B)


def multiplied(left: Array, right: Array, weights: Array, tasks: Array, A: Array, B: Array) -> Array:
    """A B as this set of workers gives it: encoded, multiplied, combined, in the matrices' own precision."""
    inner, depth = len(left), A.shape[1]
    filled = -depth % inner
    blocks = np.pad(A, ((0, 0), (0, filled))).reshape(len(A), inner, -1)
    others = np.pad(B, ((0, filled), (0, 0))).reshape(inner, -1, B.shape[1])
    total = np.zeros((len(A), B.shape[1]), A.dtype)
    for task, weight in zip(tasks, weights, strict=True):
        mine = np.tensordot(blocks, left[:, task].astype(A.dtype), (1, 0))
        total += weight * (mine @ np.tensordot(right[:, task].astype(A.dtype), others, 1))
    return total


def errors(left: Array, right: Array, weights: Array, tasks: Array, seeds: int = 5) -> tuple[float, float]:
    """Largest error of an entry and relative Frobenius error, the mean over several pairs of matrices."""
    found = []
    for seed in range(seeds):
        A, B = matrices(seed)
        exact = A @ B
        missed = multiplied(left, right, weights, tasks, A, B) - exact
        found.append((np.abs(missed).max(), np.linalg.norm(missed) / np.linalg.norm(exact)))
    largest, relative = np.mean(found, axis=0)
    return float(largest), float(relative)
