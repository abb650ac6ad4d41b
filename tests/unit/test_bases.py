"""Points, bases and the thresholds of the one formula, asked of the tables."""

from itertools import combinations
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk import bases
from anyk.errors import CodeError

EPSILON = np.finfo(float).eps
PI = 4 * np.arctan(np.longdouble(1))

# rows, inner, cols
GRIDS = [
    *[(1, 1, 1), (2, 1, 1), (5, 1, 1), (1, 1, 2), (2, 1, 2), (3, 1, 2), (3, 1, 3)],
    *[(1, 2, 1), (1, 3, 1), (1, 4, 1), (1, 5, 1)],
    *[(2, 2, 1), (1, 2, 2), (2, 2, 2), (3, 2, 1), (1, 3, 2), (2, 3, 1), (2, 3, 2), (3, 2, 2), (2, 2, 3), (4, 2, 1)],
]


# --- evaluation points -------------------------------------------------------------------------------------------


@given(st.integers(1, 500))
def test_scattered_positions_are_all_there(count):
    assert sorted(bases.scattered(count).tolist()) == list(range(count))


@pytest.mark.parametrize("count", [8, 24, 72, 151, 500])
def test_neighbouring_ranks_are_far_apart_on_the_circle(count):
    step = int(bases.scattered(count)[1])
    assert gcd(step, count) == 1
    assert 0.25 * count <= min(step, count - step)


@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_cosines_and_sines_are_accurate_at_every_frequency(numerator, denominator):
    reduced = np.array([numerator])
    exact = PI * (numerator % (2 * denominator)) / denominator
    # The rounded angle, below 2 pi, is off by one rounding; so is what is made of it.
    assert abs(bases.cosine(reduced, denominator)[0] - np.cos(exact)) <= 8 * EPSILON
    assert abs(bases.sine(reduced, denominator)[0] - np.sin(exact)) <= 8 * EPSILON


# --- orthonormality ----------------------------------------------------------------------------------------------


@given(size=st.integers(1, 12), unit=st.integers(1, 6), spare=st.integers(0, 9))
def test_the_basis_is_orthonormal_on_the_angles(size, unit, spare):
    """Products of two of its functions have even frequencies below 2 P, which average out."""
    count = (size - 1) * unit + 1 + spare
    table = bases.trigonometric(size, unit, np.arange(count))
    assert table.shape == (size, count)
    assert abs(table @ table.T / count - np.eye(size)).max() <= 8 * count**0.5 * EPSILON + 1e-15


@given(size=st.integers(1, 12), unit=st.integers(1, 6), count=st.integers(1, 40))
def test_the_squares_of_a_basis_add_up_to_its_size_at_every_angle(size, unit, count):
    table = bases.trigonometric(size, unit, bases.scattered(count))
    assert (table**2).sum(axis=0) == pytest.approx(np.full(count, size), abs=20 * size * EPSILON)


def test_the_basis_is_that_of_the_formula():
    angles = np.pi * np.arange(7) / 7
    for size, frequencies in ((4, (1, 3)), (5, (2, 4))):
        rows = [np.ones((size % 2, 7))]
        for f in frequencies:
            rows.append(np.sqrt(2) * np.array([np.cos(3 * f * angles), np.sin(3 * f * angles)]))
        assert bases.trigonometric(size, 3, np.arange(7)) == pytest.approx(np.concatenate(rows), abs=1e-14)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 24, 25, 72, 151])
def test_the_frame_is_orthogonal(count):
    positions = bases.scattered(count)
    for threshold in {1, 2, count // 2, count - 2, count - 1, count} & set(range(1, count + 1)):
        frame = bases.Frame(threshold, positions)
        generator, checks = frame.generator, frame.checks
        assert generator.shape == (count, threshold)
        assert checks.shape == (count, count - threshold)
        whole = np.concatenate([generator, checks], axis=1)
        assert abs(whole.T @ whole - np.eye(count)).max() <= 1e-14
        assert abs(whole @ whole.T - np.eye(count)).max() <= 1e-14


# --- thresholds --------------------------------------------------------------------------------------------------


def residuals(left, right, sets):
    """|M_S d - T| for the best d, with unit columns: 0 where the answers S tell the product."""
    m, n, _ = left.shape
    p = right.shape[1]
    matrix = np.einsum("ijw,klw->ijklw", left, right).reshape(m * n * n * p, -1)
    target = np.einsum("ir,jk,lc->ijklrc", np.eye(m), np.eye(n), np.eye(p)).reshape(m * n * n * p, m * p)
    matrix = matrix / np.linalg.norm(matrix, axis=0)
    for tasks in sets:
        columns = matrix[:, tasks]
        weights, _, _, values = np.linalg.lstsq(columns, target, rcond=None)
        yield np.linalg.norm(columns @ weights - target), values[0] / values[-1]


def decoding_sets(left, right, results, most=300):
    """How many of the sets of this size decode to what rounding allows, and how many were asked."""
    count = left.shape[-1]
    sets = list(combinations(range(count), results))
    chosen = [sets[at] for at in np.random.default_rng(0).permutation(len(sets))[:most]]
    decode = sum(
        residual <= 10 * results * EPSILON * condition for residual, condition in residuals(left, right, chosen)
    )
    return decode, len(chosen)


def check_threshold(threshold, tables):
    """Every set of this size decodes; of those one smaller most do not."""
    decode, asked = decoding_sets(*tables, threshold)
    assert decode == asked
    if threshold > 1:
        decode, asked = decoding_sets(*tables, threshold - 1)
        assert decode < asked / 2


@pytest.mark.parametrize("extra", [1, 3])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_threshold_of_generalized_polydot_is_mnp_plus_n_minus_one(grid, extra):
    m, n, p = grid
    threshold = m * n * p + n - 1
    *tables, positions = bases.digit_tables(m, n, p, threshold + extra, stride=n, basis="trigonometric")
    assert positions is not None
    check_threshold(threshold, tables)


@pytest.mark.parametrize("grid", [grid for grid in GRIDS if grid[0] * grid[2] * (2 * grid[1] - 1) <= 14], ids=str)
def test_the_threshold_of_polydot_is_mp_times_2n_minus_one(grid):
    m, n, p = grid
    threshold = m * p * (2 * n - 1)
    *tables, _ = bases.digit_tables(m, n, p, threshold + 2, stride=2 * n - 1, basis="trigonometric")
    check_threshold(threshold, tables)


@pytest.mark.parametrize("basis", ["chebyshev", "monomial", "unit_circle"])
@pytest.mark.parametrize("grid", [(1, 3, 1), (2, 1, 2), (3, 1, 2), (2, 1, 3), (4, 1, 1), (1, 2, 1)], ids=str)
def test_the_other_bases_have_the_same_thresholds(grid, basis):
    m, n, p = grid
    threshold = m * n * p + n - 1
    *tables, positions = bases.digit_tables(m, n, p, threshold + 2, stride=n, basis=basis)
    assert positions is None
    check_threshold(threshold, tables)


@pytest.mark.parametrize("basis", ["monomial", "unit_circle"])
def test_powers_bridge_polynomial_and_matdot_too(basis):
    *tables, _ = bases.digit_tables(2, 2, 2, 11, stride=2, basis=basis)
    check_threshold(9, tables)


@pytest.mark.parametrize("grid", [(2, 3, 2), (3, 1, 2), (1, 4, 1)], ids=str)
def test_powers_have_the_exponents_of_the_papers(grid):
    """A_ij on x^(j + n i), B_jl on x^(n-1-j + n m l): C_il stands at x^(n-1 + n i + n m l)."""
    m, n, p = grid
    left, right, _ = bases.digit_tables(m, n, p, 20, stride=n, basis="monomial")
    points = np.cos(np.pi * (2 * bases.scattered(20) + 1) / 40)
    for i, j, l in np.ndindex(m, n, p):
        assert left[i, j] == pytest.approx(points ** (j + n * i), abs=1e-14)
        assert right[j, l] == pytest.approx(points ** (n - 1 - j + n * m * l), abs=1e-14)


def test_the_unit_circle_is_that_of_roots_of_unity():
    left, right, _ = bases.digit_tables(2, 2, 2, 11, stride=2, basis="unit_circle")
    roots = np.exp(2j * np.pi * bases.scattered(11) / 11)
    assert left[1, 1] == pytest.approx(roots**3, abs=1e-14)
    assert right[0, 1] == pytest.approx(roots**5, abs=1e-14)


@pytest.mark.parametrize("grid", [(3, 1, 2), (1, 4, 1)], ids=str)
def test_chebyshev_polynomials_are_orthonormal_cosines(grid):
    m, n, p = grid
    left, right, _ = bases.digit_tables(m, n, p, 20, stride=n, basis="chebyshev")
    angles = np.pi * (2 * bases.scattered(20) + 1) / 40

    def polynomial(degree):
        return np.sqrt(2 if degree else 1) * np.cos(degree * angles)

    for i, j, l in np.ndindex(m, n, p):
        assert left[i, j] == pytest.approx(polynomial(i * n) * polynomial(j), abs=1e-13)
        assert right[j, l] == pytest.approx(polynomial(j) * polynomial(l * n * m), abs=1e-13)


def test_chebyshev_polynomials_cannot_overlap():
    with pytest.raises(CodeError, match="neighbours overlap"):
        bases.digit_tables(2, 2, 1, 9, stride=2, basis="chebyshev")
    assert bases.digit_tables(2, 2, 1, 9, stride=3, basis="chebyshev")[0].shape == (2, 2, 9)


def test_an_unknown_basis_is_refused_with_the_known_ones():
    with pytest.raises(CodeError, match="trigonometric, chebyshev, monomial, unit_circle"):
        bases.digit_tables(1, 2, 1, 5, stride=2, basis="wavelet")


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_without_algebra_each_task_is_one_block_product(m, n, p):
    left, right = bases.block_tables(m, n, p)
    product = np.einsum("ijw,klw->ijklw", left, right)
    assert product.sum() == m * n * p
    assert all(product[i, j, j, l].sum() == 1 for i, j, l in np.ndindex(m, n, p))
