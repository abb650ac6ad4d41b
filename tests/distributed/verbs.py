"""What every engine must be able to do with every family of codes, and with a worker killed or stopped meanwhile."""

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import csr_array

import anyk
from anyk.codes import CATALOGUE
from anyk.errors import CodeError
from anyk.job import everyone
from anyk.job.messages import Decode

#: Keys of the engines' contract.
KEYS = ("block", "sum", "a", "c", "row", "same", "number")
#: In the names of those tests of the contract that end workers, or engines.
HARMFUL = ("kill", "death", "replaced", "loss", "closing")
CODES = [family.function(**family.example) for family in CATALOGUE.values()]
SHAPE = (37, 29, 23)


def every_verb(engine, code, rng=0):
    """matmul, stream, place (dense, sparse, transposed) and decode on one engine, against the product itself."""
    rng = np.random.default_rng(rng)
    A, B = rng.standard_normal(SHAPE[:2]), rng.standard_normal(SHAPE[1:])
    check(anyk.matmul(A, B, code, engine=engine, rng=rng), A @ B, code)
    *_, last = anyk.stream(A, B, code, engine=engine, rng=rng)
    check(last, A @ B, code)
    for matrix in (A, csr_array(np.where(A > 1.0, A, 0.0))):
        with anyk.place(matrix, code, engine=engine, rng=rng) as coded:
            check(coded.product(B), matrix @ B, code)
            check(coded.product(B[:, 0]), matrix @ B[:, 0], code)
            try:
                back = coded.T
            except CodeError:
                back = None
            if back is not None and back.code.is_exact:
                check(back.product(A @ B), matrix.T @ (A @ B), back.code)
    check(anyk.decode(code, answers_of(engine, A, B, code), shape=(SHAPE[0], SHAPE[2])), A @ B, code)


def answers_of(engine, A, B, code):
    """All answers of one product, as the lanes give them."""
    left, right = code.encode(A, B)
    futures = [
        engine.lanes[task % len(engine.lanes)].submit(np.matmul, a, b)
        for task, (a, b) in enumerate(zip(left, right, strict=True))
    ]
    return {task: future.result(timeout=30) for task, future in enumerate(futures)}


def check(product, exact, code):
    """As good as the tables promise: by Markov's inequality t times the expected error is missed once in t^2."""
    error = np.linalg.norm(product.value - exact) / np.linalg.norm(exact)
    assert error < 1000 * code.expected_error(product.survivors), (code.name, error, product.survivors)


def several_at_once(engine, code, products=6):
    """Products in flight from several threads, all right."""

    def one(seed):
        rng = np.random.default_rng(seed)
        A, B = rng.standard_normal((40, 30)), rng.standard_normal((30, 20))
        check(anyk.matmul(A, B, code, engine=engine, rng=rng), A @ B, code)
        return seed

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(one, range(products))) == list(range(products))


class Struck:
    """Products on an engine while a deed is done to one of its worker processes.

    Args:
        engine: opened with work that lasts a little.
        code: of the products.
        pid_of: rank -> its process now.
    """

    def __init__(self, engine, code, pid_of=None):
        self.engine, self.code = engine, code
        self.pid_of = pid_of or (lambda rank: engine.lanes[rank].pid)
        self.rng = np.random.default_rng(0)

    def product(self, deed=None, rank=0, after=0.0):
        """One product, with ``deed`` (a signal) done to a worker ``after`` seconds from its start."""
        A, B = self.rng.standard_normal((60, 50)), self.rng.standard_normal((50, 40))
        timer = threading.Timer(after, done_to, (self.pid_of(rank), deed)) if deed is not None else None
        if timer is not None and after > 0:
            timer.start()
        elif timer is not None:
            timer.function(*timer.args)
        check(anyk.matmul(A, B, self.code, engine=self.engine, rng=0, timeout=60), A @ B, self.code)
        if timer is not None and after > 0:
            timer.join()


def killed_before_during_and_after(struck, while_seconds=0.1):
    """A worker is killed at each of three moments; every product is right."""
    for rank, after in enumerate((0.0, while_seconds)):
        struck.product(signal.SIGKILL, rank, after)
        struck.product()
    struck.product()
    os.kill(struck.pid_of(2), signal.SIGKILL)
    struck.product()


def products_while_one_is_stopped(struck, products=3, seconds=0.0):
    """A worker stands still all the while, at least so long; the products are right, so nobody waits for it."""
    pid = struck.pid_of(1)
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + seconds
    try:
        while products > 0 or time.monotonic() < until:
            struck.product()
            products -= 1
    finally:
        done_to(pid, signal.SIGCONT)
    struck.product()


def done_to(pid, deed):
    """A signal to a process that may have been replaced meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, deed)


def reduced(engine, code, size=400, kill=None):
    """Products formed by the workers that have the answers: nothing lost, and one C for the master.

    Args:
        engine: whose workers take blocks from each other.
        code: of the products; with as many tasks as there are workers, or fewer.
        size: of the matrices.
        kill: called with a rank, when the answers are there and nothing is added up yet; None: nobody is killed.
    """
    A, B = np.random.default_rng(0).standard_normal((2, size, size))
    here = anyk.matmul(A, B, code, engine=engine, reduce=False, timeout=120)
    there = anyk.matmul(A, B, code, engine=engine, reduce=True, timeout=120)
    for product in (here, there):
        check(product, A @ B, code)
    assert here.moved.from_workers >= len(here.survivors) * A.nbytes
    assert A.nbytes <= there.moved.from_workers < 1.2 * A.nbytes
    assert there.moved.between_workers == (len(there.survivors) - 1) * A.nbytes
    if kill is None:
        return
    done = []

    def once(step):
        for said in step.instructions:
            if isinstance(said, Decode) and not done:
                done.append(said.tasks[1])
                kill(said.tasks[1])

    product = anyk.matmul(A, B, code, engine=engine, reduce=True, timeout=120, watch=once)
    check(product, A @ B, code)
    assert done
    assert product.moved.from_workers < 2.2 * A.nbytes


def resident_blocks_move_once(engine, code):
    """The blocks of a placed matrix go to the workers once, and what moves is told."""
    A, y = np.random.default_rng(0).standard_normal((300, 300)), np.ones(300)
    with anyk.place(A, code, engine=engine) as coded:
        products = [coded.product(y, stop=everyone) for _ in range(2)]
        np.testing.assert_allclose(products[-1].value, A @ y)
        blocks = sum(block.nbytes for block in coded._resident.blocks.arrays)
        assert blocks < products[0].moved.to_workers < 1.1 * blocks + 1e5
        assert products[1].moved.to_workers < 0.2 * blocks
        assert coded.moved == products[0].moved + products[1].moved
