"""The engine on Dask workers: the contract on a shared cluster, faults on clusters of its own, Dask's traps."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import anyk
from anyk.engines.base import Ref
from anyk.engines.work import nap
from anyk.errors import ClusterError, InputError, WorkerLost
from anyk.faults import ShiftedExponential
from anyk.job import everyone
from tests.distributed.on_a_cluster import CODE, LASTING, OnACluster, eventually, everyone_answers
from tests.distributed.verbs import several_at_once

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
pytest.importorskip("dask.array")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),  # of which a busy machine needs most to start processes
    # Dask's own: sockets and processes that it closes a little later.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three workers, for all tests that break none."""
    place = str(tmp_path_factory.mktemp("dask"))
    settings = {"distributed.worker.multiprocessing-method": "forkserver", "temporary-directory": place}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=3,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            local_directory=place,
            silence_logs=50,
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def three(cluster):
    """The shared cluster's workers, for what harms none of them."""
    with anyk.engines.open(cluster) as engine:
        yield engine


@pytest.fixture(scope="module")
def six():
    """Six workers of the engine's own whose tasks last a little."""
    with anyk.engines.open("dask:6", faults=LASTING) as engine:
        yield engine


class TestDask(OnACluster):
    @pytest.fixture(autouse=True)
    def address(self, cluster):
        self.address = cluster.scheduler_address

    def make(self, workers):
        return anyk.engines.open(self.address.replace("tcp://", "dask://"), workers=workers)

    def test_no_worker_of_a_shared_cluster_is_killed(self, engine):
        pids = [lane.pid for lane in engine.lanes]
        engine.lanes[0].kill()
        engine.respawn(0).submit(abs, -1).result(timeout=30)

        assert sorted(lane.pid for lane in engine.lanes) == sorted(pids)


def test_a_verb_takes_a_client_and_leaves_it_and_nothing_behind(client):
    A, B = np.random.default_rng(0).standard_normal((2, 30, 30))
    others = lanes_known_to(client)
    np.testing.assert_allclose(anyk.matmul(A, B, CODE, engine=client).value, A @ B)

    assert client.submit(abs, -1).result() == 1
    assert eventually(lambda: lanes_known_to(client).keys() == others.keys())


def test_a_product_stays_on_the_cluster_as_a_dask_array_of_the_callers(client):
    A, B = np.random.default_rng(0).standard_normal((2, 301, 200))
    for code in (anyk.codes.matdot(2, workers=3), anyk.codes.generalized_polydot(2, 1, 2, workers=4)):
        product = anyk.matmul(A, B.T, code, engine=client, result="dask")  # its engine is closed by now
        there = client.compute((product.value @ product.value.T).sum() if code.partition.rows == 1 else product.value)

        assert (product.value.shape, product.value.dtype) == ((301, 301), A.dtype)
        assert product.error < 1e-12
        assert product.moved.from_workers < 0.7 * 301 * 301 * 8  # some rows, to measure the error by
        expected = A @ B.T
        np.testing.assert_allclose(product.value.compute(scheduler=client), expected, atol=1e-9)
        assert there.result() is not None


def test_a_product_that_would_end_with_its_engine_is_refused(cluster):
    with pytest.raises(InputError, match="would end with the engine"):
        anyk.matmul(np.eye(20), np.eye(20), anyk.codes.matdot(2, workers=3), engine=cluster, result="dask")


def test_wrong_answers_do_not_stay_on_the_cluster(cluster):
    A, B = np.random.default_rng(0).standard_normal((2, 120, 120))
    faults = anyk.faults.Zeros(ranks=(1,))
    with anyk.engines.open(cluster, faults=faults) as engine:
        product = anyk.matmul(A, B, anyk.codes.mds(2, 3), engine=engine, result="dask", wrong=1, stop=everyone)

        assert product.wrong == (1,)
        np.testing.assert_allclose(product.value.compute(scheduler=engine._client), A @ B, atol=1e-10)


def test_dask_arrays_are_encoded_by_the_workers_and_come_to_no_master(client):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((301, 210)), rng.standard_normal((210, 160))
    a, b = dask.array.from_array(A, chunks=(70, 60)), dask.array.from_array(B, chunks=(90, 50))
    code = anyk.codes.generalized_polydot(2, 1, 1, workers=3)
    here = anyk.matmul(a, b, code, engine=client)
    there = anyk.matmul(a, b, code, engine=client, result="dask")
    mixed = anyk.matmul(a, B, code, engine=client)

    np.testing.assert_allclose(here.value, A @ B, atol=1e-10)
    np.testing.assert_allclose(there.value.compute(scheduler=client), A @ B, atol=1e-10)
    np.testing.assert_allclose(mixed.value, A @ B, atol=1e-10)
    assert max(each.error for each in (here, there, mixed)) < 1e-12
    # Neither an operand nor the product came by the master: names of chunks, and some columns.
    assert there.moved.to_workers < 0.1 * A.nbytes
    assert there.moved.from_workers < 0.1 * A.nbytes


def test_dask_arrays_survive_the_worker_that_had_encoded_them(six):
    everyone_answers(six)
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, 120, 120))
    a = dask.array.from_array(A, chunks=50)
    timer = threading.Timer(0.2, os.kill, (six.lanes[1].pid, signal.SIGKILL))
    timer.start()
    product = anyk.matmul(a, B, CODE, engine=six, retries=5, timeout=100)
    timer.join()

    np.testing.assert_allclose(product.value, A @ B, atol=1e-10)


@pytest.mark.parametrize("mixed", [False, True], ids=["both there", "one here"])
def test_wrong_answers_of_dask_arrays_are_found_from_the_answers_alone(cluster, mixed):
    A, B = np.random.default_rng(0).standard_normal((2, 90, 80))
    B = B.T
    a, b = dask.array.from_array(A, chunks=(40, 50)), dask.array.from_array(B, chunks=(80, 30))
    code = anyk.codes.mds(2, workers=6)  # two tasks on each worker
    with anyk.engines.open(cluster, faults=anyk.faults.Zeros(ranks=(1,))) as engine:
        product = anyk.matmul(a, B if mixed else b, code, engine=engine, wrong=2, stop=everyone)

    assert product.wrong == (1, 4)
    assert "from the answers alone: the operands are Dask arrays" in product.reason
    assert product.error < 1e-12
    np.testing.assert_allclose(product.value, A @ B, atol=1e-10)


def test_so_many_answers_of_dask_arrays_are_awaited_as_that_takes(three):
    A = np.random.default_rng(0).standard_normal((60, 40))
    a = dask.array.from_array(A, chunks=(30, 40))
    right = anyk.matmul(a, A.T, anyk.codes.mds(2, workers=5), engine=three, wrong=1)

    assert right.wrong == ()
    assert len(right.survivors) == 4
    np.testing.assert_allclose(right.value, A @ A.T, atol=1e-10)
    with pytest.raises(InputError, match=r"needs 2 \+ 2 answers, .* Use a code with more workers\.$"):
        anyk.matmul(a, A.T, anyk.codes.mds(2, workers=3), engine=three, wrong=1)
    # Elsewhere they come here, and are checked as all others.
    here = anyk.matmul(a, A.T, anyk.codes.mds(2, workers=3), engine="inline", wrong=1)
    assert "from the answers alone" not in here.reason


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"screen": "checked"}, "checked against operands that are here"),
        ({"screen": "both"}, "checked against operands that are here"),
        ({"reduce": True}, "Leave out reduce=True"),
        ({"result": "dask"}, "use result='array'"),
    ],
)
def test_what_takes_the_operands_or_keeps_the_answers_away_is_refused(three, settings, words):
    a = dask.array.ones((20, 20))
    with pytest.raises(InputError, match=words):
        anyk.matmul(a, a, anyk.codes.mds(2, workers=6), engine=three, wrong=1, **settings)


def test_several_products_at_once_and_two_engines_on_one_cluster(cluster):
    with anyk.engines.open(cluster) as engine, anyk.engines.open(cluster) as another:
        threads = [threading.Thread(target=several_at_once, args=(each, CODE)) for each in (engine, another)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def test_workers_that_die_on_their_way_are_started_again():
    with anyk.engines.open("dask:2") as engine:
        successor = engine.respawn(1)
        killer = threading.Thread(target=kill_newcomers, args=({lane.pid for lane in engine.lanes}, 2.0))
        killer.start()
        answer = successor.submit(abs, -1)
        killer.join()

        # What the engine gave up after a minute, a product's loop asks for again.
        if answer.exception(timeout=100) is not None:
            answer = engine.respawn(1).submit(abs, -1)
        assert answer.result(timeout=100) == 1
        assert engine.lanes[0].submit(abs, -1).result(timeout=30) == 1


def test_nothing_stays_pending_for_ever_on_a_scheduler_whose_worker_died(six):
    everyone_answers(six)
    with distributed.Client(six._scheduler, set_as_default=False) as client:
        owed = six.lanes[1].submit(nap, 60.0)
        os.kill(six.lanes[1].pid, signal.SIGKILL)

        assert isinstance(owed.exception(timeout=10), WorkerLost)
        assert eventually(lambda: all(state != "no-worker" for state in lanes_known_to(client).values()))


def test_a_worker_that_leaves_a_shared_cluster_for_good_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = {"processes": False, "dashboard_address": "127.0.0.1:0", "silence_logs": 50, "local_directory": tmp_path}
    with (
        distributed.LocalCluster(n_workers=3, **threads) as cluster,
        anyk.engines.open(cluster, faults=LASTING) as engine,
    ):
        A, B = np.random.default_rng(0).standard_normal((2, 30, 30))
        timer = threading.Timer(0.1, cluster.scale, [2])
        timer.start()
        product = anyk.matmul(A, B, anyk.codes.matdot(2, workers=6), engine=engine, timeout=30)
        timer.join()
        assert eventually(lambda: [lane.alive for lane in engine.lanes].count(False) == 1)
        again = anyk.matmul(A, B, anyk.codes.matdot(2, workers=6), engine=engine, timeout=30)
        (gone,) = [lane for lane in engine.lanes if not lane.alive]

        assert "was closed" in gone.cause or "no other worker left" in gone.cause
    np.testing.assert_allclose(product.value, A @ B)
    np.testing.assert_allclose(again.value, A @ B)


def test_a_scheduler_that_ends_during_a_product_is_a_clear_error(tmp_path):
    scheduler, workers, address = started(tmp_path)
    try:
        slow = ShiftedExponential(shift=1.0, scale=0.1, unit_seconds=3600.0)
        with anyk.engines.open(address, faults=slow) as engine:
            timer = threading.Timer(0.5, scheduler.kill)
            timer.start()
            with pytest.raises(ClusterError, match=r"scheduler at .* was lost|worker .* died|cannot be reached"):
                anyk.matmul(np.eye(20), np.eye(20), anyk.codes.matdot(1, workers=2), engine=engine)
            timer.join()
            assert eventually(lambda: engine._gone)
            with pytest.raises(ClusterError, match="open the engine again"):
                engine.respawn(0)
    finally:
        for process in (scheduler, workers):
            process.kill()
            process.wait()


def test_where_no_scheduler_is_the_error_says_so():
    quickly = {"distributed.comm.timeouts.connect": "1s"}
    with dask.config.set(quickly), pytest.raises(ClusterError, match="no scheduler at"):
        anyk.engines.open("dask://127.0.0.1:9")


def test_a_script_without_a_guard_is_told_to_have_one(tmp_path):
    (tmp_path / "script.py").write_text("import anyk\nanyk.engines.open('dask:1')\n")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=200)

    assert done.returncode != 0
    assert "ClusterError: the dask engine could not start its cluster" in done.stderr
    assert "guard its main part" in done.stderr


def test_what_is_nothing_of_dasks_is_refused():
    with pytest.raises(InputError, match="address of a scheduler"):
        anyk.engines.dask.DaskEngine(at=7)


def test_memory_that_a_worker_does_not_have_is_a_failure_with_its_reason(cluster):
    with anyk.engines.open(cluster) as engine:
        lane = engine.lanes[0]
        error = lane.submit(np.ones, (1 << 48,)).exception(timeout=30)
        lane.put("a", np.ones(3))

        assert isinstance(error, MemoryError)
        assert lane.submit(np.sum, Ref("a")).result(timeout=30) == 3


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    before = children()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with anyk.engines.open("dask:2") as engine:
        directory = Path(engine._cluster._directory)
        assert directory.is_dir()
        os.kill(engine.lanes[0].pid, signal.SIGKILL)

    assert eventually(lambda: children() <= before)
    # Python's own server of forks has a directory until this process ends.
    assert [path for path in tmp_path.iterdir() if not path.name.startswith("pymp-")] == []


# --- helpers ----------------------------------------------------------------------------------------------------------


def kill_newcomers(known, seconds):
    """Kill every worker process that is new, for a while, as soon as it is there; at most three."""
    until, killed = time.monotonic() + seconds, 0
    mine = children()
    while time.monotonic() < until and killed < 3:
        for pid in children() - mine - known:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        time.sleep(0.05)


def children():
    """Processes below this one that run Dask workers: forked by the server of forks, which stays."""
    found, parents = set(), {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(status.parent.name)] = int(fields[1])
    for pid in parents:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and parents[pid] != os.getpid():
            found.add(pid)
    return found


def lanes_known_to(client):
    """The lanes' tasks on the scheduler, with their states."""
    return client.run_on_scheduler(
        lambda dask_scheduler: {
            key: task.state for key, task in dask_scheduler.tasks.items() if str(key).startswith("anyk-lane")
        }
    )


def started(directory):
    """A scheduler and two workers as processes of their own; the address."""
    file = directory / "scheduler.json"
    place = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = dask_command("scheduler", *place, "--host", "127.0.0.1", "--port", "0", cwd=directory)
    if not eventually(lambda: file.exists() and file.read_text().endswith("}"), 60):
        scheduler.kill()
        raise AssertionError("Dask's scheduler does not start")
    workers = dask_command("worker", *place, "--nworkers", "2", "--nthreads", "1", cwd=directory)
    address = json.loads(file.read_text())["address"]
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    return scheduler, workers, address.replace("tcp://", "dask://")


def dask_command(name, *arguments, cwd):
    """A process of Dask's own command line."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments]
    environment = {**os.environ, "DASK_TEMPORARY_DIRECTORY": str(cwd)}
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=cwd, env=environment)


def test_dask_arrays_are_still_computed_by_whom_they_were_before(cluster):
    before = dask.config.get("scheduler", None)
    with anyk.engines.open(f"dask://{cluster.scheduler_address.partition('//')[2]}", workers=3) as engine:
        during = dask.config.get("scheduler", None)
        assert len(engine.lanes) == 3

    assert (before, during) == (None, None)
    assert dask.config.get("scheduler", None) is None
    assert dask.delayed(sum)([1, 2]).compute(scheduler="synchronous") == 3
