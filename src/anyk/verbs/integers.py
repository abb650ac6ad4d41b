r"""Exact integer products through floating-point codes.

Encoded blocks are real numbers, so a product of integers comes back with a relative error of some 1e-14 and is rounded.
To round safely its entries must stay small: each matrix is written in digits of base $2^t$, the digits are stacked, and
the product of the stacks is the table of all digit products, put together again in 64-bit integers. Small integers have
one digit and cost nothing extra. The result is checked modulo a prime, so a wrong digit cannot pass unnoticed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.errors import InputError, PrecisionError

Array = NDArray[Any]

#: Digit products stay below 2^36: with a relative error of 1e-13 they still round to the right integer by a wide
#: margin.
_PRODUCT_BITS = 36

#: The check works in float64 without any rounding: residues below 2^20 multiply and add up exactly over 2^13 terms.
_PRIME = 1_048_573
_CHUNK = 1 << 13


@dataclass(frozen=True)
class Digits:
    """A product of integers as a larger product of small ones.

    Args:
        left: digits of A stacked downwards, float64, shape (height * r, depth).
        right: digits of B stacked sideways, float64, shape (depth, width * s).
        base_bits: t.
    """

    left: Array
    right: Array
    base_bits: int


def digits(A: Array, B: Array) -> Digits:
    """Write both matrices in as few digits as keep their products below 2^36.

    Raises:
        InputError: an entry beyond 64-bit signed integers.
    """
    a, b = _as_int64("A", A), _as_int64("B", B)
    bits_a, bits_b = _bits(a), _bits(b)
    room = max(2, _PRODUCT_BITS - max(1, a.shape[1]).bit_length())
    if bits_a + bits_b <= room:
        return Digits(a.astype(np.float64), b.astype(np.float64), 64)
    base = room // 2
    return Digits(
        np.concatenate(_split(a, base, ceil(bits_a / base)), axis=0),
        np.concatenate(_split(b, base, ceil(bits_b / base)), axis=1),
        base,
    )


def exactly(A: Array, B: Array, rng: Generator, multiply: Callable[[Array, Array], Array]) -> Array:
    """The int64 product of two integer matrices, from a floating-point multiplication that is good to 1e-12.

    Args:
        A: integers or booleans, shape (height, depth).
        B: integers or booleans, shape (depth, width).
        rng: where the check's random vectors come from.
        multiply: float64 product of float64 matrices.

    Raises:
        InputError: an entry or the result does not fit 64-bit signed integers.
        PrecisionError: the multiplication was not accurate enough to round (see `roundable`).
    """
    written = digits(A, B)
    approximate = multiply(written.left, written.right)
    height, width = A.shape[0], B.shape[1]
    total = np.zeros((height, width), np.int64)
    with np.errstate(over="ignore"):
        for top in range(0, len(written.left), max(1, height)):
            for start in range(0, written.right.shape[1], max(1, width)):
                power = (top // max(1, height) + start // max(1, width)) * written.base_bits
                if power < 64:
                    digit = np.rint(approximate[top : top + height, start : start + width]).astype(np.int64)
                    total += digit << np.int64(power)
    _check(A, B, total, rng)
    return total


def roundable(left: Array, right: Array) -> float:
    """The relative error up to which a product of these whole numbers can be rounded.

    Entries are at most depth |left| |right|, and their errors seldom beyond six times the mean; measured errors may be
    too small by a factor 2.
    """
    largest: float = float(_largest(left)) * float(_largest(right)) * left.shape[1]
    return min(1e-9, 1 / (32 * max(1.0, largest)))


def _as_int64(name: str, matrix: Array) -> Array:
    if matrix.dtype == np.uint64 and matrix.size and matrix.max() > np.iinfo(np.int64).max:
        raise InputError(
            f"integer products are computed in int64, and {name} holds {matrix.max()}. Convert to float64 first."
        )
    return matrix.astype(np.int64, copy=False)


def _bits(matrix: Array) -> int:
    return _largest(matrix).bit_length()


def _largest(matrix: Array) -> int:
    return max(int(matrix.max(initial=0)), -int(matrix.min(initial=0)))


def _split(matrix: Array, base: int, count: int) -> list[Array]:
    """Digits of base 2^base, lowest first; the highest carries the sign."""
    low = [((matrix >> (base * at)) & ((1 << base) - 1)).astype(np.float64) for at in range(count - 1)]
    return [*low, (matrix >> (base * (count - 1))).astype(np.float64)]


def _check(A: Array, B: Array, product: Array, rng: Generator) -> None:
    """Compare A (B v) with C v modulo a prime, for three random v: a wrong product passes with probability 1e-18."""
    signs = rng.integers(0, _PRIME, (B.shape[1], 3)).astype(np.float64)
    expected = _modular(A, _modular(B, signs))
    if not np.array_equal(expected, _modular(product, signs)):
        raise PrecisionError(
            "the integer product is not exact: it does not fit 64-bit integers, or the answers do not decode well "
            "enough to be rounded, or one was wrong. Wait for more answers (stop=anyk.everyone), or convert A and B to "
            "float64 to get it to 15 digits."
        )


def _modular(matrix: Array, vectors: Array) -> Array:
    total = np.zeros((matrix.shape[0], vectors.shape[1]))
    for at in range(0, matrix.shape[1], _CHUNK):
        residues = (matrix[:, at : at + _CHUNK].astype(np.int64) % _PRIME).astype(np.float64)
        total = (total + residues @ vectors[at : at + _CHUNK]) % _PRIME
    return total
