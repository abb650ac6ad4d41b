"""Encoding: both operands into the blocks of P workers, against handing out as many plain blocks of the same size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.arrays import combine
from anyk.code import Code
from benchmarks.measure import Row
from benchmarks.stages import DTYPES, cases, compared, inputs

Array = NDArray[Any]

TARGET_SECONDS = 0.06


def run(tiny: bool) -> list[Row]:
    """Every code in every precision, then one code on inputs that lie badly in memory."""
    turns = 2 if tiny else 9
    given = [({"code": name, "input": "contiguous"}, *case) for name, *case in cases(tiny)]
    given += [({"code": "polynomial 4x4", "input": name}, *case) for name, *case in inputs(tiny)][1:]
    return [
        _row({**labels, "dtype": dtype}, code, A.astype(dtype, order="K"), B.astype(dtype, order="K"), turns)
        for labels, code, A, B in given
        for dtype in (DTYPES if labels["input"] == "contiguous" else DTYPES[:1])
    ]


def _row(labels: Row, code: Code, A: Array, B: Array, turns: int) -> Row:
    left, right = code.encode(A, B)
    blocks = _plain(A, *code.left.shape), _plain(B, *code.right.shape)

    def encode(threads: int) -> None:
        combine(code.left, A, left, threads=threads)
        combine(code.right, B, right, threads=threads)

    def copy() -> None:
        for outs, plain in zip((left, right), blocks, strict=True):
            for task, out in enumerate(outs):
                block = plain[task % len(plain)]
                np.copyto(out[: block.shape[0], : block.shape[1]], block)

    moved = sum(block.nbytes for block in (*left, *right))
    target = TARGET_SECONDS if labels["dtype"] == "float64" and len(A) >= 1990 else None
    return compared(labels, encode, copy, turns, target, moved)


def _plain(matrix: Array, down: int, across: int, _: int) -> list[Array]:
    """The blocks of a matrix as views; those at the edge may be smaller."""
    height, width = -(-matrix.shape[0] // down), -(-matrix.shape[1] // across)
    return [
        matrix[i * height : (i + 1) * height, j * width : (j + 1) * width] for i in range(down) for j in range(across)
    ]
