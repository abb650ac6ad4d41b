"""Products formed by the workers that have the answers: what moves, what is lost, who lies."""

import threading
import time

import numpy as np
import pytest

import anyk
from anyk.codes import CATALOGUE
from anyk.errors import ClusterError, InputError
from anyk.job import everyone
from anyk.job.messages import Decode, Suspected
from anyk.verbs import kept, there
from tests.engines.pen_pals import PenPals
from tests.verbs.toys import fates, relative

CODE = anyk.codes.matdot(4, workers=9)
EXACT = [code for family in CATALOGUE.values() if (code := family.function(**family.example)).is_exact]
SIZE = 120


@pytest.fixture
def engine():
    with PenPals(9) as engine:
        yield engine


@pytest.fixture
def hurry(monkeypatch):
    """Nobody is waited for long."""
    monkeypatch.setattr(kept, "PATIENCE_SECONDS", 0.1)


@pytest.fixture
def matrices(rng):
    return rng.standard_normal((2, SIZE, SIZE))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class at_decoding:
    """Does something when the n-th product is to be formed, before it is; told which tasks it is of."""

    def __init__(self, deed, number=0):
        self.deed, self.number, self.threads = deed, number, []

    def __call__(self, step):
        for said in step.instructions:
            if isinstance(said, Decode):
                if self.number == 0:
                    self.deed(said.tasks)
                self.number -= 1


def suspected(product):
    return [step.event for step in product.events if isinstance(step.event, Suspected)]


def test_the_master_receives_one_c_in_place_of_all_answers(engine, matrices):
    A, B = matrices
    here = anyk.matmul(A, B, CODE, engine=engine, reduce=False)
    product = anyk.matmul(A, B, CODE, engine=engine, reduce=True)

    assert relative(product.value, A @ B) < 1e-13
    assert product.error < 1e-13
    # Some seven answers as large as C each; or one sum, and all but one of them from worker to worker.
    assert here.moved.from_workers > len(here.survivors) * A.nbytes
    assert A.nbytes < product.moved.from_workers < 1.1 * A.nbytes
    taken = (len(product.survivors) - 1) * A.nbytes
    assert (here.moved.between_workers, product.moved.between_workers) == (0, taken)
    assert product.moved.to_workers > 9 * 2 * A.nbytes / 4


@pytest.mark.parametrize("code", EXACT, ids=lambda code: code.name)
def test_every_exact_code_forms_its_product_on_the_workers(code, rng):
    A, B = rng.standard_normal((37, 29)), rng.standard_normal((29, 23))
    with PenPals(code.workers) as engine:
        product = anyk.matmul(A, B, code, engine=engine, reduce=True)
        everybodys = anyk.matmul(A, B, code, engine=engine, reduce=True, stop=everyone)

        assert relative(product.value, A @ B) < 1e-10
        assert relative(everybodys.value, A @ B) < 1e-10
        assert everybodys.survivors == tuple(range(code.workers))


def test_several_tasks_on_one_lane_are_added_up(matrices):
    A, B = matrices
    with PenPals(2) as engine:
        product = anyk.matmul(A, B, CODE, engine=engine, reduce=True)

        assert relative(product.value, A @ B) < 1e-13
        assert product.moved.from_workers < 1.1 * A.nbytes


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_products_keep_their_dtype(engine, rng, dtype):
    A = rng.standard_normal((40, 40)).astype(dtype)
    A = A * np.asarray(1 + 1j, dtype) if A.dtype.kind == "c" else A
    product = anyk.matmul(A, A, CODE, engine=engine, reduce=True)

    assert product.value.dtype == np.dtype(dtype)
    assert relative(product.value, A.astype("complex128") @ A) < 1e-4


def test_it_is_done_by_itself_where_much_is_spared_and_not_where_little_is(engine, matrices, monkeypatch):
    A, B = matrices
    small = anyk.matmul(A, B, CODE, engine=engine)
    monkeypatch.setattr(there, "WORTH_BYTES", 1000)
    large = anyk.matmul(A, B, CODE, engine=engine)
    blocks = anyk.matmul(A, B, anyk.codes.polynomial(2, 2, workers=9), engine=engine)
    stopped = anyk.matmul(A, B, CODE, engine=engine, tolerance=1e-9)

    assert [each.moved.between_workers > 0 for each in (small, large, blocks, stopped)] == [False, True, False, False]


def test_nothing_is_left_with_the_workers(engine, matrices):
    A, B = matrices
    names = set()
    for reduce in (True, False):
        anyk.matmul(A, B, CODE, engine=engine, reduce=reduce)
        for lane in engine.lanes:
            lane.submit(abs, -1).result(30)
        names |= engine.held()

    assert not [name for name in names if name.startswith("kept")]


# --- losses -----------------------------------------------------------------------------------------------------------


def test_a_worker_lost_with_its_answer_is_done_without(engine, matrices):
    A, B = matrices
    lost = []

    def kill(tasks):
        lost.append(tasks[2])
        engine.lanes[tasks[2]].kill()

    product = anyk.matmul(A, B, CODE, engine=engine, reduce=True, watch=at_decoding(kill))

    assert relative(product.value, A @ B) < 1e-13
    assert [(event.tasks, bool(event.cause)) for event in suspected(product)] == [(tuple(lost), True)]
    assert product.wrong == ()
    assert anyk.engines.suspicions(engine) == {}
    assert product.moved.from_workers < 1.2 * A.nbytes


def test_a_worker_lost_amid_the_sums_is_done_without(engine, matrices, monkeypatch):
    A, B = matrices
    from anyk.verbs.reduction import Reduction

    summed, done = Reduction._summed, []

    def mortal(self, parts, shape, *, stays):
        if len(done) == 4:
            parts[-1].lane.kill()
        done.append(parts)
        return summed(self, parts, shape, stays=stays)

    monkeypatch.setattr(Reduction, "_summed", mortal)
    product = anyk.matmul(A, B, CODE, engine=engine, reduce=True)

    assert relative(product.value, A @ B) < 1e-13
    assert len(done) > 7
    assert product.wrong == ()


def test_a_worker_that_stands_still_is_given_up_and_its_answer_computed_elsewhere(engine, matrices, hurry):
    A, B = matrices
    halted = []

    def halt(tasks):
        for task in tasks[:4]:  # more than there are answers to spare
            halted.append(task)
            engine.stop(task)

    product = anyk.matmul(A, B, CODE, engine=engine, reduce=True, watch=at_decoding(halt), timeout=30)
    for rank in halted:
        engine.resume(rank)

    assert relative(product.value, A @ B) < 1e-13
    assert {task for event in suspected(product) for task in event.tasks} >= {*halted}
    assert "said nothing" in suspected(product)[0].cause


def test_where_too_many_are_lost_the_error_says_how(engine, matrices):
    A, B = matrices

    def kill(tasks):
        for task in tasks[:5]:
            engine.lanes[task].kill()

    with pytest.raises(ClusterError, match=r"lay with a worker that was lost|killed on request"):
        anyk.matmul(A, B, CODE, engine=engine, reduce=True, watch=at_decoding(kill), retries=0)


def test_the_time_is_over_while_answers_are_added_up(engine, matrices):
    A, B = matrices

    def halt(tasks):
        for rank in range(9):
            engine.stop(rank)

    with pytest.raises(ClusterError, match="the time is over"):
        anyk.matmul(A, B, CODE, engine=engine, reduce=True, watch=at_decoding(halt), timeout=0.5)
    for rank in range(9):
        engine.resume(rank)


def test_a_timeline_tells_whose_answer_was_lost(engine, matrices):
    A, B = matrices
    product = anyk.matmul(
        A, B, CODE, engine=engine, reduce=True, watch=at_decoding(lambda tasks: engine.lanes[tasks[0]].kill())
    )
    lost = [stretch for stretch in product.timeline() if stretch.outcome == "lost"]

    assert [stretch.task for stretch in lost] == [suspected(product)[0].tasks[0]]
    assert lost[0].cause


def test_workers_that_cannot_reach_each_other_send_their_answers_here(engine, matrices):
    A, B = matrices
    engine.is_parted = True
    product = anyk.matmul(A, B, CODE, engine=engine, reduce=True)

    assert relative(product.value, A @ B) < 1e-13
    assert suspected(product) == []
    assert product.moved.from_workers > len(product.survivors) * A.nbytes


def test_losses_at_random_moments_lose_no_product(matrices, rng, hurry):
    A, B = matrices
    with PenPals(9) as engine:
        for _ in range(12):
            victims = [int(rank) for rank in rng.choice(9, size=2, replace=False)]
            timers = [
                threading.Timer(rng.uniform(0, 0.03), engine.lanes[victims[0]].kill),
                threading.Timer(rng.uniform(0, 0.03), engine.stop, [victims[1]]),
            ]
            for timer in timers:
                timer.start()
            product = anyk.matmul(A, B, CODE, engine=engine, reduce=True, timeout=60, retries=3)
            for timer in timers:
                timer.join()
            engine.resume(victims[1])

            assert relative(product.value, A @ B) < 1e-12


# --- wrong answers ----------------------------------------------------------------------------------------------------


def test_a_wrong_answer_is_found_where_it_lies(matrices):
    A, B = matrices
    with PenPals(9, faults=anyk.faults.seeded(anyk.faults.Zeros(ranks=(2,)), 0)) as engine:
        product = anyk.matmul(A, B, CODE, engine=engine, reduce=True, wrong=1, stop=everyone)

        assert product.wrong == (2,)
        assert relative(product.value, A @ B) < 1e-13
        assert "fingerprints look right" in product.reason
        # One C, and the answer that was named.
        assert product.moved.from_workers < 2.3 * A.nbytes
        assert anyk.engines.suspicions(engine) == {2: 1}


def test_a_worker_that_adds_up_wrongly_is_found_by_the_product(engine, matrices):
    A, B = matrices
    engine.liars[3] = engine.liars[5] = lambda block: block + 1.0
    product = anyk.matmul(A, B, CODE, engine=engine, reduce=True, wrong=1, stop=everyone)

    assert relative(product.value, A @ B) < 1e-13
    assert product.moved.from_workers > len(product.survivors) * A.nbytes  # the answers themselves, which are right


def test_a_worker_that_lies_about_its_fingerprint_is_found_by_columns_it_does_not_know(engine, matrices, monkeypatch):
    A, B = matrices
    honest = {}

    def spoil(lane):
        keep = lane.post.desk._store
        for name in [name for name in keep if "answer" in name and lane.rank == 4]:
            honest.setdefault(name, keep[name].copy())
            keep[name] = keep[name] + 1.0

    seen = kept.Kept.seen_through

    def lying(self, tasks, columns):
        images = seen(self, tasks, columns)
        spoil(engine.lanes[4])
        return images

    monkeypatch.setattr(kept.Kept, "seen_through", lying)
    product = anyk.matmul(A, B, CODE, engine=engine, reduce=True, wrong=1, stop=everyone)

    assert product.wrong == (4,)
    assert relative(product.value, A @ B) < 1e-13


def test_uniform_matrices_are_not_suspected(engine):
    A = np.ones((SIZE, SIZE), "float32")
    product = anyk.matmul(A, A, CODE, engine=engine, reduce=True, wrong=1)

    assert product.wrong == ()
    assert relative(product.value, A.astype("float64") @ A) < 1e-5


# --- resident matrices, and what is refused ---------------------------------------------------------------------------


def test_products_of_a_placed_matrix_are_formed_there_and_its_bytes_are_counted(engine, matrices):
    A, B = matrices
    with anyk.place(A, CODE, engine=engine) as coded:
        first = coded.product(B, reduce=True)
        second = coded.product(B, reduce=True)
        back = coded.T.product(B, reduce=True)

        assert relative(first.value, A @ B) < 1e-13
        assert relative(back.value, A.T @ B) < 1e-13
        # The blocks of A moved once.
        assert first.moved.to_workers - second.moved.to_workers > 9 * A.nbytes / 4 * 0.9
        assert second.moved.from_workers < 1.1 * A.nbytes
        assert coded.moved == first.moved + second.moved + back.moved


def test_what_needs_the_answers_themselves_is_refused_with_the_way_out(engine, matrices):
    A, B = matrices
    approximate = anyk.codes.approximate_matdot(4, workers=9)
    for settings in ({"tolerance": 1e-9}, {"wrong": 1, "screen": "syndrome"}):
        with pytest.raises(InputError, match="answers themselves are needed"):
            anyk.matmul(A, B, CODE, engine=engine, reduce=True, **settings)
    with pytest.raises(InputError, match="answers themselves are needed"):
        anyk.matmul(A, B, approximate, engine=engine, reduce=True)
    with pytest.raises(InputError, match="on a cluster of that kind"):
        anyk.matmul(A, B, CODE, engine=engine, result="dask")


def test_where_memory_is_shared_answers_are_read_where_they_are(matrices):
    A, B = matrices
    product = anyk.matmul(A, B, CODE, engine="inline", reduce=True)

    assert relative(product.value, A @ B) < 1e-13
    assert product.moved == anyk.engines.Moved(0, 0, 0)


def test_products_of_several_threads_do_not_count_each_others_bytes(engine, matrices):
    A, B = matrices
    products = []
    threads = [
        threading.Thread(target=lambda: products.append(anyk.matmul(A, B, CODE, engine=engine, reduce=True)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(products) == 3
    for product in products:
        assert relative(product.value, A @ B) < 1e-13
        assert product.moved.from_workers < 1.1 * A.nbytes


def test_a_slow_task_is_waited_for_as_long_as_tasks_last(matrices, monkeypatch):
    A, B = matrices
    monkeypatch.setattr(kept, "PATIENCE_SECONDS", 0.0)
    slow = {rank: [anyk.faults.Fate(delay_seconds=0.1)] for rank in range(9)}
    with PenPals(9, faults=anyk.faults.seeded(fates(slow), 0)) as engine:
        began = time.monotonic()
        product = anyk.matmul(A, B, CODE, engine=engine, reduce=True)

        assert relative(product.value, A @ B) < 1e-13
        assert time.monotonic() - began > 0.1
