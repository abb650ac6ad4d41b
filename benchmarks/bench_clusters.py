"""Sixteen block products on clusters, while a worker is killed, or stopped for a while: Dask, Ray, MPI, TCP."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import anyk
from anyk.code import Code
from benchmarks.bench_faults import FAULTS, Entry, Task, replication, row_of, rows_of, timed
from benchmarks.measure import Row, of_engine
from benchmarks.rivals import Rival, assembled, block_product, warming

#: The products each contender computes: 4 x 4 blocks, and enough more that any 16 do.
CODE, CODED = anyk.codes.polynomial(4, 4, 20), "anyk polynomial 4x4, any 16 of 20"


def run(tiny: bool) -> list[Row]:
    """Each cluster's own ways beside twofold replication and a code on the same cluster."""
    if tiny:
        return rows_of("tcp", [_coded("tcp", CODED, CODE, 5)], TINY, turns=1)
    rows: list[Row] = []
    for name, rivals in CLUSTERS.items():
        if find_spec(MODULES.get(name, name)) is None:
            continue
        entries = [Entry(who, 4, 16, open_rival) for who, open_rival in rivals.items()]
        entries += [
            _coded(name, "anyk replication, two groups of 4 alike", replication(8, alike=True), 8),
            _coded(name, CODED, CODE, 5),
        ]
        rows += rows_of(name, entries, FULL, turns=TURNS) if name != "mpi" else _under_mpiexec()
    return rows


TURNS = 2
TINY = Task(size=40, extra=0.02, at=0.03, stop=0.3)
FULL = Task(size=2000, extra=0.5, at=1.0, stop=20.0)
MODULES = {"dask": "distributed", "tcp": "anyk", "mpi": "mpi4py"}


def _coded(cluster: str, who: str, code: Code, workers: int) -> Entry:
    @contextmanager
    def opened(task: Task) -> Iterator[Rival]:
        extra_work = anyk.faults.Trace([[task.extra]], unit_seconds=1.0)
        with anyk.engines.open(f"{cluster}:{workers}", faults=extra_work) as engine:
            yield Rival(lambda A, B, *_: anyk.matmul(A, B, code, engine=engine, rng=0).value, of_engine(engine))

    return Entry(who, workers, code.workers, opened)


# --- Dask and Ray by themselves ---------------------------------------------------------------------------------------


@contextmanager
def _dask(task: Task, *, scattered: bool) -> Iterator[Rival]:
    import dask
    import distributed

    with (
        tempfile.TemporaryDirectory() as place,
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        distributed.LocalCluster(
            n_workers=4, threads_per_worker=1, dashboard_address="127.0.0.1:0", local_directory=place, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):

        def answers(pairs: list[Any], extra: float) -> Any:
            if scattered:
                pairs = [tuple(client.scatter(list(pair))) for pair in pairs]
            futures = [client.submit(block_product, *pair, extra, pure=False) for pair in pairs]
            return client.gather(futures)

        answers(warming(4), 0.2)
        yield Rival(lambda A, B, *rest: assembled(answers, A, B, *rest), lambda: [*client.run(os.getpid).values()])


@contextmanager
def _ray(task: Task) -> Iterator[Rival]:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    place = tempfile.mkdtemp(prefix="anyk-ray-")
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=1 << 30,
        _temp_dir=place,
    )
    try:
        remote, who = ray.remote(block_product), ray.remote(_process)

        def answers(pairs: list[Any], extra: float) -> Any:
            return ray.get([remote.remote(*pair, extra) for pair in pairs])

        answers(warming(4), 0.2)
        yield Rival(lambda A, B, *rest: assembled(answers, A, B, *rest), lambda: ray.get([who.remote()]))
    finally:
        ray.shutdown()
        shutil.rmtree(place, ignore_errors=True)


def _process() -> int:
    return os.getpid()


Opened = Callable[[Task], AbstractContextManager[Rival]]
CLUSTERS: dict[str, dict[str, Opened]] = {
    "dask": {
        "dask, blocks scattered": lambda task: _dask(task, scattered=True),
        "dask, blocks in the graph": lambda task: _dask(task, scattered=False),
    },
    "ray": {"ray, its default retries": _ray},
    "tcp": {},
    "mpi": {},
}


# --- MPI --------------------------------------------------------------------------------------------------------------


def _under_mpiexec() -> list[Row]:
    """A job for each fault: with Open MPI's fault tolerance, and what happens without."""
    rows = []
    for who, options in {CODED: ("--with-ft", "ulfm"), f"{CODED}, no --with-ft": ()}.items():
        times = {fault: [_job(fault, options)] for fault in FAULTS}
        rows.append(row_of("mpi", Entry(who, 5, CODE.workers, _mpi), times))
    return rows


def _job(fault: str, options: tuple[str, ...]) -> float | str:
    command = [str(Path(sys.prefix) / "bin/mpiexec"), "--oversubscribe", *options, "-n", "6", sys.executable]
    command += ["-m", "anyk.engines.mpi", "-m", "benchmarks.bench_clusters", fault]
    as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, **as_root, "TMPDIR": place}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return f"job aborted ({done.returncode})" if done.returncode else float(done.stdout.split()[-1])


@contextmanager
def _mpi(task: Task) -> Iterator[Rival]:
    extra_work = anyk.faults.Trace([[task.extra]], unit_seconds=1.0)
    with anyk.engines.open("mpi", faults=extra_work) as engine:
        yield Rival(lambda A, B, *_: anyk.matmul(A, B, CODE, engine=engine, rng=0).value, of_engine(engine))


if __name__ == "__main__":  # rank 0 of `_job`
    A, B = np.random.default_rng(0).standard_normal((2, FULL.size, FULL.size))
    print(timed(Entry(CODED, 5, CODE.workers, _mpi), FULL, sys.argv[-1], A, B))
