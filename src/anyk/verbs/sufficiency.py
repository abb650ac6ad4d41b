"""Do these answers decode? What a job asks of a code's tables."""

from dataclasses import dataclass
from typing import Any

from anyk.code import Code


@dataclass(frozen=True)
class Tables:
    """A code's tables in one dtype, as the job's `anyk.job.Decodability`; see `Code.decodes`."""

    code: Code
    dtype: Any

    def expected_error(self, tasks: tuple[int, ...]) -> float:
        """Relative error to expect from these answers."""
        return self.code.expected_error(tasks, self.dtype)

    def sufficient(self, tasks: tuple[int, ...]) -> bool:
        """Whether these answers decode."""
        return self.code.decodes(tasks, self.dtype)

    @property
    def fewest(self) -> int:
        """No smaller set decodes: its tables could not span the blocks of A, of B, or of C."""
        cut = self.code.partition
        return max(cut.rows * cut.cols, cut.rows * cut.inner, cut.inner * cut.cols)
