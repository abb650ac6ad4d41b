"""A job's work for tests of engines: task t's answer is t squared, and fates are written down by hand."""

import numpy as np

from anyk.engines import Ref, drive
from anyk.faults import Fate
from anyk.job import Job, first_threshold
from anyk.job.messages import Decoded
from tests.job.toys import AnyOf

CRASH, STOP = Fate(end="crash"), Fate(end="stop")


def fates(by_rank):
    """The fate of each rank's pieces of work, in order; none after that."""

    def fate(round, rank):
        mine = by_rank.get(rank, [])
        return mine[round] if round < len(mine) else Fate()

    return fate


class Squares:
    """Sends what is to be squared; forms the sum of the answers."""

    def __init__(self, facts=()):
        self.facts = list(facts)
        self.futures, self.sent, self.products = {}, [], []

    def start(self, compute, lane):
        self.sent.append(compute)
        lane.put("number", np.array(compute.task))
        self.futures[compute.task] = lane.submit(np.square, Ref("number"))
        return self.futures[compute.task]

    def decode(self, tasks):
        self.products.append([int(self.futures[task].result(timeout=0)) for task in tasks])
        return self.facts.pop(0) if self.facts else Decoded(0.0)


def run(engine, work=None, *, tasks=None, threshold=3, stop=None, **settings):
    tasks = tasks or len(engine.lanes)
    job = Job(
        tasks,
        len(engine.lanes),
        threshold=threshold,
        decodability=AnyOf(threshold),
        stop=stop or first_threshold(),
        **settings,
    )
    outcome = drive(job, engine, work or Squares())
    job.check()
    return outcome
