"""The verb decode: the last step alone, from answers that are already there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyk
from anyk.errors import InputError, PrecisionError

CODES = {name: family.function(**family.example) for name, family in anyk.codes.CATALOGUE.items()}
MATDOT = CODES["matdot"]


def answers_of(code, A, B, tasks):
    left, right = code.encode(A, B)
    return {int(task): left[task] @ right[task] for task in tasks}


@given(
    code=st.sampled_from(sorted(CODES)),
    shape=st.tuples(*[st.integers(1, 11)] * 3),
    dtype=st.sampled_from(["float32", "float64", "complex64", "complex128"]),
    data=st.data(),
)
def test_any_sufficient_answers_give_the_product(code, shape, dtype, data):
    code, rng = CODES[code], np.random.default_rng(data.draw(st.integers(0, 99)))
    tasks = data.draw(st.permutations(range(code.workers)))[
        : data.draw(st.integers(code.recovery_threshold, code.workers))
    ]
    A, B = (rng.standard_normal(part).astype(dtype) for part in (shape[:2], shape[1:]))
    product = anyk.decode(code, answers_of(code, A, B, tasks), shape=(shape[0], shape[2]), partial=True)

    size = np.sqrt(code.partition.products) * np.linalg.norm(A) * np.linalg.norm(B)
    assert product.survivors == tuple(sorted(tasks))
    assert (product.error, product.error_kind) == (code.expected_error(sorted(tasks), dtype), "expected")
    assert product.value.dtype == np.result_type(dtype, np.complex64 if code.is_complex else dtype)
    assert np.linalg.norm(product.value - A.astype(complex) @ B) <= 1000 * product.error * size


def test_without_a_shape_the_padding_stays():
    A, B = np.ones((5, 8)), np.ones((8, 5))
    code = CODES["generalized_polydot"]
    answers = answers_of(code, A, B, range(12))
    assert anyk.decode(code, answers).value.shape == (6, 6)
    assert anyk.decode(code, answers, shape=(5, 5)).value == pytest.approx(A @ B)


def test_too_few_answers_are_refused_unless_partial():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((8, 8)), rng.standard_normal((8, 8))
    answers = answers_of(MATDOT, A, B, range(5))
    with pytest.raises(
        PrecisionError, match=r"got 5 answers \(tasks \[0, 1, 2, 3, 4\]\) of `matdot`, which needs 7.*partial=True"
    ):
        anyk.decode(MATDOT, answers)
    product = anyk.decode(MATDOT, answers, partial=True)
    true = np.linalg.norm(product.value - A @ B) / np.linalg.norm(A @ B)
    assert true == pytest.approx(product.error, rel=0.5)


def test_lucky_answers_below_the_threshold_are_accepted():
    code = anyk.codes.matdot(4, 8)
    A, B = np.random.default_rng(0).standard_normal((2, 8, 8))
    lucky = np.flatnonzero(code.positions % 2 == 0)
    assert anyk.decode(code, answers_of(code, A, B, lucky)).value == pytest.approx(A @ B, abs=1e-12)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({}, "`results` is empty"),
        ({10: np.eye(2)}, "10 is no task of `matdot`; its tasks are 0 … 9"),
        ({-1: np.eye(2)}, "-1 is no task"),
        ({"0": np.eye(2)}, "'0' is no task"),
        ({1.0: np.eye(2)}, "1.0 is no task"),
        ({0: np.eye(2), 1: np.eye(3)}, "matrices of one shape"),
        ({0: np.ones(3), 1: np.ones(3)}, "matrices of one shape"),
        ({0: np.eye(2), 1: np.full((2, 2), np.nan)}, "answer of task 1 holds NaN or infinity"),
        ({0: np.full((2, 2), -np.inf)}, "answer of task 0 holds NaN or infinity"),
        ({0: np.array([[1, None]], dtype=object)}, "task 0 has dtype object"),
        ({0: [["a", "b"]]}, "task 0 has dtype <U1"),
    ],
)
def test_answers_that_are_none_are_refused(results, message):
    with pytest.raises(InputError, match=message):
        anyk.decode(MATDOT, results, partial=True)


@pytest.mark.parametrize("shape", [(9, 8), (8, 9), (4, 8), (0, 0)])
def test_a_shape_that_does_not_fit_the_answers_is_refused(shape):
    answers = answers_of(MATDOT, np.eye(8), np.eye(8), range(7))
    with pytest.raises(InputError, match="does not fit answers of shape"):
        anyk.decode(MATDOT, answers, shape=shape)


def test_lists_and_numpy_task_numbers_are_taken():
    code = anyk.codes.uncoded(1, 1, 2)
    product = anyk.decode(code, {np.int64(0): [[1, 2]], 1: [[3, 4]]})
    assert product.value.tolist() == [[1.0, 2.0, 3.0, 4.0]]


def test_answers_of_half_precision_are_widened():
    answers = {task: np.ones((2, 2), "float16") for task in range(7)}
    assert anyk.decode(MATDOT, answers).value.dtype == np.float32


def test_answers_of_several_dtypes_become_the_widest():
    answers = answers_of(MATDOT, np.eye(8), np.eye(8), range(7))
    answers[3] = answers[3].astype("float32")
    assert anyk.decode(MATDOT, answers).value.dtype == np.float64


def test_given_answers_are_left_as_they_are():
    answers = answers_of(MATDOT, np.eye(8), np.eye(8), range(7))
    before = {task: answer.copy() for task, answer in answers.items()}
    anyk.decode(MATDOT, answers)
    assert all(np.array_equal(answers[task], before[task]) for task in answers)
