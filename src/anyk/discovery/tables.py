"""What a pair of tables may be changed into without changing what it means: units, directions, steps.

Tasks may be scaled, and the inner index may be turned: left -> left X, right -> X^-1 right leaves what is wanted in
place. Where X is orthogonal not even the loss notices. So directions can be chosen in which the rows of the left table
fall in size; their ratios are the steps by which a code packs several numbers into one.
"""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Table = NDArray[Any]
Tables = tuple[NDArray[np.float64], NDArray[np.float64]]


def drawn(rows: int, inner: int, cols: int, workers: int, rng: Generator) -> Tables:
    """Independent normal entries in columns of unit length."""
    return unit(rng.standard_normal((rows, inner, workers)), rng.standard_normal((inner, cols, workers)))


def unit(left: Table, right: Table) -> Tables:
    """Both tables with columns of unit length; columns of zeros stay.

    Their layout in memory is always the same, and with it the order of all sums over them.
    """
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    lengths = (np.linalg.norm(each, axis=(0, 1)) for each in (left, right))
    a, b = (np.where(length > 0, length, 1.0) for length in lengths)
    return left / a, right / b


def sizes(table: Table) -> NDArray[np.float64]:
    """Root mean square of every coefficient over the tasks, shape (a, b, 1); 1 for coefficients that are never used."""
    found: NDArray[np.float64] = np.sqrt(np.mean(table**2, axis=2, keepdims=True))
    return np.where(found > 0, found, 1.0)


def rescaled(left: Table, right: Table, noise: float, new_noise: float) -> Tables:
    """The same code for another precision: an inner direction of size s = noise^g gets new_noise^g.

    Every error of a code of L steps is made of powers of its step, and the best step is about noise^(1/L).
    """
    left, right = unit(left, right)
    flat = np.moveaxis(left, 1, 0).reshape(left.shape[1], -1)
    directions, found, _ = np.linalg.svd(flat, full_matrices=False)
    if len(found) < left.shape[1]:  # fewer entries than inner blocks: directions without size have no steps
        return left, right
    relative = np.maximum(found / found[0], np.finfo(np.float64).tiny)
    stretch = relative ** (np.log(new_noise) / np.log(noise) - 1)
    return unit(
        np.einsum("ja,ijw->iaw", directions * stretch, left), np.einsum("ja,jlw->alw", directions / stretch, right)
    )
