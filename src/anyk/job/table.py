"""The job's whole life as a table.

Its laws:

1. An event is first written into the books; then the *first* row that fits state, event and condition decides.
2. Nothing outside this table changes the state. The documentation's diagram and table are drawn from it.
3. A job that collects can still receive something, or knows when it will stop; else a row has ended it.
4. DONE and FAILED are for ever. They leave nothing running.
5. What is not the answer to a pending attempt, or to the last Decode, is stray: counted as late, and changes nothing.
6. Two decodings in a row differ in their answers, or the second one ends the job.

A condition or an action is the name of a method of `anyk.job.machine.Job`.
"""

from dataclasses import dataclass, field
from enum import Enum

from anyk.job.messages import Decoded, Event, Instruction, Joined, Left, Lost, Result, Started, Suspected, Woke


class State(Enum):
    """Where a job is in its life."""

    READY = "not started"
    COLLECTING = "waiting for answers"
    DECODING = "the product is being formed"
    DONE = "there is a product"
    FAILED = "there will be no product"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        states: where it applies.
        events: what it applies to.
        condition: method of the job that must return True.
        next: the state afterwards; None: unchanged.
        actions: methods of the job whose instructions are given, in this order.
    """

    states: tuple[State, ...]
    events: tuple[type[Event], ...]
    condition: str
    next: State | None
    actions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step of a job's life: what it heard, the row that fitted, what it said, where that left it."""

    event: Event
    row: Row = field(repr=False)
    instructions: tuple[Instruction, ...]
    state: State

    def mentions(self, task: int) -> bool:
        """Whether this step speaks of the task."""
        return any(
            task == getattr(it, "task", None) or task in getattr(it, "tasks", ())
            for it in (self.event, *self.instructions)
        )


READY, COLLECTING, DECODING, DONE, FAILED = State
ENDED = (DONE, FAILED)

ANY = (Started, Result, Lost, Left, Joined, Suspected, Decoded, Woke)
LOSSES = (Lost, Left, Joined)
NEWS = (Result, *LOSSES, Woke)

TABLE = (
    Row(ENDED, ANY, "always", None, ("count_late",)),
    Row(tuple(State), ANY, "stray", None, ("count_late",)),
    #
    Row((READY,), (Started,), "hopeless", FAILED, ("give_up",)),
    Row((READY,), (Started,), "always", COLLECTING, ("send_waiting",)),
    #
    Row((COLLECTING,), (*NEWS, Suspected), "ready", DECODING, ("decode",)),
    Row((COLLECTING,), (*NEWS, Suspected), "hopeless", FAILED, ("give_up", "cancel_pending")),
    Row((COLLECTING,), (*NEWS, Suspected), "last_chance", DECODING, ("decode",)),
    Row((COLLECTING,), (*LOSSES, Suspected), "can_send", COLLECTING, ("send_waiting",)),
    Row((COLLECTING,), (*NEWS, Suspected), "always", COLLECTING),
    #
    Row((DECODING,), (Decoded,), "good_enough", DONE, ("cancel_pending",)),
    Row((DECODING,), (Decoded,), "ready", DECODING, ("decode",)),
    Row((DECODING,), (Decoded,), "hopeless", FAILED, ("give_up", "cancel_pending")),
    Row((DECODING,), (Decoded,), "last_chance_improves", DECODING, ("decode",)),
    Row((DECODING,), (Decoded,), "last_chance", DONE, ("make_do",)),
    Row((DECODING,), (Decoded,), "always", COLLECTING, ("send_waiting",)),
    #
    Row((DECODING,), (Suspected,), "ready", DECODING, ("decode",)),
    Row((DECODING,), (Suspected,), "hopeless", FAILED, ("give_up", "cancel_pending")),
    Row((DECODING,), (Suspected,), "last_chance", DECODING, ("decode",)),
    Row((DECODING,), (Suspected,), "always", COLLECTING, ("send_waiting",)),
    #
    Row((DECODING,), LOSSES, "can_send", DECODING, ("send_waiting",)),
    Row((DECODING,), NEWS, "always", DECODING),
)

#: The table's rows for each state and event, in its order.
ROWS = {
    (state, event): tuple(row for row in TABLE if state in row.states and event in row.events)
    for state in State
    for event in ANY
}
