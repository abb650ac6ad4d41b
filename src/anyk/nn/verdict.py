"""Who is wrong in one product, from random fingerprints of the answers: the same at every node.

Legend: P = nodes, T = tasks, B = rows of a batch, w = columns of an answer.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from anyk.code import Code
from anyk.nn.clean import checks_of
from anyk.nn.codes import Stage
from anyk.nn.precision import combined_in, decodes, exact
from anyk.screening import Model, columns_for, draw_columns, locate

#: Check answers by at least so many columns, and so many numbers as long as that takes no more than so many columns: a
#: single number agrees by chance too often, in coarse precision also a few.
LEAST_COLUMNS, _LEAST_WORDS, _MOST_COLUMNS = 2, 16, 8


@dataclass(frozen=True, eq=False)
class Verdict:
    """What is known of the answers to one product.

    Args:
        answers: of the tasks, shape (T, B, w).
        tasks: whose answers are right.
        nodes: who was wrong.
        found: the wrong ones are found, and the others decode.
        reason: why not.
    """

    answers: Tensor
    tasks: list[int]
    nodes: list[int]
    found: bool
    reason: str


def screened(
    stage: Stage, answers: Tensor, usable: NDArray[np.bool_], model: Model, noise: float, rng: Generator
) -> Verdict:
    """Find the wrong answers of one product.

    Args:
        stage: of the product.
        answers: of all nodes, shape (P, B, w).
        usable: which of them count, shape (P,).
        model: what errors may be like.
        noise: relative error of one clean answer.
        rng: the same at every node.
    """
    tasks = list(range(len(stage.members)))
    if not usable.all():
        tasks = [task for task in tasks if usable[list(stage.members[task])].all()]
    if stage.sums:
        answers = torch.stack([answers[list(nodes)].sum(dim=0) for nodes in stage.members])
    needed = stage.code.recovery_threshold
    if len(tasks) == needed == stage.code.workers:
        return Verdict(answers, tasks, [], True, "this code has nothing to check by")
    if len(tasks) <= needed:
        reason = f"{len(tasks)} answers came; {needed} decode, and only more of them can be checked"
        return Verdict(answers, tasks, [], False, reason)
    wrong, found, reason = _located(stage.code, answers, tasks, model, noise, rng)
    good = [task for task in tasks if task not in wrong]
    nodes = sorted({node for task in wrong for node in stage.members[task]})
    if found and not decodes(stage.code, good, answers):
        found, reason = False, f"the {len(good)} right answers do not decode in {combined_in(answers)}"
    return Verdict(answers, good, nodes, found, reason)


def _located(
    code: Code, answers: Tensor, tasks: list[int], model: Model, noise: float, rng: Generator
) -> tuple[tuple[int, ...], bool, str]:
    """Fingerprints of the tasks' answers, shape (T, B, w), and what they say."""
    least = min(_MOST_COLUMNS, max(LEAST_COLUMNS, -(-_LEAST_WORDS // answers.shape[1])))
    answers = answers if len(tasks) == len(answers) else answers[tasks]
    known = _fingerprints(answers, least, rng).cpu().numpy()
    if checks_of(code, tuple(tasks), combined_in(answers)).agree(known, noise):
        return (), True, ""
    count = columns_for(len(tasks) - code.recovery_threshold - 1)
    if count > least:
        known = _fingerprints(answers, count, rng).cpu().numpy()
    found = locate(code, dict(zip(tasks, known, strict=True)), model, rng, noise=noise)
    return found.wrong, found.found, found.reason


def _fingerprints(answers: Tensor, count: int, rng: Generator) -> Tensor:
    """Answers (T, B, w) times a few random columns, shape (T, B, count)."""
    exactly = exact(answers.detach())
    columns = np.ascontiguousarray(draw_columns(exactly.shape[2], count, rng).T)
    # Five times as fast as a product with the same numbers in columns.
    return functional.linear(exactly, torch.from_numpy(columns).to(exactly))
