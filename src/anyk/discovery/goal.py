"""What a search is after."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from anyk.errors import CodeError
from anyk.partition import Partition
from anyk.weights import product_error

#: What can be minimized over the survivor sets.
OBJECTIVES = ("rms", "worst")


@dataclass(frozen=True)
class Goal:
    """What is searched for: tables for this partition from which any ``results`` of ``workers`` answers do.

    Args:
        partition: how A and B are cut.
        workers: number of tasks P.
        results: how many answers must do.
        dtype: the workers' precision, by name.
        objective: ``"rms"`` or ``"worst"`` over survivor sets.
    """

    partition: Partition
    workers: int
    results: int
    dtype: str = "float64"
    objective: str = "rms"

    @cached_property
    def noise(self) -> float:
        """Lambda."""
        return product_error(self.dtype)

    @property
    def name(self) -> str:
        """Of the code: ``"1x5x1-any7of10-float64"``."""
        cut = self.partition
        grid = f"{cut.rows}x{cut.inner}x{cut.cols}-any{self.results}of{self.workers}-{self.dtype}"
        return grid if self.objective == "rms" else f"{grid}-{self.objective}"


def checked(goal: Goal) -> Goal:
    """The goal, if it can be searched for.

    Raises:
        CodeError: numbers that no code can have, or an unknown objective.
        InputError: an unknown dtype.
    """
    cut = goal.partition
    call = (
        f"discover(inner={cut.inner}, workers={goal.workers}, results={goal.results}, rows={cut.rows}, cols={cut.cols})"
    )
    if goal.objective not in OBJECTIVES:
        raise CodeError(f"`{call}`: objective={goal.objective!r} is unknown. Use {either(OBJECTIVES)}.")
    for name in ("workers", "results"):
        if type(getattr(goal, name)) is not int:
            raise CodeError(f"`{call}` needs `{name}` to be an integer, not {getattr(goal, name)!r}.")
    if cut.products == 1:
        raise CodeError(f"`{call}`: one block needs no code. Use replication(1, 1, 1, copies={goal.workers}).")
    fewest = max(cut.wanted, cut.rows * cut.inner, cut.inner * cut.cols)
    if goal.results < fewest:
        raise CodeError(
            f"`{call}`: fewer than {fewest} answers cannot tell the blocks apart, whatever the code. "
            f"Use results={fewest} or more, or fewer blocks."
        )
    if goal.workers < goal.results:
        raise CodeError(
            f"`{call}` cannot be decoded: {goal.results} results are needed and {goal.workers} workers exist. "
            f"Use {goal.results} or more workers, or fewer results."
        )
    _ = goal.noise
    return goal


def either(words: Iterable[str]) -> str:
    """``'a', 'b' or 'c'``."""
    *rest, last = map(repr, words)
    return f"{', '.join(rest)} or {last}"
