r"""Wrong answers thrown out before they are decoded: by checking each, or from what they say of one another.

*Checked*: the master has the encoded blocks, so it knows what an answer looks like through random columns,
$Y_w \Omega = \tilde A_w (\tilde B_w \Omega)$ (Freivalds' check, for each task). Whoever differs by more than rounding
is wrong, however many there are and whatever they agree on. The columns are secret, and what they should give is worked
out before any worker gets its blocks, so a worker that spoils its blocks is caught too.

*Syndrome*: `anyk.screening.locate`, which needs nothing but the answers, and more of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, sqrt
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import norm, times_few
from anyk.code import Code
from anyk.errors import InputError
from anyk.screening import Model, draw_columns, locate
from anyk.screening.thresholds import FALSE_ALARM, MARGIN
from anyk.weights import product_error

Array = NDArray[Any]
Kind = Literal["checked", "syndrome", "both"]

#: Columns by which each answer is checked: one would do against chance; two leave no doubt in float32.
_COLUMNS = 2


@dataclass(frozen=True)
class Screening:
    """What was asked for.

    Args:
        wrong: how many answers may be wrong; at least 0.
        kind: how they are found.
        model: what wrong answers may be like, where they are found from the answers alone.

    Raises:
        InputError: a field out of range.
    """

    wrong: int
    kind: Kind
    model: Model

    def __post_init__(self) -> None:
        if self.wrong < 0:
            raise InputError(f"`wrong={self.wrong}` counts answers and cannot be negative.")
        if self.kind not in ("checked", "syndrome", "both"):
            raise InputError(f"`screen={self.kind!r}` is unknown. Use 'checked', 'syndrome' or 'both'.")
        if self.model not in ("random", "adversarial"):
            raise InputError(f"`model={self.model!r}` is unknown. Use 'random' or 'adversarial'.")

    def check(self, code: Code) -> None:
        """Refuse a code with too few tasks to find so many wrong answers with."""
        if code.recovery_threshold + self.extra > code.workers:
            ways = "a code with more workers" + ("" if self.kind == "checked" else ", or screen='checked'")
            raise InputError(
                f"`matmul(wrong={self.wrong}, screen={self.kind!r}, model={self.model!r})` needs "
                f"{code.recovery_threshold} + {self.extra} answers, and `{code.name}` has {code.workers} tasks. "
                f"Use {ways}."
            )

    @property
    def extra(self) -> int:
        """Answers to await beyond the recovery threshold.

        >>> [Screening(2, kind, "random").extra for kind in ("checked", "syndrome")]
        [2, 3]
        >>> Screening(2, "syndrome", "adversarial").extra
        4
        """
        if self.kind == "checked" or not self.wrong:
            return self.wrong
        return self.wrong + 1 if self.model == "random" else 2 * self.wrong


class Screen:
    """The screening of one product.

    Args:
        asked: how.
        code: of the encoded operands.
        left: encoded blocks of A, as they are before any worker has them.
        right: encoded blocks of B, likewise.
        rng: of the secret columns.
    """

    def __init__(self, asked: Screening, code: Code, left: list[Array], right: list[Array], rng: Generator) -> None:
        self._asked, self._code, self._rng = asked, code, rng
        self._right_size = _block_size(code.right, right)
        self._noise = product_error(left[0].dtype)
        self._columns = draw_columns(right[0].shape[1], _COLUMNS, rng).astype(left[0].dtype)
        self._images = [] if asked.kind == "syndrome" else _images(code.right, right, self._columns)
        self.renew(left)

    def renew(self, left: list[Array]) -> None:
        """Begin anew with other blocks of A: the next rows of the product."""
        self._usual = _block_size(self._code.left, left) * self._right_size * sqrt(left[0].shape[1])
        self._expected = [times_few(block, image) for block, image in zip(left, self._images, strict=False)]
        #: Tasks whose answers hold, as long as they are not computed again.
        self._cleared: set[int] = set()
        self._vouched: frozenset[int] = frozenset()
        self.words = ""

    def suspects(self, answers: Mapping[int, Array]) -> tuple[int, ...] | None:
        """The wrong ones among these answers; None: some are wrong, and it cannot be said which."""
        wrong = self._unlike_expected(answers) if self._expected else ()
        if wrong or self._asked.kind == "checked" or self._vouched >= answers.keys():
            return wrong
        located = locate(self._code, answers, self._asked.model, self._rng, usual=self._usual)
        self.words = located.reason
        if not located.found:
            # Answers that were checked one by one need no second opinion.
            return () if self._expected else None
        self._vouched = frozenset(answers.keys() - {*located.wrong})
        return located.wrong

    def _unlike_expected(self, answers: Mapping[int, Array]) -> tuple[int, ...]:
        fresh = {task: answer for task, answer in answers.items() if task not in self._cleared}
        wrong = tuple(task for task, answer in fresh.items() if not self._holds(task, answer))
        self._cleared |= fresh.keys() - {*wrong}
        self.words = f"{len(answers) - len(wrong)} answers were checked one by one"
        return wrong

    def _holds(self, task: int, answer: Array) -> bool:
        expected = self._expected[task]
        with np.errstate(all="ignore"):
            found = times_few(answer, self._columns) - expected
            squares = (abs(expected) ** 2).mean(axis=1, keepdims=True)
            usual = self._usual * self._code.answer_sizes[task]
            usual *= float(np.sqrt((abs(self._columns) ** 2).sum(axis=0).mean()))
            units = self._noise * np.sqrt(squares + squares.mean() + usual**2)
            limit = MARGIN * (1 + sqrt(2 * log(max(1, found.size * len(self._expected)) / FALSE_ALARM)))
            return bool((abs(found) <= limit * np.where(units > 0, units, 1.0)).all())

    def forget(self, task: int) -> None:
        """The task is computed again: its answer must be looked at again."""
        self._cleared.discard(task)
        self._vouched -= {task}


def _images(coefficients: Array, coded: list[Array], columns: Array) -> list[Array]:
    """Every coded block times the columns; blocks with the same coefficients are the same."""
    known: dict[bytes, Array] = {}
    for task, block in enumerate(coded):
        key = coefficients[..., task].tobytes()
        if key not in known:
            known[key] = times_few(block, columns)
    return [known[coefficients[..., task].tobytes()] for task in range(len(coded))]


def _block_size(coefficients: Array, coded: list[Array]) -> float:
    """Root mean square of the entries of one uncoded block, from a few coded ones."""
    tasks = {0, len(coded) // 2, len(coded) - 1}
    sizes = [norm(coded[task]) / (norm(coefficients[..., task]) or 1.0) for task in tasks]
    return sum(sizes) / len(sizes) / sqrt(max(1, coded[0].size))
