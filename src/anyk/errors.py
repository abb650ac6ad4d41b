"""Every exception anyk raises, split by whose move it is.

    AnykError
    ├── CodeError        the code: it cannot exist, or cannot work in the asked precision
    ├── InputError       the caller's data: shapes, dtypes, values, files
    ├── ClusterError     the workers: too few answers in time, an engine that cannot start
    │   ├── WorkerLost   one worker died; every answer it owed is gone
    │   ├── LeftOut      this rank fell behind the others and no longer counts
    │   └── Uncorrectable   more wrong answers than can be located: only an earlier state helps
    └── PrecisionError   the numbers: an answer exists but not to the accuracy asked for

A message names the call, the rule, what came, and the way out.
"""

from concurrent.futures import BrokenExecutor


class AnykError(Exception):
    """Root of every exception anyk raises."""


class CodeError(AnykError, ValueError):
    """A code that cannot exist, or that cannot work in the asked precision."""


class InputError(AnykError, ValueError):
    """Data the caller must change: shapes, dtypes, values, files."""


class ClusterError(AnykError, RuntimeError):
    """The workers could not do it: too few answers in time, or an engine that cannot start."""


class WorkerLost(ClusterError, BrokenExecutor):
    """A worker died; every answer it owed is gone.

    Args:
        rank: the lane's position in the code.
        epoch: which incarnation of that lane died.
        cause: what is known, in words.
    """

    def __init__(self, rank: int, epoch: int, cause: str) -> None:
        super().__init__(f"worker {rank} (epoch {epoch}) was lost: {cause}")
        self.rank, self.epoch, self.cause = rank, epoch, cause

    def __reduce__(self) -> tuple[type["WorkerLost"], tuple[int, int, str]]:
        """Rebuild from the three facts, so that a loss can travel between processes."""
        return type(self), (self.rank, self.epoch, self.cause)


class LeftOut(ClusterError):
    """This rank fell behind the others and no longer counts; it can ask to be let in again."""


class Uncorrectable(ClusterError):
    """More answers or stored blocks are wrong than can be located; only an earlier state helps."""


class PrecisionError(AnykError, ArithmeticError):
    """An answer exists, but not to the accuracy asked for."""


class PrecisionWarning(UserWarning):
    """An answer is returned with fewer digits than its dtype could hold; the message says the remedy."""
