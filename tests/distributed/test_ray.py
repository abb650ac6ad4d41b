"""The engine on Ray actors: the contract and faults on one cluster for all tests, Ray's traps."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

import numpy as np
import pytest

import anyk
from anyk.engines.base import Lost, Ref
from anyk.engines.work import nap
from anyk.errors import ClusterError, InputError, WorkerLost
from anyk.faults import ShiftedExponential
from anyk.job import everyone
from anyk.testing.engines import EngineContract
from tests.distributed.verbs import (
    CODES,
    HARMFUL,
    KEYS,
    Struck,
    every_verb,
    killed_before_during_and_after,
    products_while_one_is_stopped,
    several_at_once,
)

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),  # of which a busy machine needs most to start Ray
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CODE = anyk.codes.matdot(2, workers=6)
LASTING = ShiftedExponential(shift=1.0, scale=0.1, unit_seconds=0.15)


@pytest.fixture(scope="module")
def cluster():
    """This process' connection to a cluster of its own."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    directory = tempfile.mkdtemp(prefix="anyk-ray-")
    ray.init(
        num_cpus=20,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=1 << 28,
        _temp_dir=directory,
    )
    yield
    ray.shutdown()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def three(cluster):
    """Three workers for what harms none of them."""
    with anyk.engines.open("ray:3") as engine:
        yield engine


@pytest.fixture(scope="module")
def six(cluster):
    """Six workers whose tasks last a little."""
    with anyk.engines.open("ray:6", faults=LASTING) as engine:
        yield engine


class TestRay(EngineContract):
    @pytest.fixture(autouse=True)
    def connected(self, cluster):
        """Opened by name, an engine uses the connection there is."""

    @pytest.fixture
    def engine(self, request, three):
        """The same workers where no test would notice; a start takes Ray a second."""
        if any(word in request.node.name for word in HARMFUL):
            with self._opened(3) as engine:
                yield engine
            return
        yield three
        for lane in three.lanes:
            lane.delete(*KEYS)

    def make(self, workers):
        return anyk.engines.open("ray", workers=workers)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_every_verb_with_every_code(code, three):
    every_verb(three, code)


def test_several_products_at_once(three):
    several_at_once(three, CODE)


def test_workers_killed_before_during_and_after_a_product(six):
    killed_before_during_and_after(Struck(six, CODE))


def test_a_stopped_worker_is_not_waited_for(six):
    everyone_answers(six)

    products_while_one_is_stopped(Struck(six, CODE))


def test_a_restarted_actor_gets_its_blocks_again(six):
    A, y = np.random.default_rng(0).standard_normal((60, 40)), np.ones(40)
    everyone_answers(six)
    with anyk.place(A, CODE, engine=six) as coded:
        lane = six.lanes[2]
        os.kill(lane.pid, signal.SIGKILL)
        np.testing.assert_allclose(coded @ y, A @ y)
        everyone_answers(six)
        product = coded.product(y, stop=everyone)

        assert (six.lanes[2].epoch, six.lanes[2].pid) != (lane.epoch, lane.pid)
    assert product.survivors == tuple(range(6))
    np.testing.assert_allclose(product.value, A @ y)


def test_an_idle_worker_that_dies_is_news_and_never_comes_back_empty(six):
    everyone_answers(six)
    lane, news = six.lanes[4], []
    lane.put("kept", np.ones(3)).result(timeout=30)
    unsubscribe = six.subscribe(news.append)
    os.kill(lane.pid, signal.SIGKILL)
    until = time.monotonic() + 20
    while not any(isinstance(each, Lost) for each in news) and time.monotonic() < until:
        time.sleep(0.01)
    unsubscribe()

    assert [(each.rank, each.epoch) for each in news if isinstance(each, Lost)] == [(4, lane.epoch)]
    assert isinstance(lane.fetch("kept").exception(timeout=30), WorkerLost)


def test_running_work_of_an_actor_is_really_cancelled(three):
    lane = three.lanes[0]
    long = lane.submit(nap, 3600.0)
    time.sleep(0.1)

    assert lane.cancel(long) == "flagged"
    assert lane.submit(abs, -1).result(timeout=60) == 1


def test_blocks_can_be_written_to_although_rays_store_gives_them_read_only(three):
    lane, block = three.lanes[0], np.ones((600, 600))
    lane.put("a", block)
    lane.submit(np.negative, Ref("a"), Ref("a"), out="same").result(timeout=30)

    np.testing.assert_array_equal(lane.fetch("a").result(timeout=30), -block)
    lane.delete("a", "same")


def test_an_actor_for_which_there_is_no_room_is_a_clear_error(cluster, monkeypatch):
    from anyk.engines.ray import RayEngine

    monkeypatch.setattr(RayEngine, "birth_seconds", 2.0)
    with pytest.raises(ClusterError, match="did not come within 2 s"):
        RayEngine(1, cpus_per_worker=1000)


def test_a_second_cluster_in_one_process_is_refused(cluster):
    with pytest.raises(ClusterError, match="connected to a Ray cluster already"):
        anyk.engines.open("ray://somewhere:10001")


def test_work_from_a_scripts_main_part_is_refused(three):
    def work():
        return 1

    work.__module__ = "__main__"
    with pytest.raises(InputError, match="Move it into a module"):
        three.lanes[0].submit(work)


def test_an_own_cluster_leaves_nothing_behind(tmp_path):
    script = textwrap.dedent("""
        import os, signal
        from pathlib import Path

        import numpy as np

        import anyk

        if __name__ == "__main__":
            A = np.random.default_rng(0).standard_normal((30, 30))
            with anyk.engines.open("ray:3") as engine:
                directory = Path(engine._directory)
                assert directory.is_dir()
                os.kill(engine.lanes[0].pid, signal.SIGKILL)
                C = anyk.matmul(A, A, anyk.codes.mds(2, 3), engine=engine)
                np.testing.assert_allclose(C.value, A @ A)
            print(os.getpid(), directory.exists())
    """)
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr

    assert done.stdout.split()[-1] == "False"


def everyone_answers(engine):
    """All lanes work, replaced where they were lost."""
    for _ in range(4):
        answers = [lane.submit(abs, -1) for lane in engine.lanes]
        dead = [rank for rank, answer in enumerate(answers) if answer.exception(timeout=60) is not None]
        if not dead:
            return
        for rank in dead:
            engine.respawn(rank)
    raise AssertionError("workers do not come back")
