"""The last step alone: a product from answers that are already there, however they were computed."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from anyk.arrays import working_dtype
from anyk.code import Code
from anyk.decoding import prepare
from anyk.engines import limits
from anyk.errors import InputError, PrecisionError
from anyk.screening import Located, Model, locate
from anyk.verbs.given import answers_given
from anyk.verbs.product import Product
from anyk.verbs.sufficiency import Tables

Array = NDArray[Any]


def decode(
    code: Code,
    results: Mapping[int, ArrayLike],
    *,
    shape: tuple[int, int] | None = None,
    partial: bool = False,
    wrong: int = 0,
    model: Model = "random",
    noise: float | None = None,
    rng: Generator | int | None = None,
) -> Product:
    """The product from tasks' answers; pure: no engine, no operands.

    Args:
        code: the code whose `Code.encode` made the blocks.
        results: task -> its answer ``encoded A @ encoded B``; all of one shape (height, width), finite. All are used.
        shape: of the product, to crop what the partition padded; default: the full grid. Its dtype is the answers'.
        partial: return the best product of answers that do not decode, instead of refusing.
        wrong: how many of the answers may be wrong. They are located from the answers alone and left out (see
            `anyk.locate`), which takes K + wrong + 1 answers, or K + 2 wrong where the errors may conspire.
        model: what wrong answers may be like: ``"random"`` or ``"adversarial"``.
        noise: relative error of one right answer, where it is more than rounding (see `anyk.locate`).
        rng: generator or seed of the fingerprints by which they are located; default: fresh randomness.

    Returns:
        The product with its *expected* error (nothing is known to measure it against).

    Raises:
        InputError: no answers, unknown tasks, answers of different shapes or with entries that are not finite, or a
            shape that does not fit.
        PrecisionError: the answers do not decode and ``partial`` is False; or some are wrong and it cannot be said
            which.

    >>> import numpy as np, anyk
    >>> code = anyk.codes.matdot(inner=2, workers=4)
    >>> a, b = code.encode(np.eye(4), np.eye(4))
    >>> bool(np.allclose(anyk.decode(code, {w: a[w] @ b[w] for w in (0, 2, 3)}), np.eye(4)))
    True
    """
    began = perf_counter()
    answers, located = answers_given("decode", code, results), None
    if wrong < 0:
        raise InputError(f"`decode(wrong={wrong})`: `wrong` counts answers and cannot be negative.")
    if wrong:
        answers, located = _screened(code, answers, wrong, model, noise, np.random.default_rng(rng))
    answers = _finite(answers)
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
    weights.apply(answers, code.partition, value, threads=limits.threads())
    seconds = {"decode": perf_counter() - began, "total": perf_counter() - began}
    reason = f"decoded from {len(tasks)} given answers" + (f"; {located.reason}" if located else "")
    named = located.wrong if located else ()
    return Product(value, tasks, named, weights.expected_error, "expected", reason, seconds, code)


def _finite(answers: Mapping[int, Array]) -> dict[int, Array]:
    """The answers in one working dtype; none may hold NaN or infinity."""
    dtype = working_dtype(*(answer.dtype for answer in answers.values()))
    for task, answer in answers.items():
        if not np.isfinite(answer).all():
            raise InputError(
                f"`decode`: the answer of task {task} holds NaN or infinity. Leave it out, or say how many answers may "
                "be wrong (wrong=1)."
            )
    return {task: answer.astype(dtype, copy=False) for task, answer in answers.items()}


def _screened(
    code: Code, answers: Mapping[int, Array], wrong: int, model: Model, noise: float | None, rng: Generator
) -> tuple[dict[int, Array], Located]:
    """The answers that agree, and who is left out."""
    spare = wrong + 1 if model == "random" else 2 * wrong
    if len(answers) < code.recovery_threshold + spare:
        raise PrecisionError(
            f"`decode(wrong={wrong}, model={model!r})` needs {code.recovery_threshold + spare} answers of "
            f"`{code.name}`, and {len(answers)} came: {code.recovery_threshold} to decode and {spare} to locate "
            f"{wrong} wrong ones. Add answers."
        )
    located = locate(code, answers, model, rng, noise=noise)
    if not located.found:
        raise PrecisionError(f"`decode(wrong={wrong}, model={model!r})` forms no product: {located.reason}.")
    return {task: answer for task, answer in answers.items() if task not in located.wrong}, located


def _fitting(code: Code, block: tuple[int, ...], shape: tuple[int, int]) -> tuple[int, int]:
    if code.partition.result_block(shape) != block:
        raise InputError(
            f"`decode(shape={shape})` does not fit answers of shape {block}: with partition {code.partition} "
            f"they would have shape {code.partition.result_block(shape)}."
        )
    return shape
