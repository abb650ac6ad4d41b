"""The last step alone: a product from answers that are already there, however they were computed."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anyk.arrays import working_dtype
from anyk.code import Code
from anyk.decoding import prepare
from anyk.errors import InputError, PrecisionError
from anyk.verbs.product import Product
from anyk.verbs.sufficiency import Tables

Array = NDArray[Any]


def decode(
    code: Code, results: Mapping[int, ArrayLike], *, shape: tuple[int, int] | None = None, partial: bool = False
) -> Product:
    """The product from tasks' answers; pure: no engine, no operands.

    Args:
        code: the code whose `Code.encode` made the blocks.
        results: task -> its answer ``encoded A @ encoded B``; all of one shape (height, width), finite. All are used.
        shape: of the product, to crop what the partition padded; default: the full grid. Its dtype is the answers'.
        partial: return the best product of answers that do not decode, instead of refusing.

    Returns:
        The product with its *expected* error (nothing is known to measure it against).

    Raises:
        InputError: no answers, unknown tasks, answers of different shapes or with entries that are not finite, or a
            shape that does not fit.
        PrecisionError: the answers do not decode and ``partial`` is False.

    >>> import numpy as np, anyk
    >>> code = anyk.codes.matdot(inner=2, workers=4)
    >>> a, b = code.encode(np.eye(4), np.eye(4))
    >>> bool(np.allclose(anyk.decode(code, {w: a[w] @ b[w] for w in (0, 2, 3)}), np.eye(4)))
    True
    """
    began = perf_counter()
    answers = _checked(code, results)
    tasks, first = tuple(sorted(answers)), next(iter(answers.values()))
    full = (first.shape[0] * code.partition.rows, first.shape[1] * code.partition.cols)
    wanted = full if shape is None else _fitting(code, first.shape, shape)
    if not (partial or Tables(code, first.dtype).sufficient(tasks)):
        raise PrecisionError(
            f"`decode` got {len(tasks)} answers (tasks {list(tasks)}) of `{code.name}`, which needs "
            f"{code.recovery_threshold}: a relative error of {code.expected_error(tasks, first.dtype):.1e} is "
            "expected. Add answers, or pass partial=True."
        )
    weights = prepare(code, tasks, first.dtype)
    value = np.empty(wanted, first.dtype)
    weights.apply(answers, code.partition, value)
    seconds = {"decode": perf_counter() - began, "total": perf_counter() - began}
    error = weights.expected_error
    return Product(value, tasks, (), error, "expected", f"decoded from {len(tasks)} given answers", seconds, code)


def _checked(code: Code, results: Mapping[int, ArrayLike]) -> dict[int, Array]:
    if not results:
        raise InputError("`decode(code, results)` needs at least one answer; `results` is empty.")
    strange = [task for task in results if not isinstance(task, int | np.integer) or not 0 <= task < code.workers]
    if strange:
        raise InputError(f"`decode`: {strange[0]!r} is no task of `{code.name}`; its tasks are 0 … {code.workers - 1}.")
    answers = {int(task): _numbers(task, answer) for task, answer in results.items()}
    dtype = working_dtype(*(answer.dtype for answer in answers.values()))
    shapes = {answer.shape for answer in answers.values()}
    if len(shapes) > 1 or any(len(each) != 2 for each in shapes):
        raise InputError(f"`decode` needs answers that are matrices of one shape, not {sorted(shapes)}.")
    for task, answer in answers.items():
        if not np.isfinite(answer).all():
            raise InputError(f"`decode`: the answer of task {task} holds NaN or infinity. Leave it out.")
    return {task: answer.astype(dtype, copy=False) for task, answer in answers.items()}


def _numbers(task: int, answer: ArrayLike) -> Array:
    array = np.asarray(answer)
    if array.dtype.kind not in "fciub":
        raise InputError(f"`decode` takes numbers; the answer of task {task} has dtype {array.dtype}.")
    return array


def _fitting(code: Code, block: tuple[int, ...], shape: tuple[int, int]) -> tuple[int, int]:
    if code.partition.result_block(shape) != block:
        raise InputError(
            f"`decode(shape={shape})` does not fit answers of shape {block}: with partition {code.partition} "
            f"they would have shape {code.partition.result_block(shape)}."
        )
    return shape
