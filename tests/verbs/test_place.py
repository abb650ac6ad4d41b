"""A matrix on the workers: every product is that of the matrix, whatever happens to the workers."""

import contextlib
import gc
import sys
import threading
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse.linalg import cg, eigsh, lsqr, svds

import anyk
from anyk.codes import transposed
from anyk.engines import Ref
from anyk.engines.processes import ProcessEngine
from anyk.engines.pumped import PumpedEngine
from anyk.engines.pumped_lanes import PumpedLane
from anyk.errors import ClusterError, CodeError, InputError, PrecisionError, PrecisionWarning
from anyk.faults import Crash, Fate, ShiftedExponential
from anyk.faults.base import seeded
from tests.engines.test_processes import LONG
from tests.verbs.deeds import GATES, gated_multiply
from tests.verbs.toys import FOREVER, fates, held, kill, relative, resume, state_of, stop, until

LIMIT = 1e-12
CODES = {
    "uncoded": anyk.codes.uncoded(2, 2, 1),
    "replication": anyk.codes.replication(2, 2, 1, copies=2),
    "mds": anyk.codes.mds(3, workers=8),
    "matdot": anyk.codes.matdot(3, workers=8),
    "polynomial": anyk.codes.polynomial(2, 2, workers=8),
    "generalized_polydot": anyk.codes.generalized_polydot(2, 2, 1, workers=8),
    "complex": anyk.codes.generalized_polydot(2, 2, 1, workers=8, basis="unit_circle"),
    "random": anyk.codes.random_khatri_rao(2, 2, workers=8, rng=np.random.default_rng(3)),
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def A(rng):
    return rng.standard_normal((41, 30))


@pytest.fixture(scope="module")
def workers():
    """Eight processes for tests that lose nobody."""
    with anyk.engines.open("processes:8") as engine:
        yield engine


# --- products --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_products_are_those_of_the_matrix_from_both_sides(A, code, rng):
    with anyk.place(A, code, engine="inline", rng=1) as coded:
        for width in (1, 7, 3, 3, 16):
            X, Y = rng.standard_normal((30, width)), rng.standard_normal((41, width))

            assert relative(coded @ X, A @ X) < LIMIT
            assert relative(coded.T @ Y, A.T @ Y) < LIMIT
            assert relative(coded.T.T @ X, A @ X) < LIMIT
            assert relative(Y.T @ coded, Y.T @ A) < LIMIT
            assert relative(X.T @ coded.T, X.T @ A.T) < LIMIT


@pytest.mark.parametrize("stop", [anyk.first_threshold(), anyk.everyone], ids=["first", "everyone"])
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_any_sufficient_answers_give_both_products(A, code, rng, stop):
    slow = ShiftedExponential(shift=0.1, scale=1.0)
    x, y = rng.standard_normal(30), rng.standard_normal(41)
    for seed in range(8):
        engine = anyk.engines.open("simulated", workers=code.workers, faults=slow, seed=seed)
        with anyk.place(A, code, engine=engine) as coded:
            for side, vector, true in ((coded, x, A @ x), (coded.T, y, A.T @ y)):
                product = side.product(vector, stop=stop)
                expected = side.code.expected_error(product.survivors)

                assert relative(product.value, true) < max(LIMIT, 30 * expected)


def test_a_product_says_who_answered_and_how_good_it_is(A, rng):
    code, x = CODES["mds"], rng.standard_normal(30)
    engine = anyk.engines.open("simulated:8", faults=fates({rank: [FOREVER] for rank in (0, 2, 4, 6, 7)}))
    with anyk.place(A, code, engine=engine) as coded:
        product = coded.product(x)

        assert product.survivors == (1, 3, 5)
        assert product.error_kind == "measured"
        assert product.error < LIMIT
        assert product.reason == "3 answers decode"
        assert {"encode", "collect", "decode", "measure", "total"} <= set(product.seconds)
        assert len(product.timeline()) == 8


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_the_precision_of_the_matrix_is_kept(A, rng, dtype):
    A = A.astype(dtype)
    if A.dtype.kind == "c":
        A = A + 1j * rng.standard_normal(A.shape).astype(A.real.dtype)
    limit = 100 * np.finfo(dtype).eps
    with anyk.place(A, CODES["generalized_polydot"], engine="inline") as coded:
        for x in (rng.standard_normal(30), rng.standard_normal((30, 4)).astype(dtype), np.arange(30)):
            y = rng.standard_normal((41, *x.shape[1:]))

            assert coded.dtype == (coded @ x).dtype == (coded.T @ y).dtype == dtype
            assert relative(coded @ x, A @ x) < limit
            assert relative(coded.T @ y, A.T @ y) < limit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [(), (1,), (5,)])
def test_a_real_matrix_takes_complex_vectors(A, rng, dtype, width):
    x = rng.standard_normal((30, *width)) + 1j * rng.standard_normal((30, *width))
    A = A.astype(dtype)
    with anyk.place(A, CODES["mds"], engine="inline") as coded:
        product = coded @ x

        assert product.dtype == np.result_type(dtype, np.complex64)
        assert product.shape == (41, *width)
        assert relative(product, A @ x) < 100 * np.finfo(dtype).eps


def test_integers_become_floating_numbers(rng):
    A, x = rng.integers(-9, 9, (20, 12)), rng.integers(-9, 9, 12)
    with anyk.place(A, CODES["mds"], engine="inline") as coded:
        assert (coded @ x).dtype == np.float64
        assert relative(coded @ x, A @ x) < LIMIT


@pytest.mark.parametrize("order", ["F", "stepped"])
def test_any_layout_of_memory_will_do(rng, order):
    A, X = rng.standard_normal((40, 30)), rng.standard_normal((30, 6))
    A, X = (A.copy("F"), X.copy("F")) if order == "F" else (A[::2, ::3], X[::3, ::2])
    with anyk.place(A, CODES["generalized_polydot"], engine="inline") as coded:
        assert relative(coded @ X, A @ X) < LIMIT


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 3), (3, 2)])
def test_matrices_smaller_than_their_partition(rng, shape):
    A = rng.standard_normal(shape)
    with anyk.place(A, CODES["generalized_polydot"], engine="inline") as coded:
        assert relative(coded @ np.eye(shape[1]), A) < LIMIT
        assert relative(coded.T @ np.eye(shape[0]), A.T) < LIMIT


@pytest.mark.parametrize(("shape", "given"), [((0, 4), (4,)), ((4, 0), (0, 3)), ((4, 3), (3, 0))])
def test_products_without_entries_are_zeros(shape, given):
    with anyk.place(np.ones(shape), CODES["mds"], engine="inline") as coded:
        product = coded @ np.ones(given)

        assert product.shape == (np.ones(shape) @ np.ones(given)).shape
        assert not product.any()


def test_a_later_change_of_the_matrix_changes_nothing(A, rng):
    x, first = rng.standard_normal(30), A.copy()
    with anyk.place(A, CODES["mds"], engine="inline") as coded:
        A[:] = 0.0

        assert relative(coded @ x, first @ x) < LIMIT


def test_each_product_has_an_array_of_its_own(A):
    with anyk.place(A, CODES["mds"], engine="inline") as coded:
        one, two = coded @ np.ones(30), coded @ np.zeros(30)

        assert relative(one, A @ np.ones(30)) < LIMIT
        assert np.abs(two).max() == 0.0


# --- the transposed product ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "threshold"),
    [
        (anyk.codes.mds(3, workers=9), 2 * 3 - 1),
        (anyk.codes.mds(5, workers=20), 2 * 5 - 1),
        (anyk.codes.matdot(4, workers=10), 4),
        (anyk.codes.matdot(4, workers=10, basis="chebyshev"), 4),
        (anyk.codes.generalized_polydot(2, 3, 1, workers=14), 2 * 2 * 3 - 3),
        (anyk.codes.generalized_polydot(3, 2, 1, workers=14), 2 * 3 * 2 - 2),
        (anyk.codes.uncoded(2, 3, 1), 6),
        (anyk.codes.replication(2, 2, 1, copies=3), 4 * 3 - 3 + 1),
    ],
    ids=lambda value: f"{value.name}-{value.partition}" if isinstance(value, anyk.Code) else str(value),
)
def test_thresholds_of_the_transposed_product(A, rng, code, threshold):
    back = transposed(code)
    y = rng.standard_normal(41)
    assert back.recovery_threshold == threshold

    for seed in range(5):
        late = np.random.default_rng(seed).permutation(code.workers)[threshold:]
        engine = anyk.engines.open(
            "simulated", workers=code.workers, faults=fates({int(rank): [FOREVER] for rank in late})
        )
        with anyk.place(A, code, engine=engine) as coded:
            product = coded.T.product(y)

            assert engine.clock.now() < 1e6
            assert set(product.survivors).isdisjoint(late)
            assert relative(product.value, A.T @ y) < LIMIT


@pytest.mark.filterwarnings("ignore::anyk.errors.PrecisionWarning")  # approximate codes, on so little data
@pytest.mark.parametrize("name", anyk.codes.CATALOGUE)
def test_every_family_gives_both_products_or_says_that_it_has_no_transposed_one(A, rng, name):
    family = anyk.codes.CATALOGUE[name]
    code = family.function(**family.example)
    engine = anyk.engines.open("simulated", workers=code.workers, faults=ShiftedExponential(0.1, 1.0), seed=1)
    with anyk.place(A, code, engine=engine) as coded:
        sides = [(coded, A)]
        with contextlib.suppress(CodeError):
            sides.append((coded.T, A.T))
        assert name == "mds" or len(sides) == 2
        for side, matrix in sides:
            X = rng.standard_normal((matrix.shape[1], 3))
            product = side.product(X)
            expected = side.code.expected_error(product.survivors)

            assert relative(product.value, matrix @ X) < max(LIMIT, 10 * expected)
            assert expected < 0.5


def test_too_few_workers_for_the_transposed_product_are_refused(A):
    with anyk.place(A, anyk.codes.mds(3, workers=4), engine="inline") as coded:
        with pytest.raises(CodeError, match=r"`mds` with 4 workers .* 5 answers would be needed. Use more workers"):
            coded.T  # noqa: B018
        assert relative(coded @ np.ones(30), A @ np.ones(30)) < LIMIT


def test_tables_that_are_not_separable_are_refused(A, rng):
    mixed = anyk.Code(
        "mixed", anyk.Partition(2, 2, 1), rng.standard_normal((2, 2, 8)), rng.standard_normal((2, 1, 8)), 8
    )

    with pytest.raises(CodeError, match=r"`mixed` has no transposed product .* not separable. Place the transposed"):
        transposed(mixed)


# --- solvers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def symmetric(rng):
    root = rng.standard_normal((60, 60))
    return root @ root.T + 20.0 * np.eye(60)


def test_conjugate_gradients(symmetric, rng):
    b = rng.standard_normal(60)
    with anyk.place(symmetric, CODES["mds"], engine="inline") as coded:
        x, failed = cg(coded.as_linear_operator(), b, rtol=1e-10)

    assert failed == 0
    assert relative(symmetric @ x, b) < 1e-9


def test_eigenvalues(symmetric):
    with anyk.place(symmetric, CODES["matdot"], engine="inline") as coded:
        values = eigsh(coded.as_linear_operator(), k=4, return_eigenvectors=False, v0=np.ones(60))

    np.testing.assert_allclose(values, np.linalg.eigvalsh(symmetric)[-4:], rtol=1e-10)


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_singular_values(A, rng, kind):
    A = A if kind == "real" else A + 1j * rng.standard_normal(A.shape)
    with anyk.place(A, CODES["generalized_polydot"], engine="inline") as coded:
        values = svds(coded.as_linear_operator(), k=3, return_singular_vectors=False, v0=np.ones(30))

    np.testing.assert_allclose(np.sort(values), np.linalg.svd(A, compute_uv=False)[2::-1], rtol=1e-10)


def test_least_squares(A, rng):
    b = rng.standard_normal(41)
    with anyk.place(A, CODES["mds"], engine="inline") as coded:
        x = lsqr(coded.as_linear_operator(), b, atol=1e-13, btol=1e-13)[0]

    assert relative(x, np.linalg.lstsq(A, b, rcond=None)[0]) < 1e-9


def test_a_solver_that_needs_the_transpose_of_a_code_without_one_says_so(A):
    operator = anyk.place(A, anyk.codes.mds(3, workers=4), engine="inline").as_linear_operator()

    with pytest.raises(CodeError, match="transposed"):
        lsqr(operator, np.ones(41))


def page_rank(multiply, n, steps):
    ranks = np.full(n, 1.0 / n)
    for _ in range(steps):
        ranks = 0.85 * multiply(ranks) + 0.15 / n
    return ranks


def links(rng, n):
    linked = (rng.random((n, n)) < 0.1) | np.eye(n, dtype=bool)
    return linked / linked.sum(axis=0)


def test_page_rank(rng):
    web = links(rng, 80)
    with anyk.place(web, CODES["mds"], engine="inline") as coded:
        ranks = page_rank(coded.__matmul__, 80, 50)

    assert relative(ranks, page_rank(web.__matmul__, 80, 50)) < LIMIT
    assert np.isclose(ranks.sum(), 1.0)


# --- lost blocks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["replication", "mds", "matdot", "polynomial", "generalized_polydot", "complex"])
def test_every_block_can_be_rebuilt_from_the_others(A, rng, name):
    x, code = rng.standard_normal(30), CODES[name]
    with anyk.place(A, code, engine="inline") as coded:
        for task in range(code.workers):
            block = coded._resident.blocks.arrays[task]
            before = block.copy()
            block[:] = np.nan
            coded.rebuild(task)

            assert relative(block, before) < LIMIT
        assert relative(coded.product(x, stop=anyk.everyone).value, A @ x) < LIMIT


def test_a_block_that_nothing_else_determines_is_not_rebuilt(A):
    with anyk.place(A, CODES["uncoded"], engine="inline") as coded:
        with pytest.raises(ClusterError, match="block 1 of `uncoded` does not follow from the others"):
            coded.rebuild(1)
        with pytest.raises(InputError, match="0 … 3"):
            coded.rebuild(-1)


@pytest.mark.parametrize("engine", ["inline", "simulated"])
def test_workers_that_crash_at_random_cost_no_digit(A, rng, engine):
    for seed in range(5):
        opened = anyk.engines.open(f"{engine}:8", faults=Crash(probability=0.1), seed=seed)
        with opened, anyk.place(A, CODES["generalized_polydot"], engine=opened) as coded:
            for _ in range(20):
                x, y = rng.standard_normal((30, 2)), rng.standard_normal(41)

                assert relative(coded.product(x, stop=anyk.everyone, retries=5).value, A @ x) < LIMIT
                assert relative(coded.T.product(y, retries=5).value, A.T @ y) < LIMIT
        assert sum(lane.epoch for lane in opened.lanes) > 0


def test_too_few_answers_are_one_clear_error(A):
    engine = anyk.engines.open("simulated:8", faults=fates({rank: [Fate(end="stop")] for rank in range(6)}))
    coded = anyk.place(A, CODES["mds"], engine=engine)
    with pytest.raises(ClusterError, match=r"2 answers came in .* 1 more would have sufficed"):
        coded.product(np.ones(30), retries=0)


# --- late answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["inline", "simulated"])
def test_an_answer_that_comes_two_products_later_enters_neither(A, rng, engine):
    """Worker 1 loses its task, worker 0 gets it and is slow: its answer comes during a later product."""
    crash, unit = Fate(end="crash"), 0.05
    late = {0: [Fate(), Fate(2.5 * unit)], 1: [crash, *[Fate(unit)] * 9], 2: [Fate(unit)] * 9}
    opened = anyk.engines.open(engine, workers=3, faults=fates(late))
    with anyk.place(A, anyk.codes.mds(2, workers=3), engine=opened) as coded:
        for _ in range(6):
            x = rng.standard_normal(30)
            product = coded.product(x)

            assert relative(product.value, A @ x) < LIMIT
            assert product.error < LIMIT


# --- real processes --------------------------------------------------------------------------------------------------


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["mds", "matdot", "generalized_polydot", "complex"])
def test_products_on_processes(A, rng, workers, name):
    with anyk.place(A, CODES[name], engine=workers) as coded:
        for width in ((), (3,), (8,)):
            x, y = rng.standard_normal((30, *width)), rng.standard_normal((41, *width))

            assert relative(coded @ x, A @ x) < LIMIT
            assert relative(coded.T @ y, A.T @ y) < LIMIT


@pytest.mark.cluster
def test_two_matrices_on_one_engine(A, rng, workers):
    B = rng.standard_normal((12, 41))
    with (
        anyk.place(A, CODES["mds"], engine=workers) as one,
        anyk.place(B, CODES["generalized_polydot"], engine=workers) as two,
    ):
        for _ in range(10):
            x = rng.standard_normal(30)

            assert relative(two @ (one @ x), B @ A @ x) < LIMIT
            assert relative(anyk.matmul(B, A, CODES["matdot"], engine=workers).value, B @ A) < LIMIT
        one.close()
        assert relative(two @ np.ones(41), B @ np.ones(41)) < LIMIT


@pytest.mark.cluster
def test_several_threads_multiply_at_once(A, workers):
    failures = []
    with anyk.place(A, CODES["mds"], engine=workers) as coded:

        def multiply(seed):
            rng = np.random.default_rng(seed)
            try:
                for _ in range(25):
                    x, y = rng.standard_normal((30, 1 + seed)), rng.standard_normal(41)
                    assert relative(coded @ x, A @ x) < LIMIT
                    assert relative(coded.T @ y, A.T @ y) < LIMIT
                    assert relative(anyk.matmul(y, A, CODES["matdot"], engine=workers).value, y @ A) < LIMIT
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=multiply, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert not failures


@pytest.mark.cluster
def test_a_worker_killed_in_every_other_product_and_one_stopped_for_good(rng):
    """Thirty PageRank steps: no restart, the same iterates to rounding."""
    web = links(rng, 200)
    expected = np.full(200, 1 / 200)
    ranks = expected
    with anyk.engines.open("processes:8") as engine, anyk.place(web, CODES["mds"], engine=engine) as coded:
        stop(engine.lanes[7])
        for step in range(30):
            if step % 2:
                kill(engine.lanes[step % 7])
            ranks, expected = 0.85 * (coded @ ranks) + 0.15 / 200, 0.85 * (web @ expected) + 0.15 / 200

            assert relative(ranks, expected) < LIMIT
        until(lambda: sum(lane.epoch for lane in engine.lanes) >= 15)


@pytest.mark.cluster
@pytest.mark.parametrize("solver", ["cg", "svds"])
def test_solvers_on_processes_that_are_killed(symmetric, rng, solver):
    with anyk.engines.open("processes:8") as engine, anyk.place(symmetric, CODES["mds"], engine=engine) as coded:
        steps = iter(range(10**6))
        product = coded.product

        def multiplied(*args):
            if (step := next(steps)) % 4 == 0 and step < 40:
                kill(engine.lanes[step // 4 % 8])
            return product(*args)

        coded.product = multiplied
        if solver == "cg":
            b = rng.standard_normal(60)
            x, failed = cg(coded.as_linear_operator(), b, rtol=1e-10)
            assert failed == 0
            assert relative(symmetric @ x, b) < 1e-9
        else:
            values = svds(coded.as_linear_operator(), k=2, return_singular_vectors=False, v0=np.ones(60))
            np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(symmetric)[-2:], rtol=1e-10)


@pytest.mark.cluster
def test_every_worker_can_be_lost_and_every_block_comes_back(A, rng):
    code = CODES["generalized_polydot"]
    with anyk.engines.open("processes:8") as engine, anyk.place(A, code, engine=engine) as coded:
        for lane in list(engine.lanes):
            kill(lane)
            x = rng.standard_normal(30)
            product = coded.product(x, stop=anyk.everyone)

            assert product.survivors == tuple(range(8))
            assert relative(product.value, A @ x) < LIMIT
        assert [lane.epoch for lane in engine.lanes] == [1] * 8
        coded._resident.blocks.arrays[3][:] = np.nan
        coded.rebuild(3)
        assert relative(coded.product(np.ones(30), stop=anyk.everyone).value, A @ np.ones(30)) < LIMIT


@pytest.mark.cluster
@pytest.mark.parametrize("seed", range(3))
def test_a_worker_stopped_in_one_product_and_resumed_in_a_later_one(seed):
    """Its old answers are written while the later products run, and enter none of them."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((600, 500))
    with (
        anyk.engines.open("processes:6") as engine,
        anyk.place(A, anyk.codes.mds(3, workers=6), engine=engine) as coded,
    ):
        threading.Timer(0.002 * rng.random(), stop, [engine.lanes[2]]).start()
        for step in range(8):
            if step == 3:
                until(lambda: state_of(engine.lanes[2].pid) == "T")
                resume(engine.lanes[2])
            X = rng.standard_normal((500, 40))
            product = coded.product(X, stop=anyk.everyone if step >= 4 else anyk.first_threshold())

            assert relative(product.value, A @ X) < LIMIT
        assert engine.lanes[2].epoch == 0


@pytest.mark.cluster
def test_what_a_straggler_away_from_home_writes_late_enters_no_product(tmp_path, monkeypatch):
    """Worker 0 takes over task 1 of the first product, and writes its answer when the third has task 1's already."""
    monkeypatch.setenv(GATES, str(tmp_path))
    monkeypatch.setattr(sys.modules["anyk.verbs.coded_matrix"], "multiply", gated_multiply)
    rng, code = np.random.default_rng(5), anyk.codes.mds(2, workers=3)
    A, X = rng.standard_normal((30, 20)), rng.standard_normal((3, 20, 4))
    told = fates({1: [Fate(0.2, "crash")], 2: [Fate(0.5), Fate(), FOREVER]})
    with (
        ProcessEngine(3, faults=seeded(told, 0), grace_seconds=LONG) as engine,
        anyk.place(A, code, engine=engine) as coded,
    ):
        gate = tmp_path / str(engine.lanes[0].pid)
        gate.write_text("2")
        first, second = coded.product(X[0]), coded.product(X[1])
        threading.Timer(0.3, gate.unlink).start()
        third = coded.product(X[2])

    assert [(one.task, one.worker, one.outcome) for one in first.timeline()][-1] == (1, 0, "cancelled")
    assert [product.survivors for product in (first, second, third)] == [(0, 2), (1, 2), (0, 1)]
    for product, B in zip((first, second, third), X, strict=True):
        assert relative(product.value, A @ B) < LIMIT


@pytest.mark.cluster
def test_many_products_hold_no_more_than_a_few(A, rng):
    with anyk.engines.open("processes:4") as engine:
        code = anyk.codes.mds(2, workers=4)

        def products(count):
            for _ in range(count):
                with anyk.place(A, code, engine=engine) as coded:
                    for width in (1, 3, 1):
                        coded @ rng.standard_normal((30, width))
                        coded.T @ rng.standard_normal((41, width))
                anyk.matmul(A, A.T, code, engine=engine)
                for _ in anyk.stream(A, A.T, code, engine=engine):
                    break
            gc.collect()
            for lane in engine.lanes:  # what was deleted is gone once the worker has come by
                lane.submit(abs, 1).result()
            return np.array([held(), *(held(lane.pid) for lane in engine.lanes)])

        first = products(3)
        last = products(20)

    assert (last <= first).all()


@pytest.mark.cluster
def test_replaced_workers_and_recomputed_answers_hold_no_more_either(A, rng):
    code = anyk.codes.mds(2, workers=4)
    with anyk.engines.open("processes:4") as engine, anyk.place(A, code, engine=engine) as coded:

        def products(count):
            for step in range(count):
                kill(engine.lanes[step % 4])
                coded.product(rng.standard_normal(30), stop=anyk.everyone)
            gc.collect()
            for lane in engine.lanes:
                lane.submit(abs, 1).result()
            return np.array([held(), *(held(lane.pid) for lane in engine.lanes)])

        # a recomputed answer may stray to a worker that has not held its task before; a leak would grow for ever
        counts = [products(16)]
        while len(counts) < 2 or ((counts[-1][0] > counts[-2][0]).any() and len(counts) < 8):
            counts.append(products(16))
        last = counts[-1]

    blocks = 3 * 4  # encoded A, B and the answers; a worker that helped out holds those of other tasks too
    assert (last[0] <= counts[-2][0]).all()
    assert (last[1:, 1] <= blocks + 2).all()


@pytest.mark.cluster
def test_a_matrix_that_was_only_dropped_is_freed_by_the_next_product(A, workers):
    coded = anyk.place(A, CODES["mds"], engine=workers)
    coded @ np.ones(30)
    names = list(coded._resident.blocks._names)
    del coded
    gc.collect()
    anyk.matmul(A, A.T, CODES["mds"], engine=workers)

    assert all(isinstance(workers.lanes[0].fetch(Ref(name)).exception(), InputError) for name in names[:1])


@pytest.mark.cluster
def test_an_engine_given_stays_open_and_one_named_is_closed(A, workers):
    coded = anyk.place(A, CODES["mds"], engine="processes")
    own = coded.engine
    assert relative(coded @ np.ones(30), A @ np.ones(30)) < LIMIT
    assert len(own.lanes) == 8
    coded.close()
    coded.close()
    with anyk.place(A, CODES["mds"], engine=workers):
        pass

    assert not any(lane.alive for lane in own.lanes)
    assert all(lane.alive for lane in workers.lanes)


@pytest.mark.cluster
def test_an_engine_closed_under_a_product_is_one_clear_error(A):
    engine = anyk.engines.open("processes:4", faults=fates({rank: [FOREVER] for rank in range(4)}))
    coded = anyk.place(A, anyk.codes.mds(2, workers=4), engine=engine)
    threading.Timer(0.1, engine.close).start()
    with pytest.raises(ClusterError):
        coded @ np.ones(30)
    with pytest.raises(ClusterError):
        coded @ np.ones(30)
    coded.close()


# --- bad input -------------------------------------------------------------------------------------------------------


def test_a_closed_matrix_says_so(A):
    coded = anyk.place(A, CODES["mds"], engine="inline")
    back = coded.T
    coded.close()
    for attempt in (lambda: coded @ np.ones(30), lambda: back @ np.ones(41), lambda: coded.rebuild(0)):
        with pytest.raises(InputError, match=r"CodedMatrix.* was closed; place the matrix again"):
            attempt()


@pytest.mark.parametrize("given", [np.ones(41), np.ones((31, 2)), np.ones((2, 30))])
def test_wrong_shapes_are_refused(A, given):
    with anyk.place(A, CODES["mds"], engine="inline") as coded:
        with pytest.raises(InputError, match=r"the coded matrix is \(41, 30\) and B is"):
            coded @ given
        with pytest.raises(InputError, match="do not fit"):
            coded.T @ np.ones(30)


@pytest.mark.parametrize("given", [np.ones((30, 2, 2)), np.float64(1.0), np.array(["x"] * 30), [None] * 30])
def test_what_is_no_matrix_of_numbers_is_refused(A, given):
    with anyk.place(A, CODES["mds"], engine="inline") as coded, pytest.raises(InputError, match="coded @ B"):
        coded @ given


@pytest.mark.parametrize("given", [np.ones(5), np.ones((2, 2, 2)), [["a"]], np.array([[np.nan]])])
def test_what_cannot_be_placed_is_refused_before_an_engine_starts(given):
    with pytest.raises(InputError, match="`place`"):
        anyk.place(given, CODES["mds"], engine="no such engine")


def test_entries_that_are_not_finite_are_refused_and_allowed_where_they_were_asked_for(A):
    x = np.ones(30)
    x[3] = np.inf
    with anyk.place(A, CODES["mds"], engine="inline") as coded, pytest.raises(InputError, match=r"B\[3\] is inf"):
        coded @ x
    with (
        anyk.place(A, CODES["mds"], engine="inline", check_finite=False) as coded,
        pytest.raises(PrecisionError, match="not finite"),
        np.errstate(all="ignore"),
    ):
        coded @ x


def test_a_wrong_block_does_not_pass_unnoticed(A):
    with anyk.place(A, CODES["mds"], engine="inline") as coded:
        coded._resident.blocks.arrays[1][2, 2] += 5.0

        with pytest.warns(PrecisionWarning, match="measured relative error"):
            coded.product(np.ones(30), stop=anyk.everyone)


def test_cancellation_alone_is_no_reason_to_warn(rng):
    A = rng.standard_normal((40, 40))
    u, sizes, v = np.linalg.svd(A)
    A = (u * np.r_[sizes[:-1], 1e-9]) @ v
    with warnings.catch_warnings(), anyk.place(A, CODES["mds"], engine="inline") as coded:
        warnings.simplefilter("error")
        product = coded.product(v[-1])

    assert product.error > 1e-8
    assert np.linalg.norm(product.value) < 1e-8


def test_a_failing_start_leaves_no_engine_open(A, monkeypatch):
    opened = []
    real = anyk.engines.open

    def opening(*args, **more):
        opened.append(real(*args, **more))
        return opened[-1]

    monkeypatch.setattr(anyk.engines, "open", opening)
    monkeypatch.setattr("anyk.verbs.blocks.combine", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        anyk.place(A, CODES["mds"], engine="inline")

    assert opened[0]._closed


def test_the_seed_decides_the_measurement(A):
    errors = Counter()
    for _ in range(2):
        with anyk.place(A, CODES["mds"], engine="inline", rng=7) as coded:
            errors[coded.product(np.ones(30)).error] += 1

    assert list(errors.values()) == [2]


# --- workers with memory of their own --------------------------------------------------------------------------------


@pytest.fixture
def apart(monkeypatch):
    """The inline engine as if its workers shared no memory with the master: blocks travel, answers come back."""
    monkeypatch.setattr(PumpedEngine, "caps", replace(PumpedEngine.caps, shared_memory=False))
    monkeypatch.setattr(PumpedLane, "alloc", lambda *_: None)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_products_on_workers_that_share_no_memory(apart, A, code, rng):
    with anyk.place(A, code, engine="inline") as coded:
        for width in (2, 2, 5):
            X, Y = rng.standard_normal((30, width)), rng.standard_normal((41, width))

            assert relative(coded @ X, A @ X) < LIMIT
            assert relative(coded.T @ Y, A.T @ Y) < LIMIT


def test_crashes_and_rebuilt_blocks_on_workers_that_share_no_memory(apart, A, rng):
    engine = anyk.engines.open("inline:8", faults=Crash(probability=0.1), seed=3)
    with anyk.place(A, CODES["mds"], engine=engine) as coded:
        for step in range(20):
            x = rng.standard_normal(30)
            product = coded.product(x, stop=anyk.everyone, retries=5)
            if step == 10:
                coded._resident.blocks.arrays[3][:] = np.nan
                coded.rebuild(3)

            assert relative(product.value, A @ x) < LIMIT
    assert sum(lane.epoch for lane in engine.lanes) > 0
    assert not any(lane._store for lane in engine.lanes)
