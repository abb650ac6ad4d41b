"""Products of sparse matrices: encoded as sums of sparse blocks, right like all others, never dense on the master."""

import numpy as np
import pytest
import scipy.sparse

import anyk
from anyk.codes import CATALOGUE
from anyk.errors import InputError
from tests.engines.pen_pals import PenPals
from tests.verbs.toys import relative

CODE = anyk.codes.matdot(3, workers=7)
EXACT = [code for family in CATALOGUE.values() if (code := family.function(**family.example)).is_exact]


def sparse(shape, density=0.05, seed=0, form="csr"):
    matrix = scipy.sparse.random_array(shape, density=density, rng=np.random.default_rng(seed), format="csr")
    return matrix.asformat(form)


@pytest.fixture
def B():
    return np.random.default_rng(1).standard_normal((80, 30))


@pytest.mark.parametrize("code", EXACT, ids=lambda code: code.name)
def test_every_exact_code_multiplies_sparse_matrices(code, B):
    A = sparse((61, 80))
    product = anyk.matmul(A, B, code, engine="inline")

    assert isinstance(product.value, np.ndarray)
    assert relative(product.value, A @ B) < 1e-9
    assert product.error_kind == "measured"
    assert product.error < 1e-9


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"])
def test_every_format_is_taken(form, B):
    A = sparse((40, 80), form=form)

    assert relative(anyk.matmul(A, B, CODE, engine="inline").value, A @ B) < 1e-12


def test_either_factor_may_be_sparse_and_both(B):
    A, S = sparse((50, 80)), sparse((80, 40), seed=3)
    D = np.random.default_rng(2).standard_normal((50, 80))

    assert relative(anyk.matmul(D, S, CODE, engine="inline").value, D @ S) < 1e-12
    assert relative(anyk.matmul(A, S, CODE, engine="inline").value, (A @ S).toarray()) < 1e-12
    assert relative(anyk.matmul(A, B[:, 0], CODE, engine="inline").value, A @ B[:, 0]) < 1e-12


def test_arrays_of_the_sparse_package_are_taken(B):
    other = pytest.importorskip("sparse")
    A = sparse((50, 80))

    assert relative(anyk.matmul(other.COO.from_scipy_sparse(A), B, CODE, engine="inline").value, A @ B) < 1e-12


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128", "int32", "bool"])
def test_dtypes_are_those_of_dense_products(dtype, B):
    A = (sparse((50, 80)) * 10).astype(dtype)
    right = B.astype("float32") if dtype in ("float32", "complex64") else B
    product = anyk.matmul(A, right, CODE, engine="inline")
    expected = A @ right

    assert product.value.dtype == expected.dtype
    assert relative(product.value, expected) < 1e-4


def test_what_fills_in_is_told(B):
    A = sparse((60, 80), density=0.01)
    whole = anyk.matmul(A, B, anyk.codes.uncoded(2, 2, 1), engine="inline")
    summed = anyk.matmul(A, B, CODE, engine="inline")
    plain = anyk.matmul(A.toarray(), B, CODE, engine="inline")

    assert 1 <= whole.fill_in < 2  # the fullest of four blocks
    assert 2.5 < summed.fill_in <= 3  # three blocks in each sum, entries that meet are one
    assert plain.fill_in is None


def test_nothing_as_large_as_the_matrix_is_made_dense():
    A, b = scipy.sparse.eye_array(400_000, format="csr"), np.arange(400_000.0)  # dense: 1.3 TB
    product = anyk.matmul(A, b, anyk.codes.mds(4, 6), engine="inline")

    assert relative(product.value, b) < 1e-12
    assert product.error < 1e-12


def test_wrong_answers_are_found(B):
    A, faults = sparse((60, 80)), anyk.faults.Zeros(ranks=(2,))
    with anyk.engines.open("inline:7", faults=faults) as engine:
        product = anyk.matmul(A, B, CODE, engine=engine, wrong=1, stop=anyk.everyone)

    assert product.wrong == (2,)
    assert relative(product.value, A @ B) < 1e-12


def test_workers_that_get_their_blocks_by_message_form_sums_of_sparse_products_too(B):
    A = sparse((60, 80), density=0.02)
    with PenPals(7) as engine:
        product = anyk.matmul(A, B, CODE, engine=engine, reduce=True)
        banded = anyk.matmul(A, B, CODE, engine=engine, bands=3)
        for lane in engine.lanes:
            lane.submit(abs, -1).result(30)

        assert relative(product.value, A @ B) < 1e-12
        assert relative(banded.value, A @ B) < 1e-12
        assert not [name for name in engine.held() if name.startswith("sparse")]
    # Twelve bytes an entry or so, and never a dense block.
    assert product.moved.to_workers < 7 * (3 * A.nnz * 14 / 3 + B.nbytes / 3 + 5000)


def test_streams_take_sparse_matrices(B):
    A = sparse((60, 80))
    *_, last = anyk.stream(A, B, CODE, engine="inline")

    assert relative(last.value, A @ B) < 1e-12


@pytest.mark.cluster
def test_worker_processes_multiply_sparse_blocks(B):
    A = sparse((60, 80))
    with anyk.engines.open("processes:2") as engine:
        for _ in range(2):
            assert relative(anyk.matmul(A, B, CODE, engine=engine).value, A @ B) < 1e-12


def test_entries_that_are_not_finite_are_named(B):
    A = sparse((60, 80)).tolil()
    A[3, 5] = np.nan
    with pytest.raises(InputError, match=r"A\[3, 5\] is nan"):
        anyk.matmul(A, B, CODE, engine="inline")


def test_what_is_no_sparse_matrix_is_refused(B):
    with pytest.raises(InputError, match=r"two dimensions; of A, it has shape \(80,\)"):
        anyk.matmul(scipy.sparse.random_array((80,), density=0.1), B, CODE, engine="inline")


def test_verbs_that_take_none_say_so(B):
    with anyk.place(B, CODE, engine="inline") as coded, pytest.raises(InputError, match="B is sparse"):
        coded.product(sparse((30, 4)))
