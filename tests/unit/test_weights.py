"""Weights of survivor sets: the two ways agree, and the errors they claim are those of the tables."""

import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import anyk
from anyk.errors import InputError
from anyk.weights import System, framed, least_squares, product_error, survivor_sets, system
from anyk.weights.householder import householder

LAMBDA = product_error("float64")
CODES = {
    "matdot": anyk.codes.matdot(5, 14),
    "polynomial": anyk.codes.polynomial(3, 3, 13),
    "generalized_polydot": anyk.codes.generalized_polydot(2, 3, 2, 19),
    "polydot": anyk.codes.polydot(2, 2, 2, 15),
    "mds": anyk.codes.mds(6, 10),
    # so many workers that corrections go through the generator
    "matdot, many": anyk.codes.matdot(4, 300),
    "polynomial, many": anyk.codes.polynomial(3, 3, 290),
    "generalized_polydot, many": anyk.codes.generalized_polydot(2, 2, 2, 301),
}


@pytest.fixture(params=CODES)
def code(request):
    return CODES[request.param]


def plain(code):
    """The same tables, without the frame that allows corrections."""
    return System(code.left, code.right)


def sets_of(code, results, count=20):
    return survivor_sets(code.workers, results, count, np.random.default_rng(1))


def columns(code, tasks):
    """M by its definition: normalized left (x) right, one column per task."""
    product = np.einsum("ijw,klw->ijklw", code.left[..., tasks], code.right[..., tasks])
    matrix = product.reshape(-1, len(tasks))
    return matrix / np.linalg.norm(matrix, axis=0)


def target(code):
    cut = code.partition
    wanted = np.zeros((cut.rows, cut.inner, cut.inner, cut.cols, cut.rows, cut.cols))
    for i, j, l in np.ndindex(cut.rows, cut.inner, cut.cols):
        wanted[i, j, j, l, i, l] = 1
    return wanted.reshape(-1, cut.wanted)


# --- the correction path -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [0, 2, None])
def test_corrected_weights_are_the_least_squares_weights(code, extra):
    """With more answers than needed both take the shortest weights; ridge but for (noise / sigma)^2."""
    noise = 1e-8  # far above the tables' own rounding, which ridge would use as if it were knowledge
    sets = sets_of(code, code.workers if extra is None else code.recovery_threshold + extra)
    corrected, ridge = code._system.solve(sets, noise), plain(code).solve(sets, noise)
    for tasks, mine, other in zip(sets, corrected.weights, ridge.weights, strict=True):
        values = np.linalg.svd(columns(code, tasks), compute_uv=False)[: code.recovery_threshold]
        rounding = len(tasks) * np.finfo(float).eps * values[0] / values[-1]
        assert np.linalg.norm(mine - other) <= (rounding + (noise / values[-1]) ** 2) * np.linalg.norm(other)


@pytest.mark.parametrize("results", [1, 4, 6])
def test_below_the_threshold_both_ways_expect_the_same_error(code, results):
    sets = sets_of(code, min(results, code.recovery_threshold - 1))
    mine, other = code._system.solve(sets, LAMBDA).error(LAMBDA), plain(code).solve(sets, LAMBDA).error(LAMBDA)
    assert mine == pytest.approx(other, rel=1e-9)


def test_the_claimed_residual_and_amplification_are_those_of_the_tables(code):
    for results in (3, code.recovery_threshold - 1, code.recovery_threshold, code.workers):
        sets = sets_of(code, results)
        solution = code._system.solve(sets, LAMBDA)
        for tasks, d, residual, amplification in zip(
            sets, solution.weights, solution.residual, solution.amplification, strict=True
        ):
            scale = np.sqrt(code.partition.products)
            left_over = np.linalg.norm(columns(code, tasks) @ d - target(code)) / scale
            rounding = 4 * np.finfo(float).eps * len(tasks) * np.linalg.norm(d)
            assert abs(residual - left_over) <= rounding + 1e-9 * left_over
            assert amplification == pytest.approx(np.linalg.norm(d) / scale)


def test_no_weights_do_better_than_the_claimed_ones(code):
    """Ridge weights minimize the expected error: a step in any direction makes it worse."""
    rng = np.random.default_rng(3)
    for results in (code.recovery_threshold - 2, code.recovery_threshold):
        tasks = sets_of(code, results)[0]
        matrix, wanted = columns(code, tasks), target(code)

        def squared(d, matrix=matrix, wanted=wanted):
            return np.linalg.norm(matrix @ d - wanted) ** 2 + 1e-6 * np.linalg.norm(d) ** 2

        best = code._system.solve(tasks, 1e-3).weights[0]
        for _ in range(20):
            step = (
                rng.standard_normal(best.shape) * np.linalg.norm(best) / np.sqrt(best.size) * 10.0 ** rng.uniform(-4, 0)
            )
            assert squared(best) < squared(best + step)


def test_with_every_answer_in_matdot_is_a_plain_average():
    matrix, _ = anyk.codes.matdot(7, 20).solve(range(20))
    assert matrix == pytest.approx(np.full((1, 20), 1 / 20), abs=1e-16)


@pytest.mark.parametrize("inner", [2, 3, 4, 7])
def test_every_second_position_decodes_matdot_from_half_of_its_answers(inner):
    code = anyk.codes.matdot(inner, 2 * inner)
    lucky = np.flatnonzero(code.positions % 2 == 0)
    assert len(lucky) == inner < code.recovery_threshold

    matrix, solution = code.solve(lucky)
    assert matrix == pytest.approx(np.full((1, inner), 1 / inner), abs=1e-14)
    assert solution.residual[0] <= LAMBDA


@pytest.mark.parametrize(
    "code",
    [anyk.codes.generalized_polydot(4, 4, 1, 32), anyk.codes.matdot(10, 29), anyk.codes.polynomial(8, 8, 70)],
    ids=str,
)
def test_the_worst_sets_are_corrected_to_less_than_rounding_costs(code):
    """Neighbouring angles: amplifications of 1e5 to 1e6, and residuals still below one rounding of the answers."""
    contiguous = np.sort(np.argsort(code.positions)[: code.recovery_threshold])
    solution = code._system._exact.solve(contiguous[None])
    assert solution.amplification[0] > 1e5
    assert solution.residual[0] < LAMBDA * solution.amplification[0]


# --- least squares -----------------------------------------------------------------------------------------------


def exact_least_squares(matrix, goal):
    """Normal equations in rational numbers: slow, and right to the last bit."""
    rows = [[Fraction(float(x)) for x in row] for row in matrix]
    right = [[Fraction(float(x)) for x in row] for row in goal]
    size, wide = len(rows[0]), len(right[0])
    system = [
        [sum(row[i] * row[j] for row in rows) for j in range(size)]
        + [sum(row[i] * b[c] for row, b in zip(rows, right, strict=True)) for c in range(wide)]
        for i in range(size)
    ]
    for at in range(size):
        pivot = next(line for line in range(at, size) if system[line][at])
        system[at], system[pivot] = system[pivot], system[at]
        system[at] = [x / system[at][at] for x in system[at]]
        for line in range(size):
            if line != at and system[line][at]:
                factor = system[line][at]
                system[line] = [x - factor * y for x, y in zip(system[line], system[at], strict=True)]
    return np.array([[float(x) for x in line[size:]] for line in system])


@pytest.mark.parametrize("condition", [1e1, 1e6, 1e10])
def test_householder_reaches_extended_precision(condition):
    """Against rational arithmetic: an error of the extended epsilon times the square of the condition at most."""
    rng = np.random.default_rng(5)
    left, right = (np.linalg.qr(rng.standard_normal((size, 5)))[0] for size in (9, 5))
    matrix = (left * np.geomspace(1, 1 / condition, 5)) @ right.T
    goal = rng.standard_normal((9, 2))
    expected = exact_least_squares(matrix, goal)

    mine = householder(matrix.astype(np.longdouble)[None], goal.astype(np.longdouble)[None])[0]
    bound = 100 * float(np.finfo(np.longdouble).eps) * condition**2 + np.finfo(float).eps
    assert np.linalg.norm((mine - expected).astype(float)) <= bound * np.linalg.norm(expected)


def test_householder_solves_a_batch_of_complex_systems():
    rng = np.random.default_rng(6)
    matrix, goal = (rng.standard_normal((2, 4, 8, n)) for n in (3, 2))
    matrix, goal = matrix[0] + 1j * matrix[1], goal[0] + 1j * goal[1]
    expected = [np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(matrix, goal, strict=True)]

    assert householder(matrix.copy(), goal.copy()) == pytest.approx(np.array(expected), rel=1e-12)
    assert least_squares._lapack(matrix, goal) == pytest.approx(np.array(expected), rel=1e-12)


def test_columns_of_zeros_get_no_weight():
    """Alone in a batch, and beside columns that are not zero: with its ridge row the system stays solvable."""
    rng = np.random.default_rng(7)
    some, none = rng.standard_normal((6, 3)), rng.standard_normal((6, 3))
    none[:, 1] = 0
    goal = rng.standard_normal((6, 1))
    matrix, right = least_squares._stacked(np.array([some, none]), goal, 1e-3)

    solution = householder(matrix, right)
    assert np.isfinite(solution).all()
    assert abs(solution[1, 1, 0]) <= np.finfo(float).eps / 1e-3 * np.linalg.norm(goal)


def test_a_task_with_empty_tables_is_useless_and_harmless():
    code = anyk.codes.uncoded(2, 1, 2)
    idle = replace(
        code, left=np.concatenate([code.left, np.zeros((2, 1, 1))], axis=2), right=np.tile(code.right, 2)[..., :5]
    )

    matrix, solution = idle.solve(range(5))
    assert np.isfinite(matrix).all()
    assert abs(matrix[:, 4]).max() <= np.finfo(float).eps
    assert solution.residual[0] <= LAMBDA


def test_complex_tables_have_complex_weights_that_decode():
    code = anyk.codes.matdot(4, 9, basis="unit_circle")
    for tasks in sets_of(code, 7):
        matrix, solution = code.solve(tasks)
        d = (matrix * np.linalg.norm(code.left, axis=(0, 1))[tasks] * np.linalg.norm(code.right, axis=(0, 1))[tasks]).T
        assert np.linalg.norm(columns(code, tasks) @ d - target(code)) <= 100 * LAMBDA * np.linalg.norm(d)
        assert solution.residual[0] <= LAMBDA * solution.amplification[0]


def test_large_systems_in_float64_agree_with_extended_ones(monkeypatch, code):
    sets = sets_of(code, code.recovery_threshold, 5)
    extended = plain(code).solve(sets, 1e-6)
    monkeypatch.setattr(least_squares, "_EXTENDED_WORK", 0)
    double = plain(code).solve(sets, 1e-6)
    assert double.error(1e-6) == pytest.approx(extended.error(1e-6), rel=1e-8)


def test_errors_do_not_depend_on_how_a_batch_is_cut(monkeypatch, code):
    sets = sets_of(code, code.recovery_threshold - 1)
    whole = code._system.errors(sets, 1e-6)
    monkeypatch.setattr(system, "_BATCH_NUMBERS", 1)
    assert code._system.errors(sets, 1e-6) == pytest.approx(whole, rel=1e-9)


def test_a_frame_says_in_k_equations_what_all_rows_of_m_say(monkeypatch, code):
    threshold = code.recovery_threshold
    everyone = columns(code, range(code.workers))
    generator = code._system._exact._frame.generator
    told = code._system._exact.told
    assert told.shape == (threshold, threshold)
    np.testing.assert_allclose(told.T @ told, (everyone @ generator).T @ (everyone @ generator), atol=1e-13)

    monkeypatch.setattr(least_squares, "_EXTENDED_WORK", 0)
    for results in (threshold - 1, threshold + 1):
        sets = sets_of(code, results)
        fewer, rows = replace(code)._system._ridge.solve(sets, 1e-6), plain(code)._ridge.solve(sets, 1e-6)
        assert fewer.error(1e-6) == pytest.approx(rows.error(1e-6), rel=1e-8)


def test_the_equations_of_a_frame_are_made_from_few_tasks_at_once(monkeypatch):
    whole = anyk.codes.matdot(4, 30)._system._exact.told
    monkeypatch.setattr(framed, "_HELD_NUMBERS", 70)
    np.testing.assert_allclose(anyk.codes.matdot(4, 30)._system._exact.told, whole, atol=1e-13)


def test_a_code_of_many_blocks_is_made_without_all_rows_of_m():
    inner, workers = 200, 450
    tracemalloc.start()
    code = anyk.codes.matdot(inner, workers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < inner**2 * workers * 8 / 2
    assert code.expected_error(range(workers)) < 1e-13


# --- lambda and sets ---------------------------------------------------------------------------------------------


def test_lambda_is_one_and_a_half_epsilons():
    assert product_error("float32") == product_error(np.complex64) == 1.5 * np.finfo("float32").eps
    assert product_error("int64") == product_error(bool) == product_error("complex128") == 1.5 * np.finfo(float).eps
    assert product_error("bfloat16") == 1.5 * 2**-7


@pytest.mark.parametrize("dtype", ["float77", object()])
def test_a_dtype_that_is_none_is_refused(dtype):
    with pytest.raises(InputError, match="is not a floating dtype"):
        product_error(dtype)


def test_few_sets_are_listed_and_many_are_drawn():
    assert survivor_sets(5, 3, None, None).shape == (10, 3)
    assert survivor_sets(5, 3, 10, None).shape == (10, 3)
    assert survivor_sets(5, 3, 4, None).shape == (5, 3)
    assert survivor_sets(40, 20, None, None).shape == (2001, 20)
    assert survivor_sets(4, 0, None, None).shape == (1, 0)


def test_drawn_sets_are_sorted_distinct_and_end_with_the_contiguous_one():
    drawn = survivor_sets(30, 12, 50, np.random.default_rng(0))
    assert (np.diff(drawn, axis=1) > 0).all()
    assert drawn[-1].tolist() == list(range(12))
    assert drawn.max() < 30


@pytest.mark.parametrize("results", [-1, 6])
def test_more_results_than_tasks_are_refused(results):
    with pytest.raises(InputError, match="must lie between 0 and the 5 tasks"):
        survivor_sets(5, results, None, None)
