"""One way to compute the product, with everything predicted of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyk.code import Code
from anyk.planning.words import in_bytes, in_seconds


@dataclass(frozen=True)
class Candidate:
    """A code, what it will cost, and why it stands where it stands.

    Args:
        code: to be passed to `anyk.matmul`; for ``"one machine"`` the whole product as a single task.
        family: of the code; ``"one machine"``: do not distribute.
        reason: why it is recommended, or what it loses by.
        seconds: expected time of a product, on workers that are running.
        late_seconds: one product in a hundred takes longer; infinite where more than that are lost.
        lost: share of products that too few answers come for; the expected time counts that they are made again.
        phases: seconds by phase: encode, upload, work, download, delays, decode, check, overhead. Uploads, work,
            delays and downloads overlap.
        answers: that are awaited; with copies: of the expected order of arrival.
        error: expected relative error (root mean square over survivor sets of threshold size).
        worst_error: the largest over the sets looked at, the contiguous one among them.
        operations: real floating-point operations of one worker.
        memory: bytes of one worker's coded blocks and answer.
        upload: bytes from the master to all workers.
        download: bytes of the awaited answers.
        correctable: error model -> how many wrong answers could be located among those that come when all stragglers
            are missing, from the answers alone.
    """

    code: Code
    family: str
    reason: str
    seconds: float
    late_seconds: float
    lost: float
    phases: Mapping[str, float]
    answers: int
    error: float
    worst_error: float
    operations: float
    memory: float
    upload: float
    download: float
    correctable: Mapping[str, int]

    @property
    def traffic(self) -> float:
        """Bytes both ways."""
        return self.upload + self.download

    @property
    def is_distributed(self) -> bool:
        """Whether workers are needed at all."""
        return self.family != "one machine"

    @property
    def name(self) -> str:
        """Family, partition and workers in a few words.

        >>> import anyk
        >>> anyk.plan((20, 20), (20, 20), workers=3).best.name
        'one machine'
        """
        return f"{self.short_name} on {self.code.workers}" if self.is_distributed else self.family

    @property
    def short_name(self) -> str:
        """Family and partition."""
        return f"{self.family} {self.code.partition}".replace(" x ", "x") if self.is_distributed else self.family

    def __repr__(self) -> str:
        return f"Candidate({self.name!r}, {in_seconds(self.seconds)}, {in_bytes(self.traffic)}, error {self.error:.0e})"

    def as_dict(self) -> dict[str, Any]:
        """Everything but the tables, in plain types; what is infinite is None."""
        code = self.code
        return {
            "name": self.name,
            "family": self.family,
            "code": code.name,
            "partition": {"rows": code.partition.rows, "inner": code.partition.inner, "cols": code.partition.cols},
            "workers": code.workers if self.is_distributed else 0,
            "recovery_threshold": code.recovery_threshold,
            "answers": self.answers,
            "seconds": _finite(self.seconds),
            "late_seconds": _finite(self.late_seconds),
            "lost": self.lost,
            "phases": {phase: _finite(seconds) for phase, seconds in self.phases.items()},
            "error": self.error,
            "worst_error": self.worst_error,
            "operations_per_worker": self.operations,
            "memory_per_worker": self.memory,
            "upload": self.upload,
            "download": self.download,
            "wrong_answers_correctable": dict(self.correctable),
            "reason": self.reason,
        }


def _finite(number: float) -> float | None:
    return number if abs(number) < float("inf") else None
