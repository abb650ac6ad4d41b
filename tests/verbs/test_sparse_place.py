"""Sparse matrices on the workers: as dense ones, from both sides, without ever being dense."""

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import cg, lsqr

import anyk
from anyk.codes import CATALOGUE
from anyk.errors import CodeError, InputError
from tests.engines.pen_pals import PenPals
from tests.verbs.test_sparse import sparse
from tests.verbs.toys import fates, kill, relative

CODE = anyk.codes.generalized_polydot(2, 2, 1, workers=8)
EXACT = [code for family in CATALOGUE.values() if (code := family.function(**family.example)).is_exact]


@pytest.fixture
def A():
    return sparse((61, 80))


@pytest.fixture
def X():
    return np.random.default_rng(1).standard_normal((80, 6))


@pytest.fixture
def Y():
    return np.random.default_rng(2).standard_normal((61, 6))


@pytest.mark.parametrize("code", EXACT, ids=lambda code: code.name)
def test_every_exact_code_gives_products_from_both_sides_and_their_errors(code, A, X, Y):
    with anyk.place(A, code, engine="inline", rng=1) as coded:
        product = coded.product(X)
        try:
            back = coded.T.product(Y)
        except CodeError:
            back = None

        assert relative(product.value, A @ X) < 1e-9
        assert 0 < product.error < 1e-9
        assert product.error_kind == "measured"
        assert relative(coded @ X[:, 0], A @ X[:, 0]) < 1e-9
        if back is not None:
            assert relative(back.value, A.T @ Y) < 1e-9
            assert back.error < 1e-9


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128", "int32", "bool"])
def test_dtypes_are_those_of_dense_matrices(dtype, A, X, Y):
    A = (A * 10).astype(dtype)
    A = A * dtype_unit(A.dtype)
    with anyk.place(A, CODE, engine="inline") as coded, anyk.place(A.toarray(), CODE, engine="inline") as dense:
        limit = 100 * np.finfo(dense.dtype).eps

        assert coded.dtype == dense.dtype
        for x, y in ((X, Y), (X * (1 + 2j), Y[:, 0] * 1j)):
            assert (coded @ x).dtype == (dense @ x).dtype
            assert relative(coded @ x, A @ x) < limit
            assert relative(coded.T @ y, A.T @ y) < limit
            assert coded.product(x).error < limit


def dtype_unit(dtype):
    return np.array(1 + 0.5j, dtype) if dtype.kind == "c" else dtype.type(1)


@pytest.mark.parametrize("form", ["csc", "coo", "lil"])
def test_every_format_is_taken(form, A, X):
    with anyk.place(A.asformat(form), CODE, engine="inline") as coded:
        assert relative(coded @ X, A @ X) < 1e-12


def test_what_fills_in_is_told(A, X):
    with (
        anyk.place(A, anyk.codes.uncoded(2, 2, 1), engine="inline") as whole,
        anyk.place(A, anyk.codes.matdot(3, workers=7), engine="inline") as summed,
        anyk.place(A.toarray(), CODE, engine="inline") as dense,
    ):
        assert 1 <= whole.fill_in < 2
        assert 2.5 < summed.fill_in <= 4
        assert summed.product(X).fill_in == summed.fill_in
        assert dense.fill_in is None
        assert dense.product(X).fill_in is None


def test_nothing_as_large_as_the_matrix_is_made_dense():
    n = 200_000
    A = scipy.sparse.eye_array(n, format="csr") + scipy.sparse.eye_array(n, k=1, format="csr")  # dense: 320 GB
    x = np.random.default_rng(0).standard_normal(n)
    with anyk.place(A, anyk.codes.mds(2, 5), engine="inline", wrong=1) as coded:
        for side, true in ((coded, A @ x), (coded.T, A.T @ x)):
            product = side.product(x)

            assert relative(product.value, true) < 1e-12
            assert product.error < 1e-12


def test_an_empty_matrix_gives_zeros(X):
    with anyk.place(scipy.sparse.csr_array((61, 80)), CODE, engine="inline", wrong=1) as coded:
        assert not (coded @ X).any()
        assert not (coded.T @ np.ones(61)).any()


def test_solvers_work_on_it():
    n = 60
    S = scipy.sparse.diags_array([-np.ones(n - 1), 3.0 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1], format="csr")
    b = np.random.default_rng(0).standard_normal(n)
    with anyk.place(S, CODE, engine="inline") as coded:
        solved, failed = cg(coded.as_linear_operator(), b, rtol=1e-12)
        fitted = lsqr(coded.as_linear_operator(), b, atol=1e-13, btol=1e-13)[0]

    assert not failed
    assert relative(S @ solved, b) < 1e-10
    assert relative(S @ fitted, b) < 1e-9


@pytest.mark.parametrize("screen", ["checked", "syndrome", "both"])
def test_wrong_answers_are_found(A, X, Y, screen):
    with (
        anyk.engines.open("inline:8", faults=anyk.faults.Zeros(ranks=(2,))) as engine,
        anyk.place(A, CODE, engine=engine, wrong=1, screen=screen) as coded,
    ):
        product = coded.product(X, stop=anyk.everyone)
        back = coded.T.product(Y, stop=anyk.everyone)

        assert product.wrong == back.wrong == (2,)
        assert relative(product.value, A @ X) < 1e-12
        assert relative(back.value, A.T @ Y) < 1e-12


@pytest.mark.parametrize("code", [CODE, anyk.codes.mds(3, workers=8)], ids=lambda code: code.name)
def test_blocks_that_changed_are_computed_anew_from_the_others_and_no_fuller(code, A, X):
    with anyk.place(A, code, engine="inline") as coded:
        blocks = coded._resident.blocks
        entries = [block.nnz for block in blocks.arrays]
        assert coded.repair() == ()
        for task in (1, 4):
            blocks.arrays[task].data[3] += 5.0

        assert coded.repair() == (1, 4)
        assert coded.repair() == ()
        coded.rebuild(0)
        assert all(block.nnz <= before for block, before in zip(blocks.arrays, entries, strict=True))
        assert relative(coded.product(X, stop=anyk.everyone).value, A @ X) < 1e-12


def test_a_worker_whose_copy_is_spoilt_gets_its_block_again(A, X):
    with PenPals(8) as engine, anyk.place(A, CODE, engine=engine, wrong=1) as coded:
        coded @ X
        for lane in engine.lanes:
            lane.submit(abs, -1).result(30)
        values = next(name for name in engine.held() if name.startswith("sparse") and name.endswith("-5-values"))
        engine.lanes[5].submit(spoil_values, anyk.engines.Ref(values)).result(30)
        found = coded.product(X, stop=anyk.everyone)
        later = coded.product(X, stop=anyk.everyone)

        assert found.wrong == (5,)
        assert later.wrong == ()
        assert relative(found.value, A @ X) < 1e-12


def spoil_values(values):
    values.flags.writeable = True
    values[:] += 1.0


def test_blocks_go_to_each_worker_once_and_are_freed(A, X):
    with PenPals(8) as engine:
        with anyk.place(A, CODE, engine=engine) as coded:
            coded.product(X, stop=anyk.everyone)
            once = coded.moved.to_workers
            coded.product(X, stop=anyk.everyone)
            again = coded.moved.to_workers - once

            # Twelve bytes an entry or so: values and columns.
            assert once - again > 8 * A.nnz * 12 / 2
            assert again < 8 * (X.nbytes / 2 + 2000)
        for lane in engine.lanes:
            lane.submit(abs, -1).result(30)

        assert not [name for name in engine.held() if name.startswith("sparse")]


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["processes", "tcp"])
def test_worker_processes_keep_sparse_blocks_and_their_replacements_get_them_again(name, A, X, Y):
    code = anyk.codes.matdot(2, workers=4)
    with anyk.engines.open(f"{name}:4") as engine, anyk.place(A, code, engine=engine) as coded:
        for victim in (None, 2):
            if victim is not None:
                kill(engine.lanes[victim])
            assert relative(coded @ X, A @ X) < 1e-12
            assert relative(coded.T @ Y, A.T @ Y) < 1e-12
            assert relative(coded.product(X, stop=anyk.everyone, timeout=30).value, A @ X) < 1e-12


def test_whoever_is_late_is_not_waited_for(A, X):
    slow = fates({rank: [anyk.faults.Fate(1e6)] for rank in (1, 2, 5)})
    with anyk.place(A, CODE, engine=anyk.engines.open("simulated:8", faults=slow)) as coded:
        product = coded.product(X)

        assert product.survivors == (0, 3, 4, 6, 7)
        assert relative(product.value, A @ X) < 1e-12


def test_what_it_is_not_multiplied_with_is_refused(A, X):
    with anyk.place(A, CODE, engine="inline") as coded:
        with pytest.raises(InputError, match="B is sparse"):
            coded.product(sparse((80, 4)))
        with pytest.raises(InputError, match="they do not fit"):
            coded @ np.ones(7)
    with pytest.raises(InputError, match="was closed"):
        coded @ X
    bad = A.tolil()
    bad[3, 5] = np.nan
    with pytest.raises(InputError, match=r"A\[3, 5\] is nan"):
        anyk.place(bad, CODE, engine="inline")
