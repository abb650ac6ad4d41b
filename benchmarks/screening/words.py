"""Answers to screen, some of them wrong, and what came of screening them."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.code import Code
from anyk.faults import BitFlip, Draw, GaussianError, LowRank
from anyk.faults.corruption import Corrupting
from anyk.screening import Located, Model, locate

Array = NDArray[Any]
Answers = dict[int, Array]
Row = dict[str, Any]
SIZES = ((8, 4), (16, 8), (20, 10), (40, 20))
DTYPES = ("float64", "float32")
#: Errors independent of one another, and those that depend on one another.
INDEPENDENT = ("block", "block 1e-3 … 1e6", "entry 1e-3 … 1e6", "bit flip")
DEPENDENT = ("false codeword", "one cause")
SIDE = 24

#: ``named``: those who were wrong were thrown out, and nobody else; ``unseen``: others were, yet the product is as
#: good as what goes unseen allows; ``declared``: nobody was named; ``silent``: the product is worse than was said.
Outcome = Literal["named", "unseen", "declared", "silent"]


def word(code: Code, rng: Generator, dtype: str, side: int = SIDE) -> Answers:
    """All answers of one product of random matrices."""
    cut = code.partition
    a = rng.standard_normal((cut.rows * side, cut.inner * side)).astype(dtype)
    b = rng.standard_normal((cut.inner * side, cut.cols * side)).astype(dtype)
    return {task: x @ y for task, (x, y) in enumerate(zip(*code.encode(a, b), strict=True))}


def _model(rng: Generator, kind: str, task: int) -> Corrupting:
    hit = {"ranks": (task,)}
    match kind:
        case "block":
            return GaussianError(**hit)
        case "block 1e-3 … 1e6":
            return GaussianError(size=10 ** rng.uniform(-3, 6), **hit)
        case "entry 1e-3 … 1e6":
            return GaussianError(size=10 ** rng.uniform(-3, 6), share=0.0, **hit)
        case "bit flip":
            return BitFlip(**hit)
        case "one cause":
            return LowRank(size=10 ** rng.uniform(-1, 2), **hit)
    raise ValueError(kind)


def spoilt(answers: Answers, other: Answers, wrong: Sequence[int], kind: str, rng: Generator) -> Answers:
    """The answers with some of them wrong; "false codeword": those of another product."""
    if kind == "false codeword":
        return answers | {task: other[task] for task in wrong}
    seed = int(rng.integers(2**40))
    fates = {task: _model(rng, kind, task).fate(Draw(seed, 0, task)) for task in wrong}
    return answers | {task: fate.corrupt[0](answers[task], None) for task, fate in fates.items()}


def outcome(code: Code, answers: Answers, given: Answers, model: Model, rng: Generator) -> Outcome:
    """What came of screening the given answers, some of which differ from the right ones."""
    located = locate(code, given, model, rng)
    if not located.found:
        return "declared"
    wrong = {task for task in given if given[task] is not answers[task]}
    if {*located.wrong} == wrong:
        return "named"
    return "silent" if _off(code, answers, given, located) > 1 else "unseen"


def _off(code: Code, answers: Answers, given: Answers, located: Located) -> float:
    """Error of the product that is left, in units of what may be left: rounding, and what may go unseen."""
    kept = [task for task in given if task not in located.wrong]
    weights, _ = code.solve(kept, given[0].dtype)
    weights = weights.astype(np.result_type(weights, given[0], np.float64))
    formed, right = (
        weights @ np.array([each[task].ravel() for task in kept]).astype(weights.dtype) for each in (given, answers)
    )
    # An error that cannot be told from rounding may be enlarged by the decoding weights, as rounding is.
    hidden = located.unseen * float(np.linalg.norm(weights * code.answer_sizes[kept], axis=0).max())
    error = np.linalg.norm(formed - right) / np.linalg.norm(right)
    return float(error) / max(100 * code.expected_error(kept, given[0].dtype), hidden)
