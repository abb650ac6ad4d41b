"""Right answers are not suspected, whatever the data; errors that matter are loud."""

import math

import numpy as np
import pytest
from scipy import stats

import anyk
from anyk.screening import Evidence, columns_for, draw_columns, loudest_clean
from anyk.screening.thresholds import MARGIN, false_agreement
from tests.screening.words import clean, codes_of

SIDE, DEPTH = 24, 60


def ordinary(a, b, rng):
    return a, b


def with_a_mean(a, b, rng):
    return 0.01 * a + 3, 0.01 * b + 5


def constant(a, b, rng):
    return np.ones_like(a), np.ones_like(b)


def rows_of_every_size(a, b, rng):
    return a * 10.0 ** rng.uniform(-6, 6, (len(a), 1)), b


def columns_of_every_size(a, b, rng):
    return a, b * 10.0 ** rng.uniform(-6, 6, (1, b.shape[1]))


def sparse(a, b, rng):
    return a * (rng.random(a.shape) < 0.05), b * (rng.random(b.shape) < 0.05)


def half_zero(a, b, rng):
    a[: len(a) // 2] = 0
    return a, b


def a_vector(a, b, rng):
    return a, b[:, :1]


def tiny(a, b, rng):
    return a * 1e-15, b * 1e-15


def nothing(a, b, rng):
    return 0 * a, b


KINDS = [
    ordinary,
    with_a_mean,
    constant,
    rows_of_every_size,
    columns_of_every_size,
    sparse,
    half_zero,
    a_vector,
    tiny,
    nothing,
]
CODES = {
    **codes_of(8, 4),
    "matdot": anyk.codes.matdot(3, 10),
    "generalized polydot": anyk.codes.generalized_polydot(2, 2, 2, 18),
    "polydot": anyk.codes.polydot(2, 2, 2, 18),
    "monomial": anyk.codes.matdot(3, 9, basis="monomial"),
    "approximate": anyk.codes.approximate_matdot(4, 10),
    "replication": anyk.codes.replication(2, 1, 2, 3),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_right_answers_are_not_suspected(kind, name, dtype):
    rng = np.random.default_rng(0)
    code = CODES[name]
    a, b = kind(rng.standard_normal((SIDE, DEPTH)), rng.standard_normal((DEPTH, SIDE)), rng)
    left, right = code.encode(a.astype(dtype), b.astype(dtype))

    located = anyk.locate(code, {task: x @ y for task, (x, y) in enumerate(zip(left, right, strict=True))}, rng=rng)

    assert (located.wrong, located.certified) == ((), True)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "code", [anyk.codes.mds(10, 20), anyk.codes.mds(20, 40), CODES["generalized polydot"]], ids=str
)
def test_constant_matrices_are_rounded_alike_in_every_entry_and_not_suspected(code, dtype):
    rng = np.random.default_rng(5)
    left, right = code.encode(np.ones((64, 2048), dtype), np.ones((2048, 64), dtype))
    answers = {task: x @ y for task, (x, y) in enumerate(zip(left, right, strict=True))}

    assert anyk.locate(code, answers, rng=rng).wrong == ()
    answers[3] = answers[3] + rng.standard_normal(answers[3].shape).astype(dtype)
    assert anyk.locate(code, answers, rng=rng).wrong == (3,)


def test_half_precision_answers_are_judged_by_their_own_rounding():
    rng = np.random.default_rng(1)
    code = anyk.codes.mds(4, 8)
    answers = {task: answer.astype(np.float16) for task, answer in clean(code, rng, "float32").items()}

    assert anyk.locate(code, answers, rng=rng).wrong == ()
    answers[3] = answers[3] * np.float16(1.25)
    assert anyk.locate(code, answers, rng=rng).wrong == (3,)


def test_drifted_answers_need_to_be_told_how_far():
    rng = np.random.default_rng(2)
    code = anyk.codes.mds(4, 8)
    drifted = {
        task: answer * (1 + 1e-4 * rng.standard_normal(answer.shape)) for task, answer in clean(code, rng).items()
    }

    assert anyk.locate(code, drifted, noise=1e-4, rng=rng).wrong == ()
    assert not anyk.locate(code, drifted, rng=rng).certified


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_answers_that_nearly_cancel_need_to_be_told_how_far(dtype):
    rng = np.random.default_rng(6)
    code = anyk.codes.mds(4, 8)
    a = rng.standard_normal((200, 200)).astype(dtype)
    b = np.linalg.inv(a)
    left, right = code.encode(a, b)
    answers = {task: x @ y for task, (x, y) in enumerate(zip(left, right, strict=True))}
    noise = 1.5 * np.finfo(dtype).eps * np.linalg.norm(a) * np.linalg.norm(b) / np.linalg.norm(a @ b) / np.sqrt(200)

    assert not anyk.locate(code, answers, rng=rng).found
    assert anyk.locate(code, answers, noise=noise, rng=rng).wrong == ()
    assert anyk.decode(code, answers, wrong=1, noise=noise, rng=rng).wrong == ()
    wrong = answers | {
        5: answers[5] + answers[5].dtype.type(1000 * noise) * rng.standard_normal(answers[5].shape).astype(dtype)
    }
    assert anyk.locate(code, wrong, noise=noise, rng=rng).wrong == (5,)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_ten_thousand_clean_words_stay_far_below_the_threshold(dtype):
    rng = np.random.default_rng(3)
    code, loudest = anyk.codes.mds(4, 8), 0.0
    for _ in range(10):
        evidence = Evidence.of(code, clean(code, rng, dtype, side=128), draw_columns(128, columns_for(3), rng))
        seen = evidence.syndrome(evidence.finite)
        loudest = max(loudest, float(seen.loudness.max() / seen.limit))
        assert seen.words.shape[1] == 128 * 3

    assert loudest < 1.5 / MARGIN


def test_clean_noise_is_as_loud_as_the_threshold_says():
    checks, words, trials = 4, 1000, 1e-9
    exact = math.sqrt(stats.chi2.isf(trials / words, checks))

    assert exact < loudest_clean(checks, words) / MARGIN < 1.2 * exact


@pytest.mark.parametrize("numbers", [1, 2, 3, 8])
def test_the_probability_of_a_false_agreement_is_that_of_a_small_ball(numbers):
    radius = 0.1
    exact = stats.chi2.cdf(radius**2, numbers)

    assert exact <= false_agreement(5, 0, numbers, radius, 1.0) <= 1.01 * exact
    assert false_agreement(5, 2, numbers, radius, 1.0) == pytest.approx(
        min(1.0, 10 * false_agreement(5, 0, numbers, radius, 1.0))
    )
    assert false_agreement(5, 2, numbers, radius, 0.0) == 1.0


@pytest.mark.parametrize("name", CODES)
def test_parity_checks_are_orthogonal_no_longer_than_one_and_vanish_on_answers(name):
    rng = np.random.default_rng(4)
    code = CODES[name]
    answers = clean(code, rng, side=4)
    tasks = sorted(rng.permutation(code.workers)[: code.workers - 1].tolist())
    word = np.array([answers[task].ravel() / code.answer_sizes[task] for task in tasks])

    checks = code.parity_checks(tasks)

    assert checks.shape[1] >= len(tasks) - code.recovery_threshold
    assert np.linalg.norm(checks.T @ word) < 1e-13 * np.linalg.norm(word)
    products = checks.conj().T @ checks
    assert products.real.max() < 1 + 1e-13
    assert abs(products - np.diag(np.diag(products))).max() < 1e-13


def test_without_redundancy_there_is_nothing_to_check():
    assert anyk.codes.matdot(2, 5).parity_checks([0, 1, 2]).shape == (3, 0)
    assert anyk.codes.uncoded(2, 1, 2).parity_checks(range(4)).shape == (4, 0)
