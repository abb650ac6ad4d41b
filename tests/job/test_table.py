"""The table is the program: every row is used, every name exists."""

import pytest

from anyk.job import TABLE, Job, State, Verdict, until
from anyk.job.messages import Decoded, Joined, Left, Lost, Result, Started, Suspected, Woke
from anyk.job.table import ENDED
from tests.job.toys import a_job, started

R = [Result(task, 0, 1.0) for task in range(4)]
LOST = [Lost(task, 0, 1.0, "killed") for task in range(4)]


def three_unmeasured(progress):
    return Verdict(len(progress.received) == 3 and progress.measured is None, "three")


def all_four(progress):
    return Verdict(len(progress.received) == 4, "four")


#: Short histories of jobs of 4 tasks of which any 3 suffice; together they use every row.
HISTORIES = [
    ({"threshold": 9}, [Started(0.0)]),
    ({}, [Started(0.0), Started(0.0), *R[:3], Decoded(2.0), R[3]]),
    ({"retries": 0}, [Started(0.0), LOST[0], LOST[1]]),
    ({}, [Started(0.0), LOST[0], *R[1:], Lost(0, 1, 2.0, "killed")]),
    ({"stop": until(1e-9)}, [Started(0.0), *R[:3], Decoded(2.0, 0.1), R[3], Decoded(3.0, 1e-12)]),
    ({"stop": until(1e-9)}, [Started(0.0), *R, Decoded(2.0, 0.1), Decoded(3.0, 0.1)]),
    ({"stop": until(1e-9), "retries": 0}, [Started(0.0), *R[:3], LOST[3], Decoded(2.0, 0.1)]),
    ({"stop": until(1e-9), "retries": 0}, [Started(0.0), *R[:3], Decoded(2.0, 0.1), LOST[3]]),
    ({"stop": until(1e-9), "timeout": 1.5}, [Started(0.0), *R[:3], Decoded(2.0, 0.1)]),
    ({}, [Started(0.0), *R, Suspected((1,), 2.0)]),
    ({}, [Started(0.0), *R[:3], Suspected((1,), 2.0)]),
    ({"retries": 0}, [Started(0.0), *R[:3], Suspected((1, 2), 2.0)]),
    ({"retries": 0, "stop": all_four}, [Started(0.0), *R, Suspected((1,), 2.0), Decoded(3.0)]),
    ({"stop": three_unmeasured}, [Started(0.0), *R, Decoded(2.0, 0.1), Decoded(3.0, 0.1)]),
    ({}, [Started(0.0), *R[:3], LOST[3], Decoded(2.0)]),
]


def fired(settings, events):
    job = a_job(**settings)
    for event in events:
        job.handle(event)
        job.check()
    return {id(step.row) for step in job.story()}


def title(row):
    events = " ".join(event.__name__ for event in row.events)
    return f"{'|'.join(state.name for state in row.states)}-{events}-{row.condition}"


@pytest.mark.parametrize("row", TABLE, ids=title)
def test_every_row_is_used(row):
    assert any(id(row) in fired(*history) for history in HISTORIES)


@pytest.mark.parametrize("row", TABLE, ids=title)
def test_every_name_in_a_row_is_a_method_that_says_what_it_does(row):
    for name in (row.condition, *row.actions):
        assert getattr(Job, name).__doc__


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "event",
    [Started(9.0), R[3], LOST[3], Left(3, 9.0), Joined(3, 9.0), Suspected((0,), 9.0), Decoded(9.0), Woke(9.0)],
    ids=lambda event: type(event).__name__,
)
def test_every_event_finds_a_row_in_every_state(state, event):
    job = in_state(state)

    job.handle(event)
    job.check()


def in_state(state):
    job = a_job() if state is State.READY else started(retries=0)
    for event in {State.DECODING: R[:3], State.DONE: [*R[:3], Decoded(2.0)], State.FAILED: LOST[:2]}.get(state, []):
        job.handle(event)
    assert job.state is state
    return job


def test_nothing_leaves_an_end():
    assert all(row.next is None for row in TABLE if set(row.states) <= set(ENDED))
    assert TABLE[0].states == ENDED
