"""Approximate codes on real data: centering, fitted weights, tolerances, and the error that is reported."""

import numpy as np
import pytest

import anyk
from anyk import PrecisionWarning

SIZE = 240


def kinds(rng):
    smooth = np.cumsum(rng.standard_normal((SIZE, SIZE)), axis=1) / SIZE**0.5
    return {
        "gaussian": rng.standard_normal((SIZE, SIZE)),
        "positive": rng.random((SIZE, SIZE)),
        "relu": np.maximum(0, rng.standard_normal((SIZE, SIZE))),
        "smooth": smooth,
        "low rank": rng.standard_normal((SIZE, 5)) @ rng.standard_normal((5, SIZE)),
        "badly scaled": (rng.standard_normal((SIZE, SIZE)) * 10.0 ** rng.uniform(-6, 6, (SIZE, 1))).T.copy(),
    }


def product(A, B, code, seed, **options):
    """From random survivors: simulated workers with random delays."""
    delays = anyk.faults.ShiftedExponential()
    with anyk.engines.open("simulated", workers=code.workers, faults=delays, seed=seed) as engine:
        return anyk.matmul(A, B, code, engine=engine, rng=0, **options)


def errors(A, B, code, **options):
    exact = A @ B
    products = [product(A, B, code, seed, **options) for seed in range(5)]
    return np.array([np.linalg.norm(each.value - exact) / np.linalg.norm(exact) for each in products])


@pytest.mark.parametrize("name", ["positive", "relu", "smooth"])
def test_centering_gains_on_data_with_a_mean(name):
    A, B = (kinds(np.random.default_rng(seed))[name] for seed in (1, 2))
    code = anyk.codes.approximate_matdot(5, 10, results=6)
    plain, centred = (np.median(errors(A, B.T, code, center=center, fit=False)) for center in (False, True))

    assert centred < plain / 2


@pytest.mark.parametrize("name", kinds(np.random.default_rng(0)))
def test_centering_and_fitting_never_lose(name):
    A, B = (kinds(np.random.default_rng(seed))[name] for seed in (1, 2))
    code = anyk.codes.approximate_matdot(5, 10, results=6)
    plain = np.median(errors(A, B.T, code, center=False, fit=False))

    # five survivor sets, the same for both: only rounding differs where there is nothing to gain
    assert np.median(errors(A, B.T, code)) < 1.15 * plain


def test_fitted_weights_gain_on_smooth_data():
    A, B = (kinds(np.random.default_rng(seed))["smooth"] for seed in (1, 2))
    code = anyk.codes.approximate_matdot(5, 10, results=5)
    tables, fitted = (np.median(errors(A, B.T, code, fit=fit)) for fit in (False, True))

    assert fitted < tables / 1.2


@pytest.mark.parametrize("grid", [(2, 2, 1, 7, 4), (2, 2, 2, 12, 8)])
def test_fitted_weights_of_grids_do_no_harm(grid):
    *cut, workers, results = grid
    rng = np.random.default_rng(3)
    A, B = rng.standard_normal((101, 90)), rng.standard_normal((90, 77))
    code = anyk.codes.approximate_polydot(*cut, workers, results=results)
    tables, fitted = (np.median(errors(A, B, code, fit=fit)) for fit in (False, True))

    assert fitted < 1.15 * tables


@pytest.mark.parametrize("name", kinds(np.random.default_rng(0)))
def test_the_measured_error_is_within_a_factor_two(name):
    A, B = (kinds(np.random.default_rng(seed))[name] for seed in (1, 2))
    exact = A @ B.T
    code = anyk.codes.approximate_matdot(5, 10, results=6)
    ratios = []
    for seed in range(10):
        each = product(A, B.T, code, seed)
        ratios.append(each.error / (np.linalg.norm(each.value - exact) / np.linalg.norm(exact)))

    # each is outside with a probability of at most 0.05; more than 3 of 10 then have probability 0.001
    assert sum(not 0.5 <= ratio <= 2 for ratio in ratios) <= 3


def test_a_tolerance_waits_for_as_many_answers_as_it_needs():
    rng = np.random.default_rng(4)
    A, B = rng.standard_normal((100, 200)), rng.standard_normal((200, 90))
    code = anyk.codes.approximate_matdot(5, 10, profile="graceful")
    answers = []
    for tolerance in (0.1, 1e-3, 1e-5):
        each = product(A, B, code, 1, tolerance=tolerance)
        assert each.error <= tolerance
        answers.append(len(each.survivors))

    assert answers == sorted(answers)
    assert answers[0] < answers[-1]


def test_a_tolerance_out_of_reach_is_said_with_the_error_that_was_reached():
    rng = np.random.default_rng(4)
    A, B = rng.standard_normal((100, 200)), rng.standard_normal((200, 90))
    code = anyk.codes.approximate_matdot(5, 10, results=5)

    with pytest.warns(PrecisionWarning, match="above 1.0e-12"):
        each = product(A, B, code, 1, tolerance=1e-12)

    assert each.error < 1e-2


def test_a_stream_of_a_graceful_code_gets_better_answer_by_answer():
    rng = np.random.default_rng(4)
    A, B = rng.standard_normal((100, 200)), rng.standard_normal((200, 90))
    code = anyk.codes.approximate_matdot(5, 10, profile="graceful")
    seen = [each.error for each in anyk.stream(A, B, code, tolerance=1e-6, engine="inline", rng=0)]

    assert seen == sorted(seen, reverse=True)
    assert seen[-1] <= 1e-6
