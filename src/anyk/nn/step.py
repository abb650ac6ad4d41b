"""One attempt at one training step, and what becomes of it."""

from collections.abc import Callable
from types import TracebackType

from anyk.errors import LeftOut, Uncorrectable


class Step:
    """One attempt at one training step; ``with step:`` makes an uncorrectable product in it roll back.

    Args:
        number: of the step, from 0; also ``int(step)``, and where an index is asked for.
        finish: called once it was made; says whether it counts, or was rolled back meanwhile.
        fail: called with what went wrong: an uncorrectable product, or being left out.

    Attributes:
        done: it was made. False while it runs, and after a roll-back.
    """

    def __init__(self, number: int, finish: Callable[[], bool], fail: Callable[[Exception], None]) -> None:
        self.number, self.done, self._finish, self._fail = number, False, finish, fail

    def __index__(self) -> int:
        return self.number

    def __repr__(self) -> str:
        return f"Step({self.number})"

    def __enter__(self) -> "Step":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(problem, Uncorrectable | LeftOut):
            self._fail(problem)
            return True
        if problem is None:
            self.finish()
        return False

    def finish(self) -> None:
        """Made, unless it was rolled back meanwhile."""
        if not self.done:
            self.done = self._finish()
