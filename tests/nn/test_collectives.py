"""Ranks that meet in torch's own collectives and in MPI's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anyk.nn.ranks import ONE_THREAD

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=3", "-m"]


@pytest.mark.parametrize("kind", ["gloo", "mpi"])
def test_three_ranks_see_the_same_pieces(kind: str) -> None:
    start = TORCHRUN
    if kind == "mpi":
        pytest.importorskip("mpi4py")
        mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if mpiexec is None:
            pytest.skip("needs mpiexec")
        start = [mpiexec, "--allow-run-as-root", "--oversubscribe", "-n", "3", sys.executable, "-m"]
    done = subprocess.run(
        [*start, "tests.nn.collective_program", kind],
        env={**os.environ, **ONE_THREAD},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert sorted(line for line in done.stdout.splitlines() if "well" in line) == [
        f"rank {rank} of 3 is well" for rank in range(3)
    ]
