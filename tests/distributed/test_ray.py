"""The engine on Ray actors: the contract and faults on one cluster for all tests, Ray's traps."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap

import numpy as np
import pytest

import anyk
from anyk.engines.base import Ref
from anyk.errors import ClusterError, InputError
from tests.distributed.on_a_cluster import LASTING, OnACluster

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),  # of which a busy machine needs most to start Ray
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


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


class TestRay(OnACluster):
    @pytest.fixture(autouse=True)
    def connected(self, cluster):
        """Opened by name, an engine uses the connection there is."""

    def make(self, workers):
        return anyk.engines.open("ray", workers=workers)


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


def test_a_product_stays_on_the_cluster_as_references(cluster):
    A, B = np.random.default_rng(0).standard_normal((2, 201, 300))
    with anyk.engines.open("ray:4") as engine:
        product = anyk.matmul(A, B.T, anyk.codes.mds(2, 4), engine=engine, result="ray")
    blocks = [[ray.get(reference) for reference in row] for row in product.value]  # the actors are gone by now

    np.testing.assert_allclose(np.block(blocks), A @ B.T, atol=1e-10)
    assert product.error < 1e-12
    assert product.moved.from_workers < 0.8 * 201 * 201 * 8  # some rows, to measure the error by


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
