"""Exact integers: digits put together again, and a check that nothing wrong passes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk.errors import InputError, PrecisionError
from anyk.verbs import integers
from anyk.verbs.integers import digits, exactly, roundable

whole = st.integers(-(2**63), 2**63 - 1)


def exact(a, b):
    """The product by whole numbers of any size."""
    return a.astype(object) @ b.astype(object)


def multiply(a, b):
    return a @ b


def fits(product):
    return all(-(2**63) <= entry < 2**63 for entry in product.ravel())


@given(
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 4),
    st.tuples(st.integers(0, 63), st.integers(0, 63)),
    st.integers(0, 999),
)
def test_products_that_fit_64_bits_are_exact_and_others_are_refused(height, depth, width, bits, seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(-(2 ** bits[0]), 2 ** bits[0], (height, depth), endpoint=False)
    b = rng.integers(-(2 ** bits[1]), 2 ** bits[1], (depth, width), endpoint=False)
    expected = exact(a, b)
    if fits(expected):
        assert np.array_equal(exactly(a, b, rng, multiply).astype(object), expected)
    else:
        with pytest.raises(PrecisionError):
            exactly(a, b, rng, multiply)


@given(st.lists(whole, min_size=1, max_size=8))
def test_digits_make_up_the_number(entries):
    a = np.array(entries, dtype=np.int64)[:, None]
    written = digits(a, np.ones((1, 1), np.int64))
    parts = np.vectorize(int, otypes=[object])(written.left.reshape(-1, len(a)))
    total = sum(part * 2 ** (at * written.base_bits) for at, part in enumerate(parts))
    assert list(total) == entries


@pytest.mark.parametrize("depth", [1, 100, 2**16, 2**18])
def test_products_of_digits_stay_below_two_to_the_36(depth):
    a = np.full((1, depth), 2**62)
    written = digits(a, a.T)
    largest = abs(written.left).max() * abs(written.right).max() * depth
    assert largest <= 2**36


def test_small_integers_have_one_digit_and_cost_nothing_extra():
    a = np.random.default_rng(0).integers(-128, 128, (30, 1000))
    written = digits(a, a.T)
    assert written.left.shape == a.shape
    assert written.right.shape == a.T.shape


@pytest.mark.parametrize("error", [1e-14, 1e-13, 3e-13])
def test_relative_errors_of_decoding_are_rounded_away(error):
    rng = np.random.default_rng(1)
    a, b = rng.integers(-(2**30), 2**30, (6, 40)), rng.integers(-(2**28), 2**28, (40, 6))

    def noisy(x, y):
        product = x @ y
        return product + error * np.linalg.norm(product) / 6 * rng.uniform(-1, 1, product.shape)

    assert np.array_equal(exactly(a, b, rng, noisy).astype(object), exact(a, b))


@pytest.mark.parametrize("bits", [1, 10, 16])
def test_errors_up_to_the_roundable_one_are_rounded_away(bits):
    rng = np.random.default_rng(bits)
    a, b = rng.integers(-(2**bits), 2**bits, (40, 16)), rng.integers(-(2**bits), 2**bits, (16, 40))
    allowed = 2 * roundable(a, b)  # the measured error may be half the true one

    def noisy(x, y):
        product = x @ y
        noise = rng.standard_normal(product.shape)
        return product + allowed * np.linalg.norm(product) / np.linalg.norm(noise) * noise

    assert np.array_equal(exactly(a, b, rng, noisy), a @ b)


@given(st.integers(0, 24), st.sampled_from([1, -1, 2**40]))
def test_one_wrong_entry_never_passes(place, by):
    a, b = np.arange(25).reshape(5, 5), np.arange(25).reshape(5, 5)

    def wrong(x, y):
        product = x @ y
        product.flat[place] += by
        return product

    with pytest.raises(PrecisionError, match="not exact"):
        exactly(a, b, np.random.default_rng(place), wrong)


def test_the_check_adds_up_without_rounding(monkeypatch):
    """Residues below 2^20 over chunks of 2^13 terms: every partial sum is an integer below 2^53."""
    assert (integers._PRIME - 1) ** 2 * integers._CHUNK + integers._PRIME < 2**53
    assert all(integers._PRIME % divisor for divisor in range(2, 1025))
    rng = np.random.default_rng(2)
    matrix, vectors = rng.integers(-(2**62), 2**62, (3, 50)), rng.integers(0, 2**20, (50, 2)).astype(float)
    whole = integers._modular(matrix, vectors)
    monkeypatch.setattr(integers, "_CHUNK", 7)
    assert np.array_equal(integers._modular(matrix, vectors), whole)
    assert np.array_equal(whole, (exact(matrix, vectors.astype(int)) % integers._PRIME).astype(float))


def test_unsigned_integers_are_taken_as_far_as_they_are_signed():
    a = np.array([[2**63 - 1]], dtype=np.uint64)
    assert exactly(a, np.array([[True]]), np.random.default_rng(0), multiply).tolist() == [[2**63 - 1]]
    with pytest.raises(InputError, match=f"A holds {2**63}"):
        digits(a + np.uint64(1), a)
