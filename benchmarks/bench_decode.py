"""Decoding: the product from K answers, weights prepared, against copying those answers into the result."""

from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.code import Code
from anyk.decoding import prepare
from benchmarks.measure import Row
from benchmarks.stages import DTYPES, cases, compared

Array = NDArray[Any]

TARGET_SECONDS = {"polynomial 4x4": 0.010, "matdot m=8": 0.030}


def run(tiny: bool) -> list[Row]:
    """Every code in every precision, then answers and results that lie badly in memory."""
    turns = 2 if tiny else 9
    rows = []
    for name, code, A, B in cases(tiny):
        answers, out = _answers(code, A, B), np.zeros((len(A), B.shape[1]))
        target = None if tiny else TARGET_SECONDS.get(name)
        for dtype in DTYPES:
            labels = {"code": name, "layout": "contiguous", "dtype": dtype}
            converted = {task: answer.astype(dtype) for task, answer in answers.items()}
            wanted = target if dtype == "float64" else None
            rows.append(_row(labels, code, converted, out.astype(dtype), turns, wanted))
        apart = {task: np.pad(answer, ((0, 0), (0, 2)))[:, :-2] for task, answer in answers.items()}
        for layout, given, place in (
            ("answers cut out of larger ones", apart, out),
            ("result in columns", answers, np.empty_like(out, order="F")),
            ("result cropped", answers, np.empty((len(out) - 3, len(out.T) - 3))),
        ):
            if not (layout == "result cropped" and code.partition.wanted == 1):  # nothing to crop there
                labels = {"code": name, "layout": layout, "dtype": "float64"}
                rows.append(_row(labels, code, given, place, turns, None))
    return rows


def _answers(code: Code, A: Array, B: Array) -> dict[int, Array]:
    """The answers of the last K tasks."""
    left, right = code.encode(A, B)
    return {task: left[task] @ right[task] for task in range(code.workers - code.recovery_threshold, code.workers)}


def _row(labels: Row, code: Code, answers: dict[int, Array], out: Array, turns: int, target: float | None) -> Row:
    weights, cut = prepare(code, answers, out.dtype), code.partition
    height, width = cut.result_block(out.shape)
    places = [
        out[i * height : (i + 1) * height, l * width : (l + 1) * width]
        for i in range(cut.rows)
        for l in range(cut.cols)
    ]

    def copy() -> None:
        for place, answer in zip(cycle(places), answers.values(), strict=False):
            np.copyto(place, answer[: place.shape[0], : place.shape[1]])

    moved = sum(answer.nbytes for answer in answers.values())
    return compared(
        labels, lambda threads: weights.apply(answers, cut, out, threads=threads), copy, turns, target, moved
    )
