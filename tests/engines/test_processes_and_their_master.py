"""Whatever happens to the process that opened a processes engine, no worker outlives it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines.test_processes import LONG, is_running, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]

PROLOGUE = """
import os, signal, sys, threading, time
from anyk.engines.base import WorkerLost
from anyk.engines.processes import ProcessEngine
from tests.engines import deeds

def say_pids(engine):
    print(*[lane.pid for lane in engine.lanes], engine.zygote_pid, flush=True)
"""

BUSY = """
engine = ProcessEngine(3)
futures = [lane.submit(time.sleep, 100) for lane in engine.lanes]
say_pids(engine)
futures[0].result()
"""


@contextmanager
def master(script: str):
    """A process that runs a script in a group of its own, and what it said first: process numbers."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        try:
            assert process.stdout is not None
            pids = [int(each) for each in process.stdout.readline().split()]
            assert pids, "it did not even start"
            yield process, pids
        finally:
            process.kill()


def gone(pids) -> bool:
    return not any(map(is_running, pids))


def finish(process, status: int = 0) -> tuple[str, str]:
    """What else it said. (`communicate` would forget what `readline` has read ahead.)"""
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(LONG) == status, err
    return out, err


def test_kill_9_of_the_master_ends_all():
    with master(BUSY) as (process, pids):
        assert len(pids) == 4
        process.kill()

        until(lambda: gone(pids))


@pytest.mark.parametrize("who", [slice(0, 3), slice(3, 4), slice(0, 4)], ids=["workers", "zygote", "everybody"])
def test_kill_9_of_the_master_ends_stopped_processes_too(who):
    with master(BUSY) as (process, pids):
        for pid in pids[who]:
            os.kill(pid, signal.SIGSTOP)
        process.kill()

        until(lambda: gone(pids))


def test_kill_9_of_the_master_ends_all_though_a_fork_of_it_lives_on():
    fork = "child = os.fork() or time.sleep(100)\nprint(child, flush=True)\n"
    with master(BUSY.replace("futures[0]", fork + "futures[0]")) as (process, pids):
        child = int(process.stdout.readline())
        process.kill()

        until(lambda: gone(pids))
        assert is_running(child)
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT])
def test_a_signal_that_ends_the_master_ends_all(number):
    with master(BUSY) as (process, pids):
        process.send_signal(number)

        until(lambda: gone(pids))


def test_ctrl_c_ends_all_through_the_master():
    with master(BUSY) as (process, pids):
        os.killpg(process.pid, signal.SIGINT)

        _, err = finish(process, -signal.SIGINT)
        assert "KeyboardInterrupt" in err
        assert gone(pids)


def test_ctrl_c_that_the_master_survives_harms_no_worker():
    script = """
with ProcessEngine(2) as engine:
    say_pids(engine)
    try:
        engine.lanes[0].submit(deeds.rest, 1.0).result()
    except KeyboardInterrupt:
        print(*[lane.submit(deeds.same, lane.epoch).result() for lane in engine.lanes])
"""
    with master(script) as (process, pids):
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)

        out, err = finish(process)
        assert (out, err) == ("0 0\n", "")
        assert gone(pids)


@pytest.mark.parametrize(
    "ending", ["", "sys.exit(0)", "os._exit(0)", "engine.close()", "del engine; time.sleep(0.2)"],
    ids=["end", "exit", "at once", "close", "forget"],
)  # fmt: skip
def test_the_masters_end_is_quiet_and_ends_all(ending):
    script = """
engine = ProcessEngine(3)
say_pids(engine)
for lane in engine.lanes:
    lane.submit(time.sleep, 100)
"""
    with master(script + ending) as (process, pids):
        out, err = finish(process)
        assert (out, err) == ("", "")
        until(lambda: gone(pids))


def test_an_uncaught_exception_ends_all():
    with master("engine = ProcessEngine(2)\nsay_pids(engine)\nraise LookupError('oh')") as (process, pids):
        _, err = finish(process, 1)

        assert err.rstrip().endswith("LookupError: oh")
        assert gone(pids)


def test_a_fork_of_the_master_leaves_the_engine_to_its_parent():
    script = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: a fork of a process with threads
engine = ProcessEngine(2)
say_pids(engine)
files = len(os.listdir("/proc/self/fd"))
child = os.fork()
if child == 0:
    assert len(os.listdir("/proc/self/fd")) <= files - 6
    future = engine.lanes[0].submit(deeds.same, 1)
    assert isinstance(future.exception(1), WorkerLost), future
    engine.close()
    sys.exit(5)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), *[lane.submit(deeds.same, 7).result(10) for lane in engine.lanes])
"""
    with master(script) as (process, pids):
        out, err = finish(process)

        assert (out, err) == ("5 7 7\n", "")
        assert gone(pids)


def test_an_unguarded_script_is_not_run_again_by_the_workers(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from anyk.engines.processes import ProcessEngine\n"
        "import os\n"
        "print('once')\n"
        "engine = ProcessEngine(2)\n"
        "print(len({lane.submit(os.getpid).result() for lane in engine.lanes}))\n"
    )

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=True, env=environment)

    assert done.stdout == "once\n2\n"


def test_a_limit_on_file_sizes_is_one_clear_error():
    script = """
import resource
import numpy as np
from anyk.errors import ClusterError
engine = ProcessEngine(1)
say_pids(engine)
lane = engine.lanes[0]
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
for verb in (lambda: lane.put("x", np.ones((1000, 1000))), lambda: lane.alloc("x", (1000, 1000), float)):
    try:
        verb()
    except ClusterError as error:
        print("8000000 bytes of shared memory" in str(error))
print(lane.submit(deeds.same, 3).result())
"""
    with master(script) as (process, _):
        assert finish(process)[0] == "True\nTrue\n3\n"


def test_the_limit_on_open_files_is_raised_as_far_as_many_workers_need_it():
    script = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (260, 400))
engine = ProcessEngine(1)
few = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
engine.close()
engine = ProcessEngine(36)
say_pids(engine)
print(few)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print([lane.submit(deeds.same, 3).result() for lane in engine.lanes] == [3] * 36)
"""
    with master(script) as (process, pids):
        assert finish(process)[0] == "260\n400\nTrue\n"
        assert gone(pids)


def test_more_workers_than_open_files_are_refused_with_the_way_out():
    script = """
import resource
from anyk.errors import ClusterError
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))
try:
    ProcessEngine(37)
except ClusterError as error:
    said = error
engine = ProcessEngine(1)
say_pids(engine)
print(said)
"""
    with master(script) as (process, _):
        said = finish(process)[0]

    assert "37 worker processes take about 404 open files, and this process may have 400" in said
    assert "use 36 workers or fewer" in said


def test_a_shortage_of_file_descriptors_is_one_clear_error():
    script = """
import resource
from anyk.errors import ClusterError
engine = ProcessEngine(2)
say_pids(engine)
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
blocks = []
try:
    for n in range(100):
        blocks.append(engine.lanes[0].alloc(f"x{n}", (3,), float))
except ClusterError as error:
    print("Too many open files" in str(error))
blocks.clear()
print(engine.lanes[1].submit(deeds.same, 3).result(10))
"""
    with master(script) as (process, pids):
        assert finish(process)[0] == "True\n3\n"
        assert gone(pids)
