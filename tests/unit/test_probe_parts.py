"""What measuring is made of: products to more digits, and choosing rows by what is seen in them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk.arrays import of_pairs, pairs
from anyk.probes.choice import choose, drawn_places
from anyk.probes.columns import draw_columns
from anyk.probes.exact import cut, cut_anew, product, residue, signed_sums

EPSILON = 2.0**-52


def normal(rng, *shape):
    return rng.standard_normal(shape)


def decades(rng, *shape):
    return normal(rng, *shape) * 10 ** rng.uniform(-6, 6, (shape[0], 1)) * 10 ** rng.uniform(-6, 6, (1, shape[1]))


def exactly(A, B):
    """The product as fractions, and the size of what is added up."""
    rows = [[Fraction(x) for x in row] for row in A.tolist()]
    columns = [[Fraction(x) for x in column] for column in B.T.tolist()]
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in rows]


def wrong(parts, exact, unit):
    """Errors of a sum of two arrays, relative to a unit; shape of the unit."""
    both = zip(parts[0].flat, parts[1].flat, (x for row in exact for x in row), np.ravel(unit), strict=True)
    return np.array([abs(float(Fraction(a) + Fraction(b) - x) / u) for a, b, x, u in both])


@pytest.mark.parametrize("entries", [normal, decades, lambda rng, *shape: rng.random(shape)])
@pytest.mark.parametrize("depth", [1, 30, 300])
def test_products_of_cut_numbers_have_many_more_digits(entries, depth):
    rng = np.random.default_rng(0)
    A, B = entries(rng, 5, depth), entries(rng, depth, 4)
    largest = (abs(A)[:, :, None] * abs(B)).max(axis=1)

    # Each of the rests' terms is 2^-7 of the largest at most, and so is what BLAS rounds in adding them up.
    assert wrong(product(cut(A), cut(B)), exactly(A, B), largest).max() < 2.0**-7 * depth * EPSILON


@given(seed=st.integers(0, 999), size=st.integers(1, 40))
def test_cutting_loses_nothing(seed, size):
    values = decades(np.random.default_rng(seed), size, size)
    leading, rest = cut(values)
    again = cut_anew((leading, rest))

    assert np.array_equal(leading + rest, values)
    assert (abs(rest) <= 2.0**-7 * abs(values)).all()
    assert np.array_equal(again[0], leading)
    assert np.array_equal(again[1], rest)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda X: X[::-1]])
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (0, 4)])
def test_signed_sums_have_many_more_digits(shape, layout, monkeypatch):
    monkeypatch.setattr("anyk.probes.exact._PANEL", 50)
    rng = np.random.default_rng(1)
    matrix, signs = layout(normal(rng, *shape)), rng.choice((-1.0, 1.0), (6, shape[0]))

    assert (
        wrong(signed_sums(signs, matrix), exactly(signs, matrix), np.ones((6, shape[1]))).max(initial=0)
        < 2.0**-7 * shape[0] * EPSILON + 1e-30
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_the_residue_is_what_is_wrong(dtype):
    rng = np.random.default_rng(2)
    A, B = normal(rng, 6, 100).astype(dtype), normal(rng, 100, 5).astype(dtype)
    if np.dtype(dtype).kind == "c":
        A, B = A + 1j * normal(rng, 6, 100).astype(dtype).real, B + 1j * normal(rng, 100, 5).astype(dtype).real
    nearly = A @ B
    found, true = residue(A, B, nearly)
    wider = np.result_type(dtype, np.longdouble)

    exact = A.astype(wider) @ B.astype(wider)
    tolerance = 0.1 * np.finfo(dtype).eps * np.sqrt(100)
    assert abs(found - (nearly - exact)).max() < tolerance
    assert true == pytest.approx(exact.astype(true.dtype))
    assert np.isrealobj(found) == np.isrealobj(A)


@given(seed=st.integers(0, 99), dtype=st.sampled_from(["complex64", "complex128"]))
def test_pairs_of_reals_multiply_like_complex_numbers(seed, dtype):
    rng = np.random.default_rng(seed)
    a, x = ((normal(rng, *shape) + 1j * normal(rng, *shape)).astype(dtype) for shape in ((4, 3), (3, 2)))

    assert (pairs(a) @ of_pairs(x)).view(dtype) == pytest.approx(a @ x, rel=1e-4)
    assert np.shares_memory(pairs(a), a)
    assert (pairs(np.asfortranarray(a)) == pairs(a)).all()


# --- choosing --------------------------------------------------------------------------------------------------------


def test_all_rows_are_chosen_where_there_are_few():
    choice = choose(np.empty(5), np.ones((5, 1)), np.ones((5, 1)))
    assert choice.which == slice(None)
    assert np.array_equal(choice.shares, np.ones(5))


@pytest.mark.parametrize("profile", ["flat", "steep", "one row", "nothing"])
def test_sums_over_chosen_rows_are_right_in_the_mean(profile):
    rng, length = np.random.default_rng(3), 100
    seen = {
        "flat": np.ones((length, 2)),
        "steep": np.geomspace(1, 1e-200, length)[:, None],
        "one row": np.eye(length)[:, 7:8],
        "nothing": np.zeros((length, 1)),
    }[profile]
    terms, sums = rng.random(length), []
    for _ in range(2000):
        choice = choose(drawn_places(12, rng), seen, rng.random((length, 1)))
        assert len(np.unique(choice.which)) == len(choice.which) <= 12
        sums.append((terms[choice.which] / choice.shares).sum())

    assert np.mean(sums) == pytest.approx(terms.sum(), abs=5 * np.std(sums) / len(sums) ** 0.5)


def test_the_one_row_in_which_something_is_seen_is_chosen_always():
    rng = np.random.default_rng(4)
    for row in range(50):
        assert row in choose(drawn_places(12, rng), np.eye(50)[:, [row]], np.zeros((50, 1))).which


def test_places_are_spread():
    places = drawn_places(10, np.random.default_rng(5))
    assert np.array_equal(np.floor(places * 10), np.arange(10))


@given(width=st.integers(1, 40), columns=st.integers(1, 8))
def test_no_entry_hides_behind_a_random_column(width, columns):
    drawn = draw_columns(width, columns, np.random.default_rng(6))
    assert drawn.shape == (width, min(width, columns))
    assert (abs(drawn).max(axis=1) >= 0.5).all()
    assert abs(drawn).max() <= 1.5
