"""What a warm coded product adds on clusters, beside bare tasks of the same sizes.

Bare tasks know nothing of codes: Dask's `submit` on scattered blocks, methods of Ray's actors; where the cluster is
anyk's own (worker processes, TCP, MPI), calls on its lanes. All are sent, and as many answers awaited as decode.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import anyk
from anyk.engines.base import Engine, Ref
from anyk.job import everyone
from benchmarks.measure import Contender, Row, in_turns, of_engine, spread

Array = NDArray[Any]
Blocks = Sequence[Array]
#: Sends a factor to every block, and returns when enough answers are there; and waits for the others.
Bare = tuple[Callable[[Array], object], Callable[[], object]]

CODE, SIZE, TURNS = anyk.codes.mds(4, 6), 2000, 31
ENOUGH = CODE.recovery_threshold
MODULES = {"processes": "anyk", "dask": "distributed", "ray": "ray", "tcp": "anyk", "mpi": "mpi4py"}


def run(tiny: bool) -> list[Row]:
    """Each cluster of this machine, with one and with 64 right-hand sides."""
    if tiny:
        return _rows("tcp", 80, 2)
    there = [name for name, module in MODULES.items() if find_spec(module) is not None]
    return [row for name in there for row in (_under_mpiexec() if name == "mpi" else _rows(name, SIZE, TURNS))]


def _rows(name: str, size: int, turns: int) -> list[Row]:
    A = np.random.default_rng(0).standard_normal((size, size))
    blocks = [A[: size // ENOUGH]] * CODE.workers
    with OPENED.get(name, _lanes)(name, blocks) as (engine, bare), anyk.place(A, CODE, engine=engine) as coded:
        return [_row(name, coded, engine, bare, A[:, :width], turns) for width in (1, 64)]


def _row(name: str, coded: anyk.CodedMatrix, engine: Engine, bare: Bare, x: Array, turns: int) -> Row:
    send, settle = bare
    contenders = {
        "bare": Contender(lambda: send(x), of_engine(engine), settle),
        "coded": Contender(lambda: coded @ x, of_engine(engine), lambda: coded.product(x, stop=everyone)),
    }
    samples = in_turns(contenders, turns, warm=3)
    pairs = list(zip(samples["coded"], samples["bare"], strict=True))
    return {
        "cluster": name,
        "code": repr(CODE),
        "size": coded.shape[0],
        "right-hand sides": x.shape[1],
        "bare tasks, ms": spread(1e3 * theirs.wall for _, theirs in pairs),
        "coded @ x, ms": spread(1e3 * ours.wall for ours, _ in pairs),
        "coded / bare": spread(ours.wall / theirs.wall for ours, theirs in pairs),
        "master's cpu added, ms": spread(1e3 * (ours.own - theirs.own) for ours, theirs in pairs),
    }


# --- bare tasks -------------------------------------------------------------------------------------------------------


@contextmanager
def _lanes(name: str, blocks: Blocks) -> Iterator[tuple[Engine, Bare]]:
    with anyk.engines.open(name if name == "mpi" else f"{name}:{len(blocks)}") as engine:
        for lane, block in zip(engine.lanes, blocks, strict=True):
            lane.put("bare", block)
        sent: list[Any] = []

        def send(x: Array) -> None:
            sent[:] = pending = [lane.submit(np.matmul, Ref("bare"), x) for lane in engine.lanes]
            while len(pending) > len(sent) - ENOUGH:
                pending = list(wait(pending, return_when=FIRST_COMPLETED).not_done)

        yield engine, (send, lambda: wait(sent))


@contextmanager
def _dask(_: str, blocks: Blocks) -> Iterator[tuple[Engine, Bare]]:
    import dask
    import distributed

    with (
        tempfile.TemporaryDirectory() as place,
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        distributed.LocalCluster(
            n_workers=len(blocks), threads_per_worker=1, dashboard_address=None, local_directory=place, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        anyk.engines.open(client) as engine,
    ):
        workers = sorted(client.nthreads())
        placed = [client.scatter(block, workers=[at], hash=False) for block, at in zip(blocks, workers, strict=True)]
        sent: list[Any] = []

        def send(x: Array) -> None:
            sent[:] = [
                client.submit(np.matmul, block, x, workers=[at], pure=False)
                for block, at in zip(placed, workers, strict=True)
            ]
            list(islice(distributed.as_completed(sent, loop=client.loop, with_results=True), ENOUGH))

        yield engine, (send, lambda: client.gather(sent))


@contextmanager
def _ray(name: str, blocks: Blocks) -> Iterator[tuple[Engine, Bare]]:
    import ray

    with anyk.engines.open(f"{name}:{len(blocks)}") as engine:
        holders = [ray.remote(num_cpus=0)(_Holder).remote(block) for block in blocks]
        sent: list[Any] = []

        def send(x: Array) -> None:
            sent[:] = [holder.times.remote(x) for holder in holders]
            ray.get(ray.wait(sent, num_returns=ENOUGH)[0])

        yield engine, (send, lambda: ray.get(sent))


class _Holder:
    def __init__(self, block: Array) -> None:
        self.block = block

    def times(self, x: Array) -> Array:
        product: Array = self.block @ x
        return product


OPENED = {"dask": _dask, "ray": _ray}


# --- MPI --------------------------------------------------------------------------------------------------------------


def _under_mpiexec() -> list[Row]:
    command = [str(Path(sys.prefix) / "bin/mpiexec"), "--oversubscribe", "-n", str(1 + CODE.workers), sys.executable]
    command += ["-m", "anyk.engines.mpi", "-m", "benchmarks.bench_warm"]
    as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, **as_root, "TMPDIR": place}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return rows


if __name__ == "__main__":  # rank 0 of a job
    print(json.dumps(_rows("mpi", SIZE, TURNS)))
