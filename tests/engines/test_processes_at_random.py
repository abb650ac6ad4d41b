"""Seeded random scripts against the processes engine: whatever happens in whatever order, nothing hangs or lies."""

import contextlib
import os
import random
import signal
from concurrent.futures import CancelledError, wait

import numpy as np
import pytest

from anyk.engines.base import Cancelled, Ref, WorkerLost
from anyk.engines.processes import ProcessEngine
from anyk.errors import InputError
from tests.engines import deeds
from tests.engines.test_processes import LONG

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

WORKERS = 4
#: Of a block put with all entries n, the total is n times this.
SIZE = 20_000


class Script:
    """Random deeds on an engine, and what every future must give: an answer of its own, or a loss, never another's."""

    def __init__(self, engine: ProcessEngine, seed: int) -> None:
        self.engine, self.random = engine, random.Random(seed)
        self.owed: list = []

    def step(self) -> None:
        lane = self.random.choice(self.engine.lanes)
        getattr(self, self.random.choice(DEEDS))(lane)

    def echo(self, lane) -> None:
        number = self.random.random()
        self.owed.append((lane, lane.submit(deeds.same, number), number))

    def put_and_total(self, lane) -> None:
        number = self.random.randrange(100)
        lane.put("x", np.full(SIZE, number))
        self.owed.append((lane, lane.submit(deeds.total, Ref("x")), float(number * SIZE)))

    def large_echo(self, lane) -> None:
        number = self.random.random()
        future = lane.submit(deeds.same, {"a": np.full(SIZE, number), "b": b"x" * 200_000})
        self.owed.append((lane, future, number))

    def rest(self, lane) -> None:
        self.owed.append((lane, lane.submit(deeds.rest, self.random.uniform(0, 0.02)), "rested"))

    def delete(self, lane) -> None:
        lane.delete("x")

    def cancel(self, lane) -> None:
        if self.owed:
            lane, future, _ = self.random.choice(self.owed)
            lane.cancel(future)

    def kill(self, lane) -> None:
        lane.kill()

    def stop(self, lane) -> None:
        if lane.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(lane.pid, signal.SIGSTOP)

    def respawn(self, lane) -> None:
        self.engine.respawn(lane.rank)

    def check(self) -> None:
        """Cancel what is open: then everything must end, since whoever is stopped is replaced."""
        wait([future for _, future, _ in self.owed], 0.2)
        for lane, future, _ in self.owed:
            lane.cancel(future)
        done, hanging = wait([future for _, future, _ in self.owed], LONG)
        assert not hanging
        for _, future, expected in self.owed:
            with contextlib.suppress(WorkerLost, Cancelled, CancelledError, InputError):
                answer = future.result(0)
                answer = answer["a"][-1] if isinstance(answer, dict) else answer
                assert answer == expected
        assert done == {future for _, future, _ in self.owed}


DEEDS = 6 * ["echo", "put_and_total"] + 3 * ["rest", "large_echo", "cancel"] + ["delete", "kill", "stop", "respawn"]


@pytest.fixture(scope="module")
def engine():
    with ProcessEngine(WORKERS, grace_seconds=0.2) as engine:
        yield engine


@pytest.mark.parametrize("seed", range(36))
def test_no_random_script_hangs_or_mixes_up_answers(engine, seed):
    script = Script(engine, seed)
    for _ in range(60):
        script.step()

    script.check()

    for rank in range(WORKERS):
        engine.respawn(rank)
    assert [lane.submit(deeds.same, lane.rank).result(LONG) for lane in engine.lanes] == list(range(WORKERS))
