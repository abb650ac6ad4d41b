"""Wrong answers where no operand is here: Dask arrays stay with their cluster, so the answers judge one another."""

from dataclasses import replace
from typing import Any

from numpy.random import Generator
from numpy.typing import NDArray

from anyk.code import Code
from anyk.errors import InputError
from anyk.probes import Probe
from anyk.verbs.centering import Centre
from anyk.verbs.lazy import LazyBlocks
from anyk.verbs.screen import Kind, Screen, Screening

Array = NDArray[Any]


def without_operands(asked: Screening, verb: str, code: Code | None, screen: Kind | None, *, stays: bool) -> Screening:
    """What was asked for, as it can be done where the operands are not here: by syndromes.

    Args:
        asked: how wrong answers would be found if they were.
        verb: for messages.
        code: of the answers, if it is known already.
        screen: as the caller said it, or None.
        stays: the answers are to stay elsewhere, too.

    Raises:
        InputError: checks by operands are wanted, answers that stay away, or more of them than the code has.
    """
    if screen in ("checked", "both"):
        raise InputError(
            f"`{verb}(screen={screen!r})`: answers are checked against operands that are here, not Dask arrays. Use "
            "screen='syndrome', which takes nothing but the answers."
        )
    if stays:
        raise InputError(
            f"`{verb}(wrong={asked.wrong})` of Dask arrays compares the answers with one another, and they come here "
            "for it. Leave out reduce=True, and use result='array'."
        )
    found = replace(asked, kind="syndrome")
    if code is not None:
        found.check(verb, code, besides="")
    return found


class BlindScreen(Screen):
    """The screening of one product by a master that has neither A nor B.

    Args:
        asked: for syndromes.
        code: of the answers.
        operands: encoded where they are.
        rng: of the fingerprints.
    """

    def __init__(self, asked: Screening, code: Code, operands: list[LazyBlocks], rng: Generator) -> None:
        super().__init__(asked, code, rng, _Nobody(operands), 0.0)

    def go_on(self, a: Array, left: list[Array], centre: Centre | None, probe: Probe | None) -> None:
        """Go on to other rows of A."""
        self.renew(0.0, None)

    def look_there(self) -> None:
        """Answers that are judged here are never left there (`without_operands`)."""
        raise AssertionError("answers that stay away cannot be compared with one another here")

    @property
    def told(self) -> str:
        """What was found and how, in words."""
        return f"{super().told} (from the answers alone: the operands are Dask arrays, which are not here)"


class _Nobody:
    """A witness who knows nothing, but has what wrong answers came from encoded anew."""

    def __init__(self, operands: list[LazyBlocks]) -> None:
        self._operands = operands

    def holds(self, task: int, answer: Array) -> bool:
        """Nobody can say."""
        raise AssertionError("there is nothing to check answers by")

    def excuses(self, task: int) -> str:
        """Nobody; but the block may be wrong in place of the answer."""
        for blocks in self._operands:
            blocks.resend(task)
        return ""
