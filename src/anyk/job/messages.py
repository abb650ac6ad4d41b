"""What the master hears (events, facts) and what it says (instructions, wishes).

An instruction's outcome comes back as an event. Times are seconds on the engine's clock, passed in; nothing here
reads one.
"""

from dataclasses import dataclass

# --- events: facts ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """The clock runs: send out every task."""

    at: float


@dataclass(frozen=True)
class Result:
    """Task ``task``, sent out as attempt ``attempt``, was answered."""

    task: int
    attempt: int
    at: float


@dataclass(frozen=True)
class Lost:
    """That attempt will never be answered: its worker died, or the work itself failed there."""

    task: int
    attempt: int
    at: float
    cause: str


@dataclass(frozen=True)
class Left:
    """A worker is gone, and with it every attempt it still owed; no more work for it until it has joined again."""

    worker: int
    at: float
    cause: str = "the worker left"


@dataclass(frozen=True)
class Joined:
    """A worker is there and idle, after a replacement."""

    worker: int
    at: float


@dataclass(frozen=True)
class Suspected:
    """These tasks' answers are wrong: forget them. None named: some are wrong, and only more answers can tell which.

    With a ``cause`` they are not wrong but gone: they lay with a worker that was lost, in these words.
    """

    tasks: tuple[int, ...]
    at: float
    cause: str = ""


@dataclass(frozen=True)
class Decoded:
    """The product was formed from the answers asked for.

    ``error`` is its measured relative error, if it was measured.
    """

    at: float
    error: float | None = None


@dataclass(frozen=True)
class Woke:
    """The time asked for by `WakeAt` has come."""

    at: float


Event = Started | Result | Lost | Left | Joined | Suspected | Decoded | Woke

# --- instructions: wishes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compute:
    """Send task ``task`` to worker ``worker``; answers carry ``attempt`` back."""

    task: int
    worker: int
    attempt: int


@dataclass(frozen=True)
class Cancel:
    """That attempt is no longer needed: free its worker."""

    task: int
    worker: int
    attempt: int


@dataclass(frozen=True)
class WakeAt:
    """Send `Woke` when the clock shows ``at``."""

    at: float


@dataclass(frozen=True)
class Decode:
    """Form the product from exactly these tasks' answers."""

    tasks: tuple[int, ...]


@dataclass(frozen=True)
class GiveUp:
    """There will be no product; ``reason`` says what was lost and what would have sufficed."""

    reason: str


Instruction = Compute | Cancel | WakeAt | Decode | GiveUp
