"""The gradient and Newton methods, one epoch at a time."""

import numpy as np
import pytest

from anyk.discovery import gradient, newton
from anyk.discovery.objective import Loss, errors, mean, slope
from anyk.discovery.tables import drawn, rescaled, sizes, unit
from tests.discovery.toys import SHAPES, all_sets, tables


def silent(_):
    pass


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("power", [2.0, 6.0])
def test_the_linear_problem_has_the_slope_of_the_loss(shape, power):
    left, right = tables(shape)
    sets = all_sets(*shape[3:])
    linear = newton._Linear.at((left, right), Loss(sets, 1e-2, power))
    q, r = linear.factor
    pull = (r.T @ (q.T @ linear.rest)) * linear.scale
    wanted = slope(left, right, sets, 1e-2, power)
    along = np.concatenate([(wanted.left * sizes(left)).ravel(), (wanted.right * sizes(right)).ravel()])
    # by coefficient of a task, then task, as J has them
    rows = left[..., 0].size
    ordered = np.concatenate(
        [along[: left.size].reshape(rows, -1).ravel(), along[left.size :].reshape(-1, left.shape[2]).ravel()]
    )

    np.testing.assert_allclose(pull / np.sum(linear.rest**2), ordered, rtol=1e-6, atol=1e-9)


def test_bent_steps_leave_less_than_straight_ones_in_a_narrow_valley():
    sets, noise = all_sets(5, 4), 1e-5
    left, right = drawn(1, 3, 1, 5, np.random.default_rng(0))
    for coarse in (3e-4, 5e-5):
        left, right = newton.descended((left, right), Loss(sets, coarse), 60, silent)
        left, right = rescaled(left, right, coarse, coarse / 6)
    straight, bent = newton._Linear.at(unit(left, right), Loss(sets, noise)).steps(1e-4)

    assert mean(errors(*bent, sets, noise), 2.0) <= mean(errors(*straight, sets, noise), 2.0)


@pytest.mark.parametrize("method", [gradient, newton])
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_lower_the_error_and_keep_units(method, shape):
    left, right = tables(shape)
    sets, seen = all_sets(*shape[3:]), []
    found = method.descended((left, right), Loss(sets, 1e-2), 8, seen.append)

    assert mean(errors(*found, sets, 1e-2), 2.0) < mean(errors(left, right, sets, 1e-2), 2.0)
    assert 1 <= len(seen) <= 8
    np.testing.assert_array_equal(seen[-1][0], found[0])
    np.testing.assert_allclose(np.linalg.norm(found[0], axis=(0, 1)), 1)


def test_a_code_for_one_noise_becomes_one_for_another():
    sets = all_sets(5, 4)
    left, right = drawn(1, 3, 1, 5, np.random.default_rng(0))
    left, right = newton.descended((left, right), Loss(sets, 1e-4), 150, silent)
    coarse = mean(errors(left, right, sets, 1e-4), 2.0)
    fine = mean(errors(*rescaled(left, right, 1e-4, 1e-5), sets, 1e-5), 2.0)
    untouched = mean(errors(left, right, sets, 1e-5), 2.0)

    # the law of two steps: the error falls with the root of the noise
    assert fine == pytest.approx(coarse / np.sqrt(10), rel=0.2)
    assert fine < untouched


def test_tables_with_fewer_entries_than_inner_blocks_are_left_alone():
    left, right = drawn(1, 3, 1, 2, np.random.default_rng(0))
    found = rescaled(left, right, 1e-3, 1e-6)

    np.testing.assert_allclose(found[0], left, rtol=1e-14)
    np.testing.assert_allclose(found[1], right, rtol=1e-14)
