"""Executors as engines: threads, one process pool, several of one process each, and one of unknown kind."""

import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import anyk
from anyk.engines.base import Cancelled, Lost, Ref
from anyk.engines.futures import FuturesEngine
from anyk.engines.handles import are_possible
from anyk.engines.work import nap
from anyk.errors import ClusterError, InputError, WorkerLost
from anyk.faults import Crash, ShiftedExponential, Stop, combine
from anyk.faults.base import seeded
from anyk.testing.engines import EngineContract
from tests.distributed.verbs import (
    CODES,
    Struck,
    every_verb,
    killed_before_during_and_after,
    products_while_one_is_stopped,
    several_at_once,
)

pytestmark = pytest.mark.cluster

CODE = anyk.codes.matdot(2, workers=6)
LASTING = ShiftedExponential(shift=1.0, scale=0.1, unit_seconds=0.15)


def pool(workers):
    return ProcessPoolExecutor(workers, mp_context=get_context("forkserver"))


def end(executor):
    for process in [*(executor._processes or {}).values()]:
        process.kill()
    executor.shutdown(wait=True)


class Opaque(Executor):
    """An executor of unknown kind: nothing is shared with its workers, as far as anybody knows."""

    def __init__(self, workers):
        self._pool = pool(workers)

    def submit(self, fn, /, *args, **kwargs):
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        end(self._pool)


@pytest.fixture(scope="module")
def processes():
    executor = pool(3)
    yield executor
    end(executor)


@pytest.fixture(scope="module")
def singles():
    executors = [pool(1) for _ in range(6)]
    yield executors
    for executor in executors:
        end(executor)


@pytest.fixture(scope="module")
def opaque():
    executor = Opaque(3)
    yield executor
    executor.shutdown()


def pids_of(executors):
    return [executor.submit(os.getpid).result() for executor in executors]


class TestOneProcessPool(EngineContract):
    @pytest.fixture(autouse=True)
    def executor(self, processes):
        self.executor = processes

    def make(self, workers):
        return anyk.engines.open(self.executor, workers=workers)

    def test_blocks_are_shared_with_the_processes(self, engine):
        assert engine.caps.shared_memory == are_possible()


class TestPoolsOfOneProcess(EngineContract):
    @pytest.fixture(autouse=True)
    def executors(self, singles):
        self.executors = singles

    def make(self, workers):
        return FuturesEngine(at=self.executors[:workers])


class TestAnExecutorOfUnknownKind(EngineContract):
    @pytest.fixture(autouse=True)
    def executor(self, opaque, request):
        """One for all tests; nothing tells it to stop, so those that leave work behind get their own."""
        own = any(word in request.node.name for word in ("cancelled", "closing_ends"))
        self.executor = Opaque(3) if own else opaque
        yield
        if own:
            self.executor.shutdown()

    def make(self, workers):
        return anyk.engines.open(self.executor, workers=workers)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_every_verb_with_every_code(code, processes):
    with ThreadPoolExecutor(4) as threads, anyk.engines.open(threads) as engine:
        every_verb(engine, code)
    with anyk.engines.open(processes) as engine:
        every_verb(engine, code)


def test_a_verb_opens_an_executor_and_leaves_it_open(processes):
    A, B = np.random.default_rng(0).standard_normal((2, 30, 30))
    with ThreadPoolExecutor(3) as threads:
        for executor in (threads, processes):
            np.testing.assert_allclose(anyk.matmul(A, B, CODE, engine=executor).value, A @ B)
            assert executor.submit(abs, -1).result() == 1


def test_several_products_at_once(processes):
    for spec in ("futures:6", processes):
        with anyk.engines.open(spec) as engine:
            several_at_once(engine, CODE)


def test_pools_of_one_process_lose_only_the_one_that_dies():
    executors = [pool(1) for _ in range(6)]
    try:
        pids = pids_of(executors)
        with FuturesEngine(at=executors, faults=seeded(LASTING, 0)) as engine:
            killed_before_during_and_after(Struck(engine, CODE, pids.__getitem__))
            assert [lane.alive for lane in engine.lanes] == [False] * 3 + [True] * 3
    finally:
        for executor in executors:
            end(executor)


def test_a_stopped_process_is_not_waited_for(singles):
    pids = pids_of(singles)
    with FuturesEngine(at=singles, faults=seeded(LASTING, 0)) as engine:
        products_while_one_is_stopped(Struck(engine, CODE, pids.__getitem__))


def test_a_pool_that_breaks_takes_all_its_lanes_along_and_the_error_says_so():
    executor = pool(3)
    try:
        with anyk.engines.open(executor, faults=LASTING) as engine:
            news = []
            engine.subscribe(news.append)
            victim = executor.submit(os.getpid).result()
            timer = threading.Timer(0.05, os.kill, (victim, signal.SIGKILL))
            timer.start()
            with pytest.raises(ClusterError, match="BrokenProcessPool"):
                anyk.matmul(np.eye(30), np.eye(30), CODE, engine=engine)
            timer.join()

            assert sorted(each.rank for each in news if isinstance(each, Lost)) == [0, 1, 2]
    finally:
        end(executor)


def test_an_executor_that_was_shut_down_is_a_clear_error():
    executor = ThreadPoolExecutor(2)
    executor.shutdown()

    with pytest.raises(ClusterError, match="after shutdown"):
        anyk.matmul(np.eye(30), np.eye(30), CODE, engine=executor)


def test_what_is_no_executor_is_refused():
    with pytest.raises(InputError, match="needs an executor"):
        FuturesEngine(at=[ThreadPoolExecutor(1), "another"])


def test_resident_blocks_are_mapped_and_not_sent_again(processes):
    block = np.random.default_rng(0).random((500, 500))
    with anyk.engines.open(processes) as engine:
        if not engine.caps.shared_memory:
            pytest.skip("no shared memory")
        lane = engine.lanes[0]
        lane.put("a", block)
        sums = [lane.submit(np.sum, Ref("a")).result(timeout=30) for _ in range(3)]
        written = lane.alloc("c", (500, 500), float)
        lane.submit(np.copyto, Ref("c"), Ref("a")).result(timeout=30)

    assert sums == [block.sum()] * 3
    np.testing.assert_array_equal(written, block)


def test_work_of_a_killed_thread_lane_ends_before_the_next_one_begins():
    begun, order = threading.Event(), []

    def slow():
        begun.set()
        try:
            nap(60.0)
        except Cancelled:
            order.append("old ended")
            raise

    with anyk.engines.open("futures:1") as engine:
        owed = engine.lanes[0].submit(slow)
        assert begun.wait(10)
        engine.respawn(0).submit(order.append, "new began").result(timeout=30)

        assert isinstance(owed.exception(), WorkerLost)
    assert order == ["old ended", "new began"]


def test_threads_crash_and_stop_without_their_master():
    faults = combine(Crash(ranks=(0,)), Stop(ranks=(1,)))
    with anyk.engines.open("futures:6", faults=faults) as engine:
        A, B = np.random.default_rng(0).standard_normal((2, 30, 30))
        product = anyk.matmul(A, B, CODE, engine=engine, retries=0)

    np.testing.assert_allclose(product.value, A @ B)
    assert not {0, 1} & {*product.survivors}


def test_exceptions_and_exhausted_memory_on_a_worker_are_told_with_their_reason(processes):
    with anyk.engines.open(processes) as engine:
        error = engine.lanes[0].submit(np.ones, (1 << 48,)).exception(timeout=30)

    assert isinstance(error, MemoryError)
    assert "on worker 0" in error.__notes__[0]
