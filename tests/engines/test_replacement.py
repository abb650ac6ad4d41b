"""Jobs that share an engine replace a lost worker once."""

import os
import signal
import threading

import pytest

from anyk.engines.processes import ProcessEngine
from anyk.faults import Fate
from anyk.job import State, everyone
from tests.engines.test_processes import until
from tests.engines.toys import run


@pytest.mark.cluster
@pytest.mark.timeout(60)
def test_jobs_in_several_threads_replace_a_killed_worker_once():
    outcomes = []
    with ProcessEngine(3, faults=lambda round, rank: Fate(delay_seconds=0.2 if round < 6 else 0.0)) as engine:
        jobs = [
            threading.Thread(target=lambda: outcomes.append(run(engine, stop=everyone, retries=1))) for _ in range(6)
        ]
        for job in jobs:
            job.start()
        until(lambda: all(len(lane.pending()) >= 6 for lane in engine.lanes))
        os.kill(engine.lanes[1].pid, signal.SIGKILL)
        for job in jobs:
            job.join()

        assert [lane.epoch for lane in engine.lanes] == [0, 1, 0]
    assert [(outcome.state, outcome.tasks) for outcome in outcomes] == [(State.DONE, (0, 1, 2))] * 6
