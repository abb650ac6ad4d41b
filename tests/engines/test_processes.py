"""The processes engine, with real processes. No assertion on time, except that nothing hangs."""

import contextlib
import gc
import operator
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from anyk.engines import zygote
from anyk.engines.base import Cancelled, Joined, Lost, Ref, Slow, WorkerLost
from anyk.engines.channel import Op, pack
from anyk.engines.keeper import REPORTS
from anyk.engines.processes import ProcessEngine
from anyk.engines.work import multiply
from anyk.errors import ClusterError, InputError
from anyk.faults.base import Fate
from tests.engines import deeds

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]

#: Far more than anything here takes: reaching it means a hang.
LONG = 30.0
GRACE = 0.6


def state_of(pid: int) -> str:
    """The kernel's letter for a process: R, S, T (stopped), … and "" for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int) -> bool:
    """Zombies do not count: where their parent was killed, they wait for the machine's init."""
    return state_of(pid) not in ("", "Z")


def files(directory: str) -> list[str]:
    return sorted(each.name for each in Path(directory).iterdir())


def until(condition) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.002)


def processes_of(engine) -> list[int]:
    return [lane.pid for lane in engine.lanes] + [engine.zygote_pid]


@pytest.fixture(scope="module")
def shared():
    """An engine for tests that lose nobody."""
    with ProcessEngine(3) as engine:
        pids = processes_of(engine)
        yield engine
        assert pids == processes_of(engine), "a test that loses workers needs an engine of its own"
    assert not any(map(state_of, pids))


@pytest.fixture
def lane(shared):
    return shared.lanes[1]


@pytest.fixture
def engine():
    """An engine to harm; at the end nobody is left and nobody waits."""
    with ProcessEngine(3, grace_seconds=GRACE) as engine:
        yield engine
        pids = processes_of(engine)
    assert not any(map(state_of, pids))
    assert not any(lane.pending() for lane in engine.lanes)


@pytest.fixture
def news(engine):
    heard: SimpleQueue = SimpleQueue()
    engine.subscribe(heard.put)
    return heard


# --- work and blocks ------------------------------------------------------------------------------------------------


def test_every_lane_is_a_process_of_its_own(shared):
    pids = [lane.submit(os.getpid).result(LONG) for lane in shared.lanes]

    assert pids == [lane.pid for lane in shared.lanes]
    assert len({os.getpid(), *pids}) == 4
    assert [lane.rank for lane in shared.lanes] == [0, 1, 2]
    assert [lane.epoch for lane in shared.lanes] == [0, 0, 0]


def test_work_runs_in_the_order_it_was_submitted(lane):
    futures = [lane.submit(deeds.remember, n) for n in range(300)]

    last = futures[-1].result(LONG)
    assert [each for each in last if isinstance(each, int)] == list(range(300))


BLOCKS = {
    "scalar": np.array(3.5),
    "empty": np.ones((0, 4)),
    "small": np.arange(6).reshape(2, 3),
    "float32": np.arange(40_000, dtype=np.float32).reshape(200, 200),
    "complex": np.arange(40_000).reshape(200, 200) * (1 + 2j),
    "fortran": np.asfortranarray(np.arange(40_000.0).reshape(100, 400)),
    "strided": np.arange(160_000.0).reshape(400, 400)[::-2, 1::2],
    "broadcast": np.broadcast_to(np.arange(300.0), (300, 300)),
    "bytes": np.frombuffer(bytes(range(256)) * 400, np.uint8),
    "big endian": np.arange(20_000, dtype=">f8"),
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_a_block_comes_back_as_it_was_put(lane, block):
    assert lane.put("block", block).result(LONG) is None

    back = lane.fetch("block").result(LONG)
    np.testing.assert_array_equal(back, block)
    assert back.dtype == block.dtype


def test_put_then_submit_needs_no_wait_and_the_last_put_wins(lane):
    lane.put("a", np.ones(3))
    lane.put("a", np.full(100_000, 2.0))
    future = lane.submit(deeds.total, Ref("a"))

    assert future.result(LONG) == 200_000.0


@pytest.mark.parametrize("size", [10, 100_000])
def test_put_takes_what_the_block_holds_at_the_call(lane, size):
    block = np.ones(size)
    lane.submit(deeds.rest, 0.02)
    lane.put("a", block)
    block[...] = 9.0

    assert lane.submit(deeds.total, Ref("a")).result(LONG) == size


def test_a_block_of_objects_is_refused(lane):
    with pytest.raises(InputError, match="block of numbers"):
        lane.put("a", np.array([object()]))


@pytest.mark.parametrize("shape", [(0,), (3,), (300, 400)])
def test_an_allocated_buffer_is_one_memory_on_both_sides(lane, shape):
    buffer = lane.alloc("buffer", shape, np.float64)
    assert buffer.shape == shape
    assert not buffer.any()

    buffer[...] = 1.0
    assert lane.submit(deeds.total, Ref("buffer")).result(LONG) == buffer.size
    lane.submit(deeds.fill, Ref("buffer"), 5.0).result(LONG)
    assert (buffer == 5.0).all()


def test_a_product_is_written_straight_into_the_masters_buffer(lane):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((500, 300)), rng.standard_normal((300, 20))
    lane.alloc("a", a.shape, a.dtype)[...] = a
    lane.put("b", b)
    y = lane.alloc("y", (500, 20), float)

    assert lane.submit(multiply, Ref("a"), Ref("b"), Ref("y")).result(LONG) is None

    np.testing.assert_allclose(y, a @ b, rtol=0, atol=1e-12)


def test_a_shared_block_goes_to_other_workers_without_a_copy(shared):
    first, second, _ = shared.lanes
    buffer = first.alloc("x", (50,), float)
    second.put("part", buffer[10:20])

    second.submit(deeds.fill, Ref("part"), 3.0).result(LONG)

    assert buffer[10:20].tolist() == [3.0] * 10
    assert first.submit(deeds.total, Ref("x")).result(LONG) == 30.0


def test_fetch_of_a_shared_block_is_the_same_memory(lane):
    buffer = lane.alloc("x", (50,), float)

    assert np.shares_memory(lane.fetch("x").result(LONG), buffer)


def test_results_can_stay_on_the_worker(lane):
    future = lane.submit(deeds.ones, 300, 300, out="ones")

    assert future.result(LONG) is None
    assert lane.submit(deeds.total, Ref("ones")).result(LONG) == 90_000.0
    assert lane.fetch("ones").result(LONG).shape == (300, 300)


def test_large_arrays_anywhere_in_a_result_arrive_writable(lane):
    result = lane.submit(deeds.nested, 50_000).result(LONG)

    np.testing.assert_array_equal(result["big"], np.arange(50_000))
    assert result["more"][0].shape == (50_000, 2)
    assert result["more"][1] == "text"
    result["big"][0] = 7


def test_a_result_is_a_snapshot_even_of_a_shared_block(lane):
    lane.alloc("x", (20_000,), float)
    result = lane.submit(deeds.same, Ref("x")).result(LONG)

    lane.submit(deeds.fill, Ref("x"), 1.0).result(LONG)

    assert not result.any()


def test_large_arguments_travel_too(lane):
    a = np.arange(100_000.0)

    first, second = lane.submit(deeds.same, a, {"key": a}).result(LONG)

    np.testing.assert_array_equal(first, a)
    np.testing.assert_array_equal(second["key"], a)


def test_a_huge_message_passes(lane):
    text = os.urandom(20_000_000)

    assert lane.submit(deeds.same, text).result(LONG) == text


def test_deleted_and_unknown_blocks_are_missed_by_name(lane):
    lane.put("x", np.ones(2))
    lane.delete("x", "never heard of")

    with pytest.raises(InputError, match="holds no block 'x'"):
        lane.submit(deeds.total, Ref("x")).result(LONG)
    with pytest.raises(InputError, match="holds no block 'nothing'"):
        lane.fetch("nothing").result(LONG)


def test_deleted_blocks_are_freed_on_both_sides(lane):
    lane.delete(*"abxy", "big", "block", "buffer", "ones", "part")
    gc.collect()
    before = lane.submit(deeds.open_descriptors).result(LONG), files("/proc/self/fd")
    for _ in range(5):
        lane.alloc("x", (100_000,), float)[...] = 1.0
        lane.put("y", np.ones(100_000))
        lane.submit(deeds.ones, 100_000).result(LONG)
    lane.delete("x", "y")

    after = lane.submit(deeds.open_descriptors).result(LONG), files("/proc/self/fd")
    assert sorted(after[0]) == sorted(before[0])
    assert after[1] == before[1]


# --- errors in the work ---------------------------------------------------------------------------------------------


def test_an_exception_is_its_own_futures_only_and_tells_where_it_came_from(lane):
    bad, good = lane.submit(deeds.fail, "no such luck"), lane.submit(deeds.same, 1)

    with pytest.raises(LookupError, match="no such luck") as caught:
        bad.result(LONG)
    assert f"on worker {lane.rank} (process {lane.pid})" in caught.value.__notes__[0]
    assert "deeds.py" in caught.value.__notes__[0]
    assert good.result(LONG) == 1


def test_an_exception_that_cannot_travel_is_told_in_words(lane):
    with pytest.raises(RuntimeError, match="Awkward: 1 and 2"):
        lane.submit(deeds.fail_awkwardly).result(LONG)


def test_sys_exit_ends_the_work_and_neither_worker_nor_master(lane):
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        lane.submit(deeds.leave, 3).result(LONG)
    assert lane.submit(os.getpid).result(LONG) == lane.pid


def test_a_result_that_cannot_be_pickled_is_an_error(lane):
    with pytest.raises(InputError, match="result of this work cannot be sent"):
        lane.submit(deeds.unpicklable).result(LONG)


def test_work_that_cannot_be_imported_by_name_is_refused_at_the_call(lane):
    def local():
        pass

    with pytest.raises(InputError, match="importable by name"):
        lane.submit(local)
    with pytest.raises(InputError, match="importable by name"):
        lane.submit(lambda: 0)
    with pytest.raises(InputError, match="importable by name"):
        lane.submit(deeds.same, threading.Lock())


def test_a_function_of_the_main_script_is_refused_at_the_call(lane, monkeypatch):
    monkeypatch.setattr(deeds.same, "__module__", "__main__")

    with pytest.raises(InputError, match="cannot import same from a script's `__main__`"):
        lane.submit(deeds.same, 1)


def test_an_argument_the_worker_cannot_load_is_that_futures_error(lane, monkeypatch):
    monkeypatch.setattr(deeds, "Late", type("Late", (), {"__module__": deeds.__name__}), raising=False)

    with pytest.raises(InputError, match="cannot load this work"):
        lane.submit(deeds.same, deeds.Late()).result(LONG)


# --- what the work may do -------------------------------------------------------------------------------------------


def test_what_the_work_prints_appears(lane, capfd):
    with ProcessEngine(1) as printing:
        printing.lanes[0].submit(deeds.say, "hello from afar").result(LONG)

    assert "hello from afar" in capfd.readouterr().out


def test_work_that_forks_answers_once(lane):
    child = lane.submit(deeds.fork_and_return).result(LONG)

    assert child > 0
    assert lane.submit(os.getpid).result(LONG) == lane.pid


def test_workers_ignore_interrupts_and_hold_no_siblings_sockets(shared):
    for lane in shared.lanes:
        assert lane.submit(deeds.ignores_interrupts).result(LONG)
        sockets = [each for each in lane.submit(deeds.open_descriptors).result(LONG) if each.startswith("socket:")]
        assert len(sockets) == 1


def test_workers_draw_different_random_numbers(shared):
    drawn = [lane.submit(deeds.random_numbers).result(LONG) for lane in shared.lanes]

    assert len({first for first, _ in drawn}) == 3
    assert len({second for _, second in drawn}) == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_blas_threads_are_set_on_the_workers(threads):
    with ProcessEngine(1, threads_per_worker=threads) as engine:
        assert engine.lanes[0].submit(deeds.blas_threads).result(LONG) == {threads}


def test_several_threads_may_use_one_engine(shared):
    def use(n):
        lane = shared.lanes[n % 3]
        lane.put(f"x{n}", np.full(20_000, n))
        return [lane.submit(deeds.total, Ref(f"x{n}")).result(LONG) for _ in range(10)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(use, range(8)))

    assert results == [[20_000.0 * n] * 10 for n in range(8)]


# --- loss -----------------------------------------------------------------------------------------------------------


def test_a_killed_worker_loses_its_own_work_only(engine, news):
    for lane in engine.lanes:
        lane.put("x", np.full(100_000, lane.rank))
    done = engine.lanes[1].submit(deeds.same, "in time")
    done.result(LONG)
    owed = [engine.lanes[1].submit(deeds.rest, 50.0) for _ in range(100)]

    os.kill(engine.lanes[1].pid, signal.SIGKILL)

    for future in owed:
        with pytest.raises(WorkerLost, match=r"worker 1 \(epoch 0\) was lost: killed by SIGKILL"):
            future.result(LONG)
    assert done.result() == "in time"
    assert news.get(timeout=LONG) == Lost(1, 0, "killed by SIGKILL")
    for rank in (0, 2):
        assert engine.lanes[rank].submit(deeds.total, Ref("x")).result(LONG) == 100_000.0 * rank


def test_a_lost_lane_fails_everything_at_once(engine):
    lane = engine.lanes[0]
    lane.kill()
    with pytest.raises(WorkerLost, match="killed on request"):
        lane.submit(deeds.rest, 50.0).result(LONG)

    for future in (lane.put("x", np.ones(3)), lane.fetch("x"), lane.submit(deeds.same, 1)):
        with pytest.raises(WorkerLost):
            future.result(LONG)
    assert lane.alloc("x", (3,), float).shape == (3,)
    lane.delete("x")
    lane.kill()


def test_an_interrupt_while_a_message_is_sent_costs_that_worker_only(engine, monkeypatch):
    old, other = engine.lanes[0], engine.lanes[1].submit(operator.mul, 2, 3)

    def interrupted(channel):
        channel._socket.sendmsg([channel._outbound[0][0]])
        raise KeyboardInterrupt  # sent, and not booked: it would be sent again

    with monkeypatch.context() as patched:
        patched.setattr(type(old.channel), "flush", interrupted)
        with pytest.raises(KeyboardInterrupt):
            old.submit(operator.mul, 3, 4)
    after = old.submit(operator.mul, 4, 5)

    assert isinstance(after.exception(LONG), WorkerLost)
    assert "interrupted while work was sent to it" in str(after.exception())
    assert other.result(LONG) == 6
    assert engine.respawn(0).submit(operator.mul, 5, 6).result(LONG) == 30


def test_a_worker_killed_before_it_was_ever_used_is_missed(engine, news):
    os.kill(engine.lanes[2].pid, signal.SIGKILL)

    assert news.get(timeout=LONG) == Lost(2, 0, "killed by SIGKILL")


@pytest.mark.parametrize(
    ("deed", "cause"),
    [
        ((deeds.die, 3), "exited with code 3"),
        ((deeds.die_by, signal.SIGSEGV), "killed by SIGSEGV"),
        ((deeds.die_by, signal.SIGTERM), "killed by SIGTERM"),
    ],
    ids=["exit", "crash", "terminated"],
)
def test_the_cause_of_death_is_told(engine, deed, cause, monkeypatch):
    # The loss is told at once, with the cause if it is known by then; here the machine may be as slow as it likes.
    monkeypatch.setattr("anyk.engines.keeper.OBITUARY_SECONDS", LONG)

    with pytest.raises(WorkerLost, match=cause):
        engine.lanes[0].submit(*deed).result(2 * LONG)


def test_a_worker_that_leaves_a_child_behind_is_missed_all_the_same(engine):
    with pytest.raises(WorkerLost, match="exited with code 7"):
        engine.lanes[0].submit(deeds.fork_and_die, 3.0).result(LONG)


def test_a_respawned_worker_is_a_new_one_with_an_empty_store(engine, news):
    old = engine.lanes[1]
    old.put("x", np.ones(3)).result(LONG)
    old.kill()
    assert news.get(timeout=LONG) == Lost(1, 0, "killed on request")

    new = engine.respawn(1)

    assert engine.lanes[1] is new
    assert (new.rank, new.epoch) == (1, 1)
    assert new.pid != old.pid
    assert news.get(timeout=LONG) == Joined(1, 1)
    with pytest.raises(InputError, match="holds no block"):
        new.fetch("x").result(LONG)
    with pytest.raises(WorkerLost):
        old.submit(deeds.same, 1).result(LONG)


def test_a_living_worker_can_be_replaced_and_its_late_answers_reach_nobody(engine, news):
    old = engine.lanes[0]
    late = [old.submit(deeds.rest, 0.01) for _ in range(50)]

    new = engine.respawn(0)
    answers = [new.submit(deeds.same, n) for n in range(50)]

    assert [future.result(LONG) for future in answers] == list(range(50))
    wait(late, LONG)
    lost = [future for future in late if future.exception() is not None]
    assert lost
    assert all(isinstance(future.exception(), WorkerLost) for future in lost)
    assert news.get(timeout=LONG) == Lost(0, 0, "replaced by a new worker")
    assert state_of(old.pid) == ""


def test_blocks_in_shared_memory_survive_their_worker(engine):
    buffer = engine.lanes[0].alloc("x", (1000,), float)
    buffer[...] = 2.0
    engine.lanes[0].kill()

    new = engine.respawn(0)
    new.put("x", buffer)
    new.submit(deeds.fill, Ref("x"), 3.0).result(LONG)

    assert (buffer == 3.0).all()


def test_epochs_go_on_counting(engine):
    for epoch in range(1, 6):
        assert engine.respawn(2).epoch == epoch
    assert engine.lanes[2].submit(os.getpid).result(LONG) == engine.lanes[2].pid


def test_everybody_can_be_replaced_after_the_zygote_was_killed(engine):
    before = engine.zygote_pid
    pids = processes_of(engine)
    pending = [lane.submit(deeds.rest, 50.0) for lane in engine.lanes]

    os.kill(before, signal.SIGKILL)

    for future in pending:
        with pytest.raises(WorkerLost):
            future.result(LONG)
    for rank in range(3):
        assert engine.respawn(rank).submit(deeds.same, rank).result(LONG) == rank
    assert engine.zygote_pid != before
    assert not any(map(is_running, pids))


def test_a_fork_that_is_refused_is_a_clear_error(engine, monkeypatch):
    keeper = engine._keeper

    def refuse(rank, epoch, end):
        report = pack(Op.UNBORN, 0, (rank, epoch, "no more processes"))
        keeper.loop.soon(lambda: REPORTS[Op.UNBORN](keeper, report))

    monkeypatch.setattr(keeper._nursery, "fork", refuse)

    with pytest.raises(ClusterError, match="no process could be forked: no more processes"):
        engine.respawn(0)
    monkeypatch.undo()
    assert engine.respawn(0).submit(deeds.same, 1).result(LONG) == 1


def test_more_workers_start_than_orders_fit_the_socket(monkeypatch):
    boot, sizes = zygote.Nursery.__init__, []

    def narrow(nursery, threads):
        boot(nursery, threads)
        nursery.channel._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

    fork = zygote.Nursery.fork
    monkeypatch.setattr(zygote.Nursery, "__init__", narrow)
    monkeypatch.setattr(
        zygote.Nursery, "fork", lambda self, *order: (fork(self, *order), sizes.append(self.channel.backlog))
    )
    with ProcessEngine(30) as many:
        assert any(sizes)
        assert [lane.submit(deeds.same, 3).result(LONG) for lane in many.lanes] == [3] * 30


def test_a_stopped_zygote_is_woken_for_the_next_worker(engine):
    os.kill(engine.zygote_pid, signal.SIGSTOP)
    engine.lanes[0].kill()

    assert engine.respawn(0).submit(deeds.same, 1).result(LONG) == 1


def test_workers_are_killed_by_number_where_there_are_no_process_handles(engine):
    for lane in engine.lanes:
        lane._handle.close()
        lane._handle = None
    engine.lanes[0].kill()

    with pytest.raises(WorkerLost):
        engine.lanes[0].submit(deeds.rest, 50.0).result(LONG)


def test_a_worker_replaced_before_it_was_born_is_ended_too(engine):
    first, second = engine._keeper.loop.ask(lambda: (engine._keeper.hatch(0), engine._keeper.hatch(0)))

    assert second.submit(deeds.same, 1).result(LONG) == 1
    assert engine.lanes[0] is second
    assert (first.epoch, second.epoch) == (1, 2)
    until(lambda: first.pid is not None and state_of(first.pid) == "")


# --- fates ----------------------------------------------------------------------------------------------------------


def test_fates_are_suffered_for_real_by_round_and_rank():
    drawn = []

    def fate(round, rank):
        drawn.append((round, rank))
        return {(1, 0): Fate(end="crash"), (0, 1): Fate(delay_seconds=0.2), (1, 1): Fate(end="stop")}.get(
            (round, rank), Fate(slowdown=3.0)
        )

    with ProcessEngine(2, faults=fate, grace_seconds=GRACE) as engine:
        first, second = engine.lanes
        start = time.monotonic()
        assert first.submit(deeds.rest, 0.05).result(LONG) == "rested"
        assert time.monotonic() - start >= 0.15
        with pytest.raises(WorkerLost, match="killed by SIGKILL"):
            first.submit(deeds.same, 1).result(LONG)
        assert engine.respawn(0).submit(deeds.same, 2).result(LONG) == 2

        start = time.monotonic()
        assert second.submit(deeds.same, 1).result(LONG) == 1
        assert time.monotonic() - start >= 0.2
        silent = second.submit(deeds.same, 1)
        until(lambda: state_of(second.pid) == "T")
        os.kill(second.pid, signal.SIGCONT)
        until(lambda: state_of(second.pid) == "T")
        assert second.cancel(silent) == "flagged"
        with pytest.raises(WorkerLost):
            silent.result(LONG)

    assert sorted(drawn) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


def test_a_delay_can_be_cancelled():
    with ProcessEngine(1, faults=lambda round, rank: Fate(delay_seconds=50.0)) as engine:
        lane = engine.lanes[0]
        future = lane.submit(deeds.same, 1)
        time.sleep(0.1)
        lane.cancel(future)

        with pytest.raises(Cancelled):
            future.result(LONG)


# --- stopped workers and cancelling ---------------------------------------------------------------------------------


def test_a_stopped_worker_blocks_neither_the_master_nor_the_others(engine):
    os.kill(engine.lanes[0].pid, signal.SIGSTOP)

    for n in range(300):
        engine.lanes[0].submit(deeds.same, b"x" * 100_000)
        engine.lanes[0].put(f"x{n % 3}", np.ones(10_000))
    assert engine.lanes[1].submit(deeds.same, 1).result(LONG) == 1

    os.kill(engine.lanes[0].pid, signal.SIGCONT)
    assert engine.lanes[0].submit(deeds.same, 2).result(LONG) == 2


def test_work_that_was_not_sent_yet_is_dequeued(engine):
    lane = engine.lanes[0]
    os.kill(lane.pid, signal.SIGSTOP)
    futures = [lane.submit(deeds.remember, n) for n in range(200)]

    assert lane.cancel(futures[-1]) == "dequeued"
    os.kill(lane.pid, signal.SIGCONT)

    assert futures[-2].result(LONG)[-1] == 198
    with pytest.raises(CancelledError):
        futures[-1].result(LONG)
    assert lane.submit(deeds.remember, "end").result(LONG)[-2:] == [198, "end"]


def test_work_that_was_sent_but_not_begun_is_skipped(engine):
    lane = engine.lanes[0]
    first = lane.submit(deeds.rest, 0.3)
    second, third = lane.submit(deeds.remember, 2), lane.submit(deeds.remember, 3)

    assert lane.cancel(second) == "flagged"

    with pytest.raises(Cancelled):
        second.result(LONG)
    assert first.result(LONG) == "rested"
    assert third.result(LONG) == [3]


def test_running_work_stops_at_its_next_checkpoint_and_the_worker_goes_on(engine):
    lane = engine.lanes[0]
    lane.put("x", np.ones(3))
    begun = lane.alloc("begun", (), bool)
    future = lane.submit(deeds.begin, Ref("begun"), 50.0, deeds.spin)
    until(begun.any)

    assert lane.cancel(future) == "flagged"

    with pytest.raises(Cancelled):
        future.result(LONG)
    assert lane.submit(deeds.total, Ref("x")).result(LONG) == 3.0
    assert engine.lanes[0] is lane


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_a_long_product_can_be_cancelled(dtype):
    with ProcessEngine(1, grace_seconds=LONG) as engine:
        lane = engine.lanes[0]
        lane.alloc("big", (4000, 4000), dtype)
        y = lane.alloc("y", (4000, 4000), dtype)
        y[...] = 1
        future = lane.submit(multiply, Ref("big"), Ref("big"), Ref("y"))
        until(lambda: not y[0].any())

        assert lane.cancel(future) == "flagged"

        with pytest.raises(Cancelled):
            future.result(LONG)
        assert y[-1].all()


@pytest.mark.parametrize("is_stopped", [True, False], ids=["stopped", "deaf"])
def test_a_worker_that_goes_on_with_cancelled_work_is_replaced(engine, news, is_stopped):
    lane = engine.lanes[0]
    begun = lane.alloc("begun", (), bool)
    future, queued = lane.submit(deeds.begin, Ref("begun"), 50.0), lane.submit(deeds.same, 1)
    until(begun.any)
    if is_stopped:
        os.kill(lane.pid, signal.SIGSTOP)

    assert lane.cancel(future) == "flagged"

    for each in (future, queued):
        with pytest.raises(WorkerLost, match="did not answer a cancel"):
            each.result(LONG)
    slow, lost, joined = [news.get(timeout=LONG) for _ in range(3)]
    assert isinstance(slow, Slow)
    assert slow.rank == 0
    assert slow.seconds >= GRACE
    assert isinstance(lost, Lost)
    assert joined == Joined(0, 1)
    assert engine.lanes[0].submit(deeds.same, 1).result(LONG) == 1
    assert state_of(lane.pid) == ""


def test_a_worker_stopped_before_the_work_came_is_replaced_too(engine):
    lane = engine.lanes[0]
    os.kill(lane.pid, signal.SIGSTOP)
    lane.put("x", np.ones(3))
    lane.alloc("y", (3,), float)
    future = lane.submit(deeds.total, Ref("x"))

    assert lane.cancel(future) == "flagged"

    with pytest.raises(WorkerLost):
        future.result(LONG)
    until(lambda: engine.lanes[0].epoch == 1)


def test_a_worker_busy_with_wanted_work_is_not_blamed_for_cancelled_work_behind_it(engine):
    lane = engine.lanes[0]
    wanted, unwanted = lane.submit(time.sleep, 2.5 * GRACE), lane.submit(deeds.same, 1)

    assert lane.cancel(unwanted) == "flagged"

    assert wanted.result(LONG) is None
    with pytest.raises(Cancelled):
        unwanted.result(LONG)
    assert engine.lanes[0] is lane


def test_only_work_can_be_flagged_and_of_what_is_done_nothing_is_left(engine):
    lane, other = engine.lanes[:2]
    done = lane.submit(deeds.same, 1)
    done.result(LONG)
    os.kill(lane.pid, signal.SIGSTOP)
    put = lane.put("x", np.ones(3))

    assert lane.cancel(done) == "dequeued"
    assert lane.cancel(put) == "running"
    assert other.cancel(put) == "running"
    os.kill(lane.pid, signal.SIGCONT)
    assert put.result(LONG) is None


def test_a_future_may_be_cancelled_directly_until_it_is_sent(engine):
    lane = engine.lanes[0]
    os.kill(lane.pid, signal.SIGSTOP)
    futures = [lane.submit(deeds.same, n) for n in range(100)]

    assert not futures[0].cancel()
    assert futures[-1].cancel()
    os.kill(lane.pid, signal.SIGCONT)

    assert [future.result(LONG) for future in futures[:-1]] == list(range(99))


# --- callbacks ------------------------------------------------------------------------------------------------------


def test_callbacks_may_call_any_verb(engine):
    done = threading.Event()

    def again(_):
        engine.lanes[1].submit(deeds.same, 1).add_done_callback(lambda _: (engine.respawn(2), done.set()))

    engine.lanes[0].submit(deeds.same, 1).add_done_callback(again)

    assert done.wait(LONG)
    assert engine.lanes[2].submit(deeds.same, 5).result(LONG) == 5


def test_a_failing_subscriber_harms_nobody(engine, news, caplog):
    def fail(_):
        raise ValueError("not my day")

    engine.subscribe(fail)
    engine.lanes[0].kill()

    assert isinstance(news.get(timeout=LONG), Lost)
    assert engine.respawn(0).submit(deeds.same, 1).result(LONG) == 1
    assert "a subscriber failed" in caplog.text


def test_who_unsubscribes_hears_no_more(engine):
    heard = []
    engine.subscribe(heard.append)()

    engine.respawn(0)

    assert heard == []


# --- closing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_stopped", [True, False], ids=["stopped", "busy"])
def test_close_leaves_no_process_thread_or_pending_future(is_stopped):
    threads = threading.active_count()
    engine = ProcessEngine(3)
    pids = processes_of(engine)
    pending = [lane.submit(time.sleep, 50.0) for lane in engine.lanes]
    if is_stopped:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    engine.close()
    engine.close()

    assert not any(map(state_of, pids))
    assert threading.active_count() <= threads
    for future in pending:
        with pytest.raises(WorkerLost, match="closed"):
            future.result(0)


def test_close_can_wait_for_work():
    engine = ProcessEngine(2)
    futures = [lane.submit(deeds.rest, 0.2) for lane in engine.lanes for _ in range(2)]

    engine.close(kill=False)

    assert [future.result(0) for future in futures] == ["rested"] * 4


def test_a_closed_engine_says_so():
    engine = ProcessEngine(1)
    engine.close()

    with pytest.raises(ClusterError, match="the engine is closed"):
        engine.respawn(0)
    with pytest.raises(WorkerLost, match="closed"):
        engine.lanes[0].submit(deeds.same, 1).result(0)


def test_a_callback_may_close_the_engine():
    engine = ProcessEngine(2)
    pids = processes_of(engine)

    engine.lanes[0].submit(deeds.same, 1).add_done_callback(lambda _: engine.close())

    until(lambda: not any(map(state_of, pids)))
    engine.close()


def test_an_exception_inside_with_leaves_nothing():
    pids = []
    with contextlib.suppress(KeyError), ProcessEngine(2) as engine:
        pids += processes_of(engine)
        engine.lanes[0].submit(time.sleep, 50.0)
        raise KeyError

    assert pids
    assert not any(map(state_of, pids))


def test_a_forgotten_engine_ends_its_workers():
    engine = ProcessEngine(2)
    pids = processes_of(engine)
    engine.lanes[0].submit(time.sleep, 50.0)

    del engine
    gc.collect()

    until(lambda: not any(map(state_of, pids)))


def test_no_workers_is_an_error():
    with pytest.raises(InputError, match="at least 1"):
        ProcessEngine(0)


def test_an_engine_that_cannot_start_says_why_and_leaves_nothing(monkeypatch):
    threads = threading.active_count()
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    with pytest.raises(ClusterError, match="could be started"):
        ProcessEngine(2)
    assert threading.active_count() <= threads


def test_an_interpreter_that_ends_at_once_is_an_error_too(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(ClusterError, match="could not be started"):
        ProcessEngine(2)


def test_nothing_appears_in_the_shared_memory_mount(shared):
    def named() -> int:
        return Path("/proc/self/maps").read_text().count("/dev/shm/")

    before = named()
    blocks = [lane.alloc("x", (1000, 1000), float) for lane in shared.lanes]

    assert named() == before
    assert len(blocks) == 3


@pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_opening_and_closing_again_and_again_opens_no_more_files(rounds):
    def once():
        with ProcessEngine(2) as engine:
            engine.lanes[0].alloc("x", (10_000,), float)
            engine.lanes[0].submit(deeds.ones, 100_000).result(LONG)
            engine.lanes[1].kill()
            engine.respawn(1)

    once()
    gc.collect()
    before = files("/proc/self/fd")
    for _ in range(rounds):
        once()
    gc.collect()

    assert files("/proc/self/fd") == before


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("runs_already", [True, False])
def test_an_interrupt_while_the_thread_starts_leaves_no_thread_and_no_files(monkeypatch, runs_already):
    start = threading.Thread.start

    def interrupted(thread):
        if runs_already:
            start(thread)
        raise KeyboardInterrupt

    gc.collect()
    before = files("/proc/self/fd"), threading.active_count()
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ProcessEngine(1)
    monkeypatch.undo()

    until(lambda: gc.collect() >= 0 and (files("/proc/self/fd"), threading.active_count()) == before)
