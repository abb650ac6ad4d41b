r"""Wrong answers thrown out: by checking each, or from what they say of one another.

*Checked*: a master that knows what right answers look like through secret random columns compares. Whoever differs by
more than rounding is wrong, however many there are and whatever they agree on. Where the answers decode exactly, the
product is formed first and compared with the operands through the probes that measure it anyway: the answers are looked
at one by one only if that fails.

*Syndrome*: `anyk.screening.locate`, which needs nothing but the answers, and more of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod, sqrt
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import norm, times_few
from anyk.code import Code
from anyk.decoding import Weights
from anyk.engines.base import Engine
from anyk.engines.suspicion import blame, distrusted
from anyk.errors import InputError
from anyk.probes import Probe
from anyk.screening import Model, locate
from anyk.screening.alike import gain, strange_rows
from anyk.sparse import entries
from anyk.verbs.centering import Centre
from anyk.verbs.fingerprints import Fingerprints
from anyk.verbs.witness import OperandWitness, Witness

Array = NDArray[Any]
Kind = Literal["checked", "syndrome", "both"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: An answer with a smaller share in a product than this could be wrong without being noticed there.
_QUIET = 0.01


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
        if self.kind not in KINDS:
            raise InputError(f"`screen={self.kind!r}` is unknown. Use 'checked', 'syndrome' or 'both'.")
        if self.model not in ("random", "adversarial"):
            raise InputError(f"`model={self.model!r}` is unknown. Use 'random' or 'adversarial'.")

    @classmethod
    def of(cls, verb: str, code: Code | None, wrong: int, screen: Kind | None, model: Model) -> Self | None:
        """What a verb was asked for; None: nothing.

        Raises:
            InputError: an argument out of range, or a code with too few tasks to find so many wrong answers with.
        """
        if not (wrong or screen):
            return None
        asked = cls(wrong, screen or "checked", model)
        if code is not None:
            asked.check(verb, code)
        return asked

    def check(self, verb: str, code: Code, besides: str = ", or screen='checked'") -> None:
        """Refuse a code with too few tasks to find so many wrong answers with; ``besides`` a larger code: a way out."""
        if code.recovery_threshold + self.extra > code.workers:
            ways = "a code with more workers" + ("" if self.kind == "checked" else besides)
            raise InputError(
                f"`{verb}(wrong={self.wrong}, screen={self.kind!r}, model={self.model!r})` needs "
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
        code: of the answers.
        rng: of the fingerprints.
        witness: who knows what right answers look like; needed unless ``asked`` is for syndromes alone.
        usual: root mean square of a product of two blocks.
        probe: of the product, which is then judged as a whole first; or None.
    """

    def __init__(
        self,
        asked: Screening,
        code: Code,
        rng: Generator,
        witness: Witness,
        usual: float,
        probe: Probe | None = None,
    ) -> None:
        self._asked, self._code, self._rng, self._witness = asked, code, rng, witness
        # Workers whose answers were wrong, as (rank, epoch), and those of them the engine knows of.
        self._blamed: set[tuple[int, int]] = set()
        self._reported: set[tuple[int, int]] = set()
        self._excuses: list[str] = []
        self.renew(usual, probe)

    def renew(self, usual: float, probe: Probe | None) -> None:
        """Go on to other rows of the product."""
        self._usual, self._probe = usual, probe
        #: Of answers that stay on the workers; None: they come here.
        self.fingerprints: Fingerprints | None = None
        #: Tasks whose answers hold, as long as they are not computed again.
        self._cleared: set[int] = set()
        self._vouched: frozenset[int] = frozenset()
        self.words = ""

    @property
    def judges_products(self) -> bool:
        """Whether a product that decodes is to be formed first, for `suspects_in`."""
        return self._asked.kind == "checked" and self._probe is not None and self._code.is_exact

    def suspects_in(self, product: Array, weights: Weights, answers: Mapping[int, Array]) -> tuple[int, ...]:
        """The wrong ones among the answers that a product was formed from.

        Where the product is what the operands give, only answers that hardly count in it are looked at.

        Args:
            product: shape (height, width).
            weights: it was formed with.
            answers: of the weights' survivors.
        """
        if not self._agrees(partial(times_few, product), weights.expected_error):
            return self._unlike_expected(answers)
        shares = np.linalg.norm(weights.matrix, axis=0) * self._code.answer_sizes[[*weights.survivors]]
        quiet = np.flatnonzero(shares < _QUIET * np.linalg.norm(shares))
        wrong = self._unlike_expected({task: answers[task] for task in np.take(weights.survivors, quiet).tolist()})
        before = f"{self.words}, and " if self.words else ""
        self.words = f"{before}the product agrees with the operands to rounding"
        return wrong

    def accepts(self, image: Callable[[Array], Array], weights: Weights) -> bool:
        """Whether a product that workers formed of their answers is what the operands give.

        Args:
            image: the product times some columns.
            weights: it was formed with.
        """
        accepted = self._agrees(image, weights.expected_error)
        if accepted and self.fingerprints is not None:
            self.words = f"{self.fingerprints.words}, and the product agrees with the operands to rounding"
        return accepted

    def _agrees(self, image: Callable[[Array], Array], error: float) -> bool:
        """The product is what the operands give, but for the error expected of it."""
        assert self._probe is not None
        columns = self._probe.columns
        usual = self._usual * sqrt(self._code.partition.inner) * gain(columns)
        with np.errstate(all="ignore"):
            found = image(columns)
        return not strange_rows(found, self._probe.expected, noise=error, usual=usual).size

    def suspects(self, answers: Mapping[int, Array]) -> tuple[int, ...] | None:
        """The wrong ones among these answers; None: some are wrong, and it cannot be said which."""
        wrong = self._unlike_expected(answers) if self._asked.kind != "syndrome" else ()
        if wrong or self._asked.kind == "checked" or self._vouched >= answers.keys():
            return wrong
        located = locate(self._code, answers, self._asked.model, self._rng, usual=self._usual)
        if not located.found and self._asked.kind == "both":
            return ()  # answers that were checked one by one need no second opinion
        self.words = located.reason
        if not located.found:
            return None
        self._vouched = frozenset(answers.keys() - {*located.wrong})
        return located.wrong

    def _unlike_expected(self, answers: Mapping[int, Array]) -> tuple[int, ...]:
        fresh = {task: answer for task, answer in answers.items() if task not in self._cleared}
        wrong = tuple(task for task, answer in fresh.items() if not self._witness.holds(task, answer))
        self._cleared |= fresh.keys() - {*wrong}
        if self._cleared:
            self.words = f"{len(self._cleared)} answers were checked one by one"
        return wrong

    def blame(self, task: int, worker: tuple[int, int]) -> None:
        """Remember who gave this wrong answer, unless it is not to blame.

        Args:
            task: which.
            worker: rank and epoch.
        """
        if excuse := self._witness.excuses(task):
            self._excuses.append(excuse)
        else:
            self._blamed.add(worker)

    @property
    def told(self) -> str:
        """What was found and how, in words."""
        return "; ".join([self.words, *self._excuses])

    def report(self, engine: Engine) -> tuple[int, ...]:
        """Put those blamed on the engine's record, each once for this product.

        Returns:
            Everybody distrusted now, by rank.
        """
        blame(engine, self._blamed - self._reported)
        self._reported |= self._blamed
        return tuple(sorted(distrusted(engine)))

    def forget(self, task: int) -> None:
        """The task is computed again: its answer must be looked at again."""
        self._cleared.discard(task)
        if self.fingerprints is not None:
            self.fingerprints.forget(task)
        self._vouched -= {task}


class OperandScreen(Screen):
    """The screening of one product by a master that has A and B.

    Args:
        asked: how.
        code: of the answers.
        operands: A (height, depth) and B (depth, width).
        blocks: of both, encoded, as they are before any worker has them.
        centre: what was subtracted from both before encoding, or None.
        rng: of the secret columns.
        probe: of the product, where it is to be judged as a whole first.
    """

    def __init__(
        self,
        asked: Screening,
        code: Code,
        operands: tuple[Array, Array],
        blocks: tuple[list[Array], list[Array]],
        centre: Centre | None,
        rng: Generator,
        probe: Probe | None = None,
    ) -> None:
        self._right_size = block_size(code.right, blocks[1])
        usual = self._size(code, blocks[0])
        self._operands = OperandWitness(code, *operands, centre, usual, rng)
        self._b, self._now = operands[1], (operands[0], centre, usual)
        super().__init__(asked, code, rng, self._operands, usual, probe)

    def go_on(self, a: Array, left: list[Array], centre: Centre | None, probe: Probe | None) -> None:
        """Go on to other rows of A, encoded as ``left``."""
        usual = self._size(self._code, left)
        self._operands.renew(a, centre, usual)
        self._now = a, centre, usual
        self.renew(usual, probe)

    def look_there(self) -> None:
        """The answers of the product in hand stay on the workers, who are asked for their fingerprints."""
        a, centre, usual = self._now
        witness = OperandWitness(self._code, a, self._b, centre, usual, self._rng)
        self.fingerprints = Fingerprints(witness)

    def _size(self, code: Code, left: list[Array]) -> float:
        return block_size(code.left, left) * self._right_size * sqrt(left[0].shape[1])


def block_size(coefficients: Array, coded: list[Array]) -> float:
    """Root mean square of the entries of one uncoded block, from a few coded ones."""
    tasks = {0, len(coded) // 2, len(coded) - 1}
    sizes = [norm(entries(coded[task])) / (norm(coefficients[..., task]) or 1.0) for task in tasks]
    return sum(sizes) / len(sizes) / sqrt(max(1, prod(coded[0].shape)))
