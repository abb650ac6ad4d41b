"""What is kept of a product's run: all that its page, its pictures and its trace need, and none of its entries."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from anyk.verbs import Stretch

#: What the file says it is, and of which form; a reader refuses a later one.
KIND, VERSION = "product", 1

#: How one sending of a task can end; see `anyk.verbs.Stretch`.
OUTCOMES = ("used", "answered", "wrong", "lost", "cancelled")
#: What else can happen: a worker is gone, a worker is there again, a band's job has ended well or not.
MOMENTS = ("left", "joined", "done", "failed")


@dataclass(frozen=True)
class Coded:
    """A code without its tables.

    Args:
        name: of its family.
        rows: block rows of A.
        inner: block columns of A.
        cols: block columns of B.
        workers: number of tasks P.
        recovery_threshold: any this many answers decode.
        exact_threshold: any this many decode to rounding.
        is_complex: coded blocks of real matrices are complex.
    """

    name: str
    rows: int
    inner: int
    cols: int
    workers: int
    recovery_threshold: int
    exact_threshold: int
    is_complex: bool


@dataclass(frozen=True)
class Moment:
    """Something that happened to a worker, or to the whole job.

    Args:
        at: seconds since the job began.
        kind: one of `MOMENTS`.
        worker: whose, or None.
        words: why.
    """

    at: float
    kind: str
    worker: int | None = None
    words: str = ""


@dataclass(frozen=True)
class Decoding:
    """One attempt to form the product.

    Args:
        began: seconds since the job began.
        ended: likewise.
        answers: from how many.
        error: measured relative error, or None.
        suspects: None: there was a product. Else the tasks found wrong; none named: the answers contradict one another.
        band: which band of rows.
    """

    began: float
    ended: float
    answers: int
    error: float | None = None
    suspects: tuple[int, ...] | None = None
    band: int = 0


@dataclass(frozen=True)
class Record:
    """One product's run.

    Args:
        finished: there was a product.
        reason: why it ended when it did, in words.
        shape: of the product; None where there was none.
        dtype: of the product; empty where there was none.
        operands: shapes of A and B, or None.
        engine: its name; empty where it is not known.
        code: the code used, or None.
        survivors: tasks whose answers were used.
        wrong: tasks whose answers were found wrong.
        distrusted: workers that answered wrongly in several products.
        error: relative error, or None.
        error_kind: what kind of number that is.
        seconds: by phase.
        peak_bytes: largest resident memory, or None.
        moved: bytes to the workers, from them, and from one to another; None where it is not known.
        attempts: every sending of every task.
        moments: what happened besides.
        decodings: each attempt to form the product.
        foreseen: (answers, expected relative error) had it been decoded from the first so many answers of the last
            band.
        planned: what a plan had predicted, by name (see `PLANNED`), or None.
    """

    finished: bool
    reason: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    operands: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    engine: str = ""
    code: Coded | None = None
    survivors: tuple[int, ...] = ()
    wrong: tuple[int, ...] = ()
    distrusted: tuple[int, ...] = ()
    error: float | None = None
    error_kind: str = "none"
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_bytes: int | None = None
    moved: tuple[int, int, int] | None = None
    attempts: tuple[Stretch, ...] = ()
    moments: tuple[Moment, ...] = ()
    decodings: tuple[Decoding, ...] = ()
    foreseen: tuple[tuple[int, float], ...] = ()
    planned: Mapping[str, float | str] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return {"kind": KIND, "version": VERSION, **asdict(self)}

    @property
    def bands(self) -> int:
        """Bands of rows the product was formed in."""
        return max((row.band for row in self.attempts), default=0) + 1

    @property
    def workers(self) -> int:
        """Ranks from 0 up to the highest that was asked."""
        return max((row.worker for row in self.attempts), default=-1) + 1

    @property
    def ended_seconds(self) -> float:
        """When the last thing happened, since the job began."""
        times = [row.ended_seconds for row in self.attempts if row.ended_seconds is not None]
        times += [row.sent_seconds for row in self.attempts]
        return max([0.0, *times, *(each.at for each in self.moments), *(each.ended for each in self.decodings)])

    @property
    def total_seconds(self) -> float | None:
        """All phases together; more than the master's own time where the engine's clock is a virtual one."""
        phases = sum(seconds for phase, seconds in self.seconds.items() if phase != "total")
        return max(self.seconds["total"], phases) if "total" in self.seconds else None

    @property
    def is_virtual(self) -> bool:
        """The engine kept a time of its own."""
        return "total" in self.seconds and (self.total_seconds or 0.0) > 1.2 * self.seconds["total"]

    def count(self, outcome: str) -> int:
        """Sendings that ended so."""
        return sum(row.outcome == outcome for row in self.attempts)


#: What a plan may predict: name -> what it is for a person.
PLANNED: Mapping[str, str] = {
    "code": "code",
    "answers": "answers used",
    "seconds": "seconds",
    "error": "relative error",
    "worst_error": "largest error",
    "memory": "memory of a worker",
    "upload": "sent to workers",
    "download": "sent back",
}
