"""Do these answers decode? What a job asks of a code's tables."""

from dataclasses import dataclass
from typing import Any

from anyk.code import WORST_USEFUL_ERROR, Code
from anyk.weights import product_error

#: Below the threshold, answers count as decoding only if they do so to this many rounding errors.
_LUCKY = 100


@dataclass(frozen=True)
class Tables:
    """A code's tables in one dtype, as the job's `anyk.job.Decodability`.

    From the recovery threshold on a set decodes unless it is one of the rare badly conditioned ones; below it, only if
    the tables happen to allow it to rounding.
    """

    code: Code
    dtype: Any

    def expected_error(self, tasks: tuple[int, ...]) -> float:
        """Relative error to expect from these answers."""
        return self.code.expected_error(tasks, self.dtype)

    def sufficient(self, tasks: tuple[int, ...]) -> bool:
        """Whether these answers decode."""
        return self.expected_error(tasks) <= self.limit(len(tasks))

    def limit(self, answers: int) -> float:
        """Up to this expected error a set of so many answers counts as decoding."""
        enough = answers >= self.code.recovery_threshold
        useful = max(WORST_USEFUL_ERROR, 2 * self.code.design_error)
        return useful if enough else _LUCKY * product_error(self.dtype)

    @property
    def fewest(self) -> int:
        """No smaller set decodes: its tables could not span the blocks of A, of B, or of C."""
        cut = self.code.partition
        return max(cut.rows * cut.cols, cut.rows * cut.inner, cut.inner * cut.cols)
