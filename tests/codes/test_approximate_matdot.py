"""Approximate MatDot: the law, the figures it was designed for, and what it refuses."""

from itertools import pairwise

import numpy as np
import pytest

from anyk import CodeError
from anyk.codes import approximate_matdot, matdot

#: (inner, workers, results) -> largest root mean square error over survivor sets, float64: the published constructions
#: at their best radius, and the staircases' own law lambda^(1/L) with the constants of the design notes.
GOALS = {
    (2, 4, 2): 2.3e-8,
    (3, 5, 3): 1e-5,
    (4, 8, 4): 2.8e-4,
    (4, 8, 5): 3.5e-8,
    (5, 10, 5): 1.9e-3,
    (5, 10, 7): 6e-8,
    (6, 11, 8): 2e-7,
    (7, 12, 9): 2.5e-5,
}


def rms(code, results, dtype="float64"):
    return float(np.sqrt(np.mean(code.errors(results, dtype) ** 2)))


@pytest.mark.parametrize("case", GOALS, ids=str)
def test_every_set_together_errs_as_little_as_the_law_allows(case):
    inner, workers, results = case

    assert rms(approximate_matdot(inner, workers, results=results), results) <= GOALS[case]


def test_the_design_error_is_the_error_of_fresh_sets():
    code = approximate_matdot(10, 20, results=15)
    fresh = code.errors(15, sets=1000, rng=np.random.default_rng(99))[:-1]

    assert code.design_error <= 2.5e-7
    assert np.median(fresh) <= 6e-8
    assert np.sqrt(np.mean(fresh**2)) <= 2.5e-7


@pytest.mark.parametrize(("case", "goal"), [((9, 18, 13), 6e-7), ((10, 20, 14), 3e-6)])
def test_steps_of_an_odd_size_have_no_tails_either(case, goal):
    inner, workers, results = case
    code = approximate_matdot(inner, workers, results=results)
    fresh = code.errors(results, sets=1000, rng=np.random.default_rng(99))[:-1]

    # two steps: lambda^(1/2) = 1.8e-8; on the interval the worst of these sets errs 1e-4 and more
    assert np.sqrt(np.mean(fresh**2)) <= goal
    assert fresh.max() <= 30 * goal


def test_half_the_digits_in_float32():
    code = approximate_matdot(4, 8, results=5, dtype="float32")

    assert rms(code, 5, "float32") <= 7.6e-4


@pytest.mark.parametrize("digits", [1e-6, 1e-10, 1e-14])
def test_one_staircase_step_costs_half_the_digits(digits, monkeypatch):
    import sys

    module = sys.modules["anyk.codes.approximate_matdot"]
    monkeypatch.setattr(module, "product_error", lambda dtype: digits)
    code = approximate_matdot(4, 8, results=5)
    errors = code._system.errors(np.array([[0, 1, 2, 3, 4], [1, 3, 5, 6, 7], [0, 2, 4, 5, 7]]), digits)

    # lambda^(1/2) up to the constant of the family
    assert 0.5 <= np.sqrt(np.mean(errors**2)) / np.sqrt(digits) <= 5


def test_real_products_err_as_expected():
    rng = np.random.default_rng(5)
    code = approximate_matdot(5, 10, results=6)
    A, B = rng.standard_normal((120, 240)), rng.standard_normal((240, 130))
    a, b = code.encode(A, B)
    answers = [x @ y for x, y in zip(a, b, strict=True)]
    for _ in range(10):
        tasks = np.sort(rng.permutation(10)[:6])
        weights, _ = code.solve(tasks)
        product = sum(w * answers[task] for w, task in zip(weights[0], tasks, strict=True))
        error = np.linalg.norm(product - A @ B) / np.linalg.norm(A @ B)

        # 15600 entries: the sample's own spread is far below a factor 1.5
        assert 1 / 1.5 <= error / code.expected_error(tasks) <= 1.5


def test_graceful_codes_gain_with_every_answer():
    code = approximate_matdot(5, 10, profile="graceful")
    errors = [rms(code, results) for results in range(5, 10)]

    assert all(later < earlier / 2 for earlier, later in pairwise(errors))
    assert errors[0] < 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"inner": 4, "workers": 8, "results": 3}, "fewer than 4 answers"),
        ({"inner": 4, "workers": 8, "results": 7}, r"matdot\(inner=4, workers=8\)"),
        ({"inner": 4, "workers": 4, "results": 5}, "5 results are needed and 4 workers exist"),
        ({"inner": 1, "workers": 4}, "one block needs no code"),
        ({"inner": 4, "workers": 8, "results": 5.0}, "`results` to be an integer, not 5.0"),
        ({"inner": "4", "workers": 8}, "`inner` to be an integer, not '4'"),
        ({"inner": 4, "workers": True}, "`workers` to be an integer, not True"),
        ({"inner": 4, "workers": 8, "profile": "steep"}, "'staircase' or 'graceful'"),
        ({"inner": 20, "workers": 40}, "no better than copies"),
        ({"inner": 10, "workers": 20, "dtype": "float32"}, "no better than copies"),
    ],
)
def test_what_cannot_work_is_refused_with_the_way_out(arguments, words):
    with pytest.raises(CodeError, match=words):
        approximate_matdot(**arguments)


def test_one_answer_more_than_the_last_approximate_count_is_exact():
    assert matdot(4, 8).recovery_threshold == 7
    assert approximate_matdot(4, 8, results=6).recovery_threshold == 6
