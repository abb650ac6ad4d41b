import itertools

import numpy as np
import pytest

from anyk.discovery import alternating
from anyk.discovery.alternating import Alternating, search_noise
from anyk.discovery.objective import errors
from tests.discovery.toys import SHAPES, all_sets, tables

#: inner, results, workers at which the published search crashed or reported negative losses.
HARD = [(4, 4, 8), (5, 5, 8), (5, 5, 10), (4, 4, 6), (3, 3, 6)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", [0.1, 1e-3])
def test_no_sweep_raises_the_loss(shape, noise):
    left, right = tables(shape)
    sets = all_sets(*shape[3:])
    sweeps, losses = Alternating(sets, shape[3], noise), []
    for _ in range(25):
        losses.append(np.sum(errors(left, right, sets, noise) ** 2))
        left, right = sweeps.sweep(left, right)

    assert all(after <= before * (1 + 1e-9) for before, after in itertools.pairwise(losses))
    assert losses[-1] < losses[0]


def test_no_sweep_raises_the_weighted_loss():
    left, right = tables(SHAPES[1])
    sets = all_sets(6, 4)
    shares = np.random.default_rng(0).uniform(0.01, 1, len(sets))
    sweeps, losses = Alternating(sets, 6, 1e-2), []
    for _ in range(15):
        losses.append(np.sum(shares * errors(left, right, sets, 1e-2) ** 2))
        left, right = sweeps.sweep(left, right, shares)

    assert all(after <= before * (1 + 1e-9) for before, after in itertools.pairwise(losses))


def test_a_sweep_is_the_three_least_squares_problems_of_the_paper(monkeypatch):
    monkeypatch.setattr(alternating, "_BATCH", 7)  # in several batches, the last one short
    inner, workers, results, noise = 3, 6, 4, 1e-2
    left, right = tables((1, inner, 1, workers, results))
    sets = all_sets(workers, results)
    a, b = left[0], right[:, 0]

    def ridge(matrix):
        return matrix * (1 + noise**2 * np.eye(len(matrix)))

    gram = (a.T @ a) * (b.T @ b)
    weights = np.zeros((workers, len(sets)))
    for at, tasks in enumerate(sets):
        weights[tasks, at] = np.linalg.solve(ridge(gram[np.ix_(tasks, tasks)]), np.sum(a * b, axis=0)[tasks])
    square, total = weights @ weights.T, weights.sum(axis=1)
    new_a = np.linalg.solve(ridge(square * (b.T @ b)), (b * total).T).T
    new_b = np.linalg.solve(ridge(square * (new_a.T @ new_a)), (new_a * total).T).T
    found = Alternating(sets, workers, noise).sweep(left, right)

    np.testing.assert_allclose(found[0][0], new_a / np.linalg.norm(new_a, axis=0), rtol=1e-8)
    np.testing.assert_allclose(found[1][:, 0], new_b / np.linalg.norm(new_b, axis=0), rtol=1e-8)


def survives(case, seed, sweeps):
    inner, results, workers = case
    sets, noise = all_sets(workers, results), 3.3e-16
    left, right = tables((1, inner, 1, workers, results), seed)
    search, losses = Alternating(sets, workers, noise), []
    for sweep in range(sweeps):
        if sweep % 10 == 0:
            losses.append(np.sum(errors(left, right, sets, search_noise(noise)) ** 2))
        left, right = search.sweep(left, right)
    final = errors(left, right, sets, noise)

    assert np.isfinite(final).all()
    assert (final >= 0).all()
    assert all(after <= before * (1 + 1e-6) for before, after in itertools.pairwise(losses))


@pytest.mark.parametrize("case", HARD)
def test_no_seed_crashes_or_climbs(case):
    for seed in range(5):
        survives(case, seed, 60)


@pytest.mark.slow
@pytest.mark.parametrize("case", HARD)
def test_none_of_a_hundred_seeds_crashes_or_climbs(case):
    for seed in range(100):
        survives(case, seed, 300)


def test_equal_tasks_and_tasks_that_nobody_asks_do_not_stop_it():
    left, right = tables((1, 3, 1, 6, 4))
    left[..., 1], right[..., 1] = left[..., 0], right[..., 0]
    sets = all_sets(5, 4)  # task 5 is in none of them
    left, right = Alternating(sets, 6, 3.3e-16).sweep(left, right)

    assert np.isfinite(left).all()
    assert np.isfinite(right).all()
