"""What may happen to the ranks of a job: scenes for `python -m anyk.engines.mpi`, started by `test_mpi.py`.

mpiexec --with-ft ulfm -n 7 python -m anyk.engines.mpi -m tests.distributed.mpi_scenes idle stopped killed
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

import anyk
from anyk.engines import ranks
from anyk.faults import ShiftedExponential
from tests.distributed.verbs import Struck, products_while_one_is_stopped, reduced

CODE = anyk.codes.matdot(2, workers=6)
LASTING = ShiftedExponential(shift=1.0, scale=0.1, unit_seconds=0.15)


def killed():
    """Ranks die before, during and after a product; what was placed goes on with those that live."""
    A, y = np.random.default_rng(0).standard_normal((60, 40)), np.ones(40)
    with anyk.engines.open("mpi", faults=LASTING) as engine, anyk.place(A, CODE, engine=engine) as coded:
        struck = Struck(engine, CODE)
        struck.product(signal.SIGKILL, rank=0, after=0.0)
        struck.product(signal.SIGKILL, rank=1, after=0.1)
        struck.product()
        os.kill(engine.lanes[2].pid, signal.SIGKILL)
        struck.product()
        np.testing.assert_allclose(coded @ y, A @ y)
        alive = [lane.alive for lane in engine.lanes]
        assert alive == [False] * 3 + [True] * (len(alive) - 3)
    struck = Struck(anyk.engines.open("mpi"), CODE)
    assert len(struck.engine.lanes) == alive.count(True)
    struck.product()
    struck.engine.close()


def added_up():
    """A rank dies between its answer and the sum of all answers."""
    with anyk.engines.open("mpi", faults=LASTING) as engine:
        reduced(engine, CODE, kill=lambda rank: os.kill(engine.lanes[rank].pid, signal.SIGKILL))


def stopped():
    """A rank stands still for a while; nobody waits for it."""
    with anyk.engines.open("mpi", faults=LASTING) as engine:
        products_while_one_is_stopped(Struck(engine, CODE))


def stopped_for_long():
    """A rank stands still for twenty seconds, and works on."""
    with anyk.engines.open("mpi", faults=LASTING) as engine:
        products_while_one_is_stopped(Struck(engine, CODE), seconds=20.0)
        assert engine.lanes[1].submit(abs, -1).result(timeout=60) == 1


def left_stopped():
    """The master's program ends while a rank stands still."""
    ranks.END_SECONDS = 4.0
    with anyk.engines.open("mpi") as engine:
        Struck(engine, CODE).product(signal.SIGSTOP, rank=1, after=0.0)


def idle():
    """Ranks that have nothing to do leave their core to others."""
    with anyk.engines.open("mpi") as engine:
        pids = [lane.pid for lane in engine.lanes] + [os.getpid()]
        before, began = cpu_seconds(pids), time.monotonic()
        time.sleep(2.0)
        shares = (cpu_seconds(pids) - before) / (time.monotonic() - began)
        assert max(shares) < 0.3, shares


def cpu_seconds(pids):
    ticks = [sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) for pid in pids]
    return np.array(ticks) / os.sysconf("SC_CLK_TCK")


def failing():
    """The master's program fails with work on its way."""
    engine = anyk.engines.open("mpi", faults=LASTING)
    engine.lanes[0].submit(abs, -1)
    raise LookupError("on purpose")


def every_rank():
    """Without the runner: all ranks run this, and only rank 0 comes back."""
    with anyk.engines.open("mpi") as engine:
        Struck(engine, CODE).product()


if __name__ == "__main__":
    from tests.distributed import mpi_scenes

    for scene in sys.argv[1:]:
        getattr(mpi_scenes, scene)()
        print(f"{scene}: all is well", flush=True)
