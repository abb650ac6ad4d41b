"""Do these answers decode? What a job asks of a code's tables."""

from dataclasses import dataclass
from functools import lru_cache
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
        return _decodes(self.code, tasks, self.dtype)

    @property
    def fewest(self) -> int:
        """No smaller set decodes: its tables could not span the blocks of A, of B, or of C."""
        cut = self.code.partition
        return max(cut.rows * cut.cols, cut.rows * cut.inner, cut.inner * cut.cols)


@lru_cache(maxsize=4096)
def _decodes(code: Code, tasks: tuple[int, ...], dtype: Any) -> bool:
    """Remembered: the products of a matrix that stays on the workers come from the same few survivor sets."""
    return code.decodes(tasks, dtype)
