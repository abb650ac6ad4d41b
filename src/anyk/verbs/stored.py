"""Products of matrices that do not fit into memory: tile by tile, from wherever they are stored to wherever C goes."""

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import norm, working_dtype
from anyk.code import Code
from anyk.engines.base import Engine
from anyk.errors import InputError
from anyk.verbs.matmul import matmul
from anyk.verbs.opened import opened_engine

Array = NDArray[Any]

#: No tile is made smaller than this, in rows and columns.
LEAST_SIDE = 64


@dataclass(frozen=True)
class StoredProduct:
    """What `matmul_stored` did.

    Args:
        out: where the product is: what was given, or for a file its map.
        error: measured relative Frobenius error of the whole product.
        tiles: how many coded products it took, along rows, inner dimension and columns.
        seconds: wall time: read, multiply, write, total.
        peak_bytes: largest resident memory of this process meanwhile; None where the system does not tell.
    """

    out: Any
    error: float
    tiles: tuple[int, int, int]
    seconds: dict[str, float]
    peak_bytes: int | None


def matmul_stored(
    A: Any,
    B: Any,
    code: Code,
    *,
    out: Any,
    memory: float = 2**30,
    engine: "str | Engine | Any" = None,
    rng: Generator | int | None = None,
    **settings: Any,
) -> StoredProduct:
    """The product of two stored matrices, with no more than some memory at a time.

    Tiles of A and B are read, multiplied as coded products of their own, each from its first sufficient answers, added
    up over the inner dimension, and written. A is read once for each column of tiles, B once for each row of tiles.

    Args:
        A: shape (height, depth): the path of an ``.npy`` file, or anything with ``shape``, ``dtype`` and slices that
            NumPy takes as an array: `numpy.memmap`, Zarr and Dask arrays, HDF5 datasets.
        B: shape (depth, width), the same.
        code: how each tile is encoded.
        out: the product's place, shape (height, width): the path of an ``.npy`` file, which is made, or anything that
            takes arrays by slices: `numpy.memmap`, a Zarr array, an array.
        memory: bytes this process may use for tiles, their coded blocks and answers; at least a few megabytes.
        engine: as for `matmul`; opened once for all tiles.
        rng: generator or seed of the probes.
        **settings: of each tile's product, as for `matmul` (``stop``, ``timeout``, ``retries``, ``wrong`` …).

    Returns:
        Where it is, its measured error, and how it went.

    Raises:
        InputError: matrices that cannot be multiplied, or too little memory.
        ClusterError: too few answers came.

    >>> import numpy as np, anyk
    >>> A, C = np.arange(12.0).reshape(4, 3), np.zeros((4, 4))
    >>> done = anyk.matmul_stored(A, A.T, anyk.codes.matdot(2, 4), out=C, engine="inline")
    >>> bool(np.allclose(C, A @ A.T))
    True
    """
    began = perf_counter()
    a, b = _Stored.opened("A", A), _Stored.opened("B", B)
    if a.shape[1] != b.shape[0]:
        raise InputError(f"`matmul_stored(A, B)`: the inner dimensions differ; A is {a.shape} and B is {b.shape}.")
    dtype = working_dtype(a.dtype, b.dtype)
    shape = a.shape[0], a.shape[1], b.shape[1]
    sides = tile_sides(shape, code, dtype.itemsize, memory)
    place = _place(out, (shape[0], shape[2]), dtype)
    rng, seconds = np.random.default_rng(rng), {"read": 0.0, "multiply": 0.0, "write": 0.0}
    squares = wrong = 0.0
    peak: int | None = None
    with opened_engine(engine, code.workers) as opened:
        for rows in _pieces(shape[0], sides[0]):
            for cols in _pieces(shape[2], sides[2]):
                total, missed = np.zeros((_length(rows), _length(cols)), dtype), 0.0
                for inner in _pieces(shape[1], sides[1]):
                    start = perf_counter()
                    left, right = a.read(rows, inner, dtype), b.read(inner, cols, dtype)
                    read = perf_counter()
                    product = matmul(left, right, code, engine=opened, rng=rng, **settings)
                    total += product.value
                    peak = max(peak or 0, product.peak_bytes or 0) or None
                    missed += (product.error or 0.0) * norm(product.value)
                    seconds["read"] += read - start
                    seconds["multiply"] += perf_counter() - read
                start = perf_counter()
                place[rows, cols] = total
                _let_go(place)
                seconds["write"] += perf_counter() - start
                squares, wrong = squares + norm(total) ** 2, wrong + missed**2
    seconds["total"] = perf_counter() - began
    counts = tuple(ceil(each / side) for each, side in zip(shape, sides, strict=True))
    error = (wrong / squares) ** 0.5 if squares else 0.0
    return StoredProduct(place, error, counts, seconds, peak)  # type: ignore[arg-type]


def tile_sides(shape: tuple[int, int, int], code: Code, itemsize: int, memory: float) -> tuple[int, int, int]:
    """The largest tiles whose products fit: rows, inner dimension, columns; cubes where the matrices are that large.

    Args:
        shape: (height, depth, width).
        code: of each tile.
        itemsize: bytes per entry.
        memory: bytes for a tile of each matrix, coded blocks and answers.

    Raises:
        InputError: not even the smallest tiles fit.
    """

    def sides(side: int) -> tuple[int, int, int]:
        r, i, c = (min(side, each) for each in shape)
        return r, i, c

    low, high = LEAST_SIDE, max(*shape, LEAST_SIDE)
    if _bytes(sides(low), code, itemsize) > memory:
        needed = _bytes(sides(low), code, itemsize)
        raise InputError(
            f"`matmul_stored(memory={memory:.3g})`: tiles of {low} x {low} with `{code.name}` take {needed:.3g} bytes; "
            "allow more memory, or use a code with fewer workers."
        )
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _bytes(sides(middle), code, itemsize) <= memory else (low, middle - 1)
    return sides(low)


def _bytes(sides: tuple[int, int, int], code: Code, itemsize: int) -> float:
    """What one tile's product takes here: operands, coded blocks, answers as they came, the product and the sum."""
    rows, inner, cols = sides
    cut, workers = code.partition, code.workers
    a, b, c = rows * inner, inner * cols, rows * cols
    coded = workers * (a / (cut.rows * cut.inner) + b / (cut.inner * cut.cols) + 2 * c / (cut.rows * cut.cols))
    return float(itemsize * (a + b + 3 * c + coded))


@dataclass(frozen=True, eq=False)
class _Stored:
    """A matrix that is read in pieces."""

    source: Any
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @classmethod
    def opened(cls, name: str, given: Any) -> "_Stored":
        """Open a file, or take what can be sliced.

        Raises:
            InputError: no such file, or no matrix of numbers.
        """
        if isinstance(given, str | os.PathLike):
            try:
                given = np.load(given, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"`matmul_stored`: {name} cannot be read from {os.fspath(given)!r}: {error}"
                ) from error
        shape, dtype = getattr(given, "shape", None), getattr(given, "dtype", None)
        if not isinstance(shape, Sequence) or len(shape) != 2 or dtype is None or np.dtype(dtype).kind not in "fc":
            raise InputError(
                f"`matmul_stored`: {name} must be the path of an .npy file or a matrix of floating or complex numbers "
                f"that can be sliced; it is {_short(given)}."
            )
        return cls(given, (int(shape[0]), int(shape[1])), np.dtype(dtype))

    def read(self, down: slice, across: slice, dtype: np.dtype[Any]) -> Array:
        """A copy of a piece; the pages it came from are let go."""
        piece = np.array(self.source[down, across], dtype)
        _let_go(self.source)
        return piece


def _place(out: Any, shape: tuple[int, int], dtype: np.dtype[Any]) -> Any:
    if isinstance(out, str | os.PathLike):
        if Path(out).suffix != ".npy":
            raise InputError(f"`matmul_stored(out={os.fspath(out)!r})`: the product is written to an .npy file.")
        return np.lib.format.open_memmap(out, mode="w+", dtype=dtype, shape=shape)
    if tuple(getattr(out, "shape", ())) != shape or not hasattr(out, "__setitem__"):
        raise InputError(f"`matmul_stored(out=…)`: the product is {shape}; its place is {_short(out)}.")
    if not np.can_cast(dtype, out.dtype, "same_kind"):
        raise InputError(
            f"`matmul_stored(out=…)`: the product is {dtype}, and what it is to be written to is {out.dtype}."
        )
    return out


def _let_go(mapped: Any) -> None:
    """Free the pages of a mapped file in this process: they count as its memory, although the file has them."""
    if not isinstance(mapped, np.memmap) or mapped.mode == "c":  # a private map has changes that no file has
        return
    base: Any = mapped
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        with suppress(ValueError, OSError):
            base.madvise(mmap.MADV_DONTNEED)


def _short(given: Any) -> str:
    return f"{given!r}"[:80]


def _pieces(length: int, side: int) -> Iterator[slice]:
    for start in range(0, length, side):
        yield slice(start, min(start + side, length))


def _length(piece: slice) -> int:
    return int(piece.stop - piece.start)
