"""Answers as the caller hands them over, checked."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anyk.code import Code
from anyk.errors import InputError

Array = NDArray[Any]


def answers_given(verb: str, code: Code, results: Mapping[int, ArrayLike]) -> dict[int, Array]:
    """The answers as matrices of numbers of one shape.

    Args:
        verb: the public function called, for messages.
        code: of the answers.
        results: task -> its answer.

    Raises:
        InputError: no answers, unknown tasks, answers that are no numbers or of different shapes.
    """
    if not results:
        raise InputError(f"`{verb}(code, results)` needs at least one answer; `results` is empty.")
    strange = [task for task in results if not isinstance(task, int | np.integer) or not 0 <= task < code.workers]
    if strange:
        raise InputError(f"`{verb}`: {strange[0]!r} is no task of `{code.name}`; its tasks are 0 … {code.workers - 1}.")
    answers = {int(task): _numbers(verb, task, answer) for task, answer in results.items()}
    shapes = {answer.shape for answer in answers.values()}
    if len(shapes) > 1 or any(len(each) != 2 for each in shapes):
        raise InputError(f"`{verb}` needs answers that are matrices of one shape, not {sorted(shapes)}.")
    return answers


def _numbers(verb: str, task: int, answer: ArrayLike) -> Array:
    array = np.asarray(answer)
    if array.dtype.kind not in "fciub":
        raise InputError(f"`{verb}` takes numbers; the answer of task {task} has dtype {array.dtype}.")
    return array
