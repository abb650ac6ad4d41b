import numpy as np
import pytest

from anyk.discovery import objective
from anyk.discovery.objective import errors, left_over, mean, slope
from anyk.weights import System
from tests.discovery.toys import SHAPES, all_sets, defined_errors, tables


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", [0.3, 1e-2, 1e-5])
def test_errors_are_those_of_the_definition(shape, noise):
    left, right = tables(shape)
    sets = all_sets(*shape[3:])

    np.testing.assert_allclose(errors(left, right, sets, noise), defined_errors(left, right, sets, noise), rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", [1e-2, 3.3e-16])
def test_errors_are_those_a_code_reports(shape, noise):
    left, right = tables(shape)
    sets = all_sets(*shape[3:])

    # where sets decode exactly, nothing but rounding is left
    atol = noise if noise < 1e-12 else 0
    found, told = errors(left, right, sets, noise), System(left, right).errors(sets, noise)
    np.testing.assert_allclose(found, told, rtol=1e-9, atol=atol)


def test_errors_do_not_depend_on_the_batch(monkeypatch):
    left, right = tables(SHAPES[4])
    sets = all_sets(10, 8)
    whole = errors(left, right, sets, 1e-3), slope(left, right, sets, 1e-3, 4.0).left
    monkeypatch.setattr(objective, "_BATCH_NUMBERS", 1)

    np.testing.assert_allclose(errors(left, right, sets, 1e-3), whole[0], rtol=1e-12)
    np.testing.assert_allclose(slope(left, right, sets, 1e-3, 4.0).left, whole[1], atol=1e-12)


def test_neither_the_scale_of_tasks_nor_a_turn_of_the_inner_index_matters():
    left, right = tables(SHAPES[2])
    sets, rng = all_sets(7, 5), np.random.default_rng(1)
    turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    scales = np.exp(rng.standard_normal((2, 7)))
    other = np.einsum("ijw,jk->ikw", left, turn) * scales[0], np.einsum("jk,jlw->klw", turn, right) * scales[1]

    np.testing.assert_allclose(errors(*other, sets, 1e-3), errors(left, right, sets, 1e-3), rtol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("power", [2.0, 9.0])
@pytest.mark.parametrize("noise", [0.1, 1e-4])
def test_the_slope_is_that_of_finite_differences(shape, power, noise):
    left, right = tables(shape)
    sets, rng = all_sets(*shape[3:]), np.random.default_rng(3)
    found = slope(left, right, sets, noise, power)
    for _ in range(3):
        by = rng.standard_normal(left.shape), rng.standard_normal(right.shape)
        step = 1e-6
        ahead, behind = (
            np.log(mean(errors(left + sign * step * by[0], right + sign * step * by[1], sets, noise), power))
            for sign in (1, -1)
        )

        along = np.sum(found.left * by[0]) + np.sum(found.right * by[1])
        # central differences: step^2 of truncation, and rounding over step
        assert along == pytest.approx((ahead - behind) / (2 * step), rel=1e-5, abs=1e-7)


def test_the_slope_at_the_noise_of_float64_is_that_of_finite_differences_in_extended_precision():
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("long double is double here")
    steps = np.array([0, 0, 1]) * np.log(1e-7)
    left, right = tables((1, 3, 1, 5, 4))
    left, right = left * np.exp(steps)[None, :, None], right * np.exp(-steps)[:, None, None]
    sets, noise = all_sets(5, 4), 3.3e-16
    found = slope(left, right, sets, noise)
    by = left * np.random.default_rng(0).standard_normal(left.shape)
    ahead, behind = (np.log(mean(errors(left + step * by, right, sets, noise), 2.0)) for step in (1e-6, -1e-6))

    assert np.sum(found.left * by) == pytest.approx((ahead - behind) / 2e-6, rel=1e-4, abs=1e-8)


def test_what_is_left_over_stands_upright_on_the_answers():
    rng = np.random.default_rng(0)
    columns, target = rng.standard_normal((7, 4, 5)), rng.standard_normal((7, 2))
    rest, basis, triangle = left_over(columns, target, 1e-2)
    stacked = np.concatenate([columns, np.broadcast_to(1e-2 * np.eye(4)[:, :, None], (4, 4, 5))])

    np.testing.assert_allclose(np.einsum("eks,kqs->eqs", basis, triangle), stacked, atol=1e-14)
    np.testing.assert_allclose(np.einsum("eks,ecs->kcs", stacked, rest), 0, atol=1e-13)


def test_the_mean_of_a_high_power_is_the_worst():
    found = np.array([1.0, 2.0, 8.0])

    assert mean(found, 2.0) == pytest.approx(np.sqrt(69 / 3))
    assert mean(found, np.inf) == 8.0
    assert mean(found, 2.0) < mean(found, 64.0) < 8.0
