"""Products whose whole story is known: every way a task can end, at times that are given."""

from types import SimpleNamespace

import numpy as np

import anyk
from anyk.engines import Moved
from anyk.job import Job, first_threshold
from anyk.job.messages import Decoded, Joined, Left, Lost, Result, Suspected

#: 8 tasks, 5 of which are needed; the job begins at 100 s. Task 0 is lost and sent again, task 1 is wrong and sent
#: again, worker 6 leaves for good, task 7 comes while the product is formed, and neither task 5 nor the second sending
#: of 6 is awaited.
EVENTS = (
    Joined(0, 100.2),
    Lost(0, 0, 100.2, "killed by <the> test"),
    Result(1, 0, 100.5),
    Result(2, 0, 100.6),
    Left(6, 100.7, "its host went away"),
    Result(3, 0, 100.8),
    Result(4, 0, 101.0),
    Result(0, 1, 101.25),
    Suspected((1,), 101.5),
    Result(1, 1, 102.0),
    Result(7, 0, 102.1),
    Decoded(102.5, 3e-15),
)


def story(events=EVENTS, *, tasks=8, needed=5, retries=1, timeout=None):
    """The steps of a job that hears these events."""
    decodable = SimpleNamespace(sufficient=lambda answers: len(answers) >= needed)
    job = Job(
        tasks, tasks, threshold=needed, decodability=decodable, stop=first_threshold(), retries=retries, timeout=timeout
    )
    job.start(at=100.0)
    for event in events:
        job.handle(event)
    job.check()
    return tuple(job.story()), job


def product(events=EVENTS, **changed):
    """A 60 x 40 product of 60 x 50 by 50 x 40 from 5 of 8 answers of a MatDot code."""
    steps, job = story(events)
    given = {
        "value": np.zeros((60, 40)),
        "survivors": job.used,
        "wrong": (1,),
        "error": 3e-15,
        "error_kind": "measured",
        "reason": job.reason,
        "seconds": {"probe": 0.1, "encode": 0.4, "collect": 2.0, "decode": 0.3, "measure": 0.2, "total": 3.1},
        "code": anyk.codes.matdot(3, 8),
        "events": steps,
        "peak_bytes": 150_000_000,
        "moved": Moved(to_workers=1_000_000, from_workers=250_000),
    }
    return anyk.Product(**{**given, **changed})


OPERANDS = ((60, 50), (50, 40))
PLANNED = {"code": "matdot", "answers": 5, "seconds": 2.0, "error": 3e-15, "memory": 1e5, "upload": 1e6}
