"""What families promise beyond the contract of codes: thresholds, conditioning, and refusals that name the way out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyk
from anyk import codes
from anyk.errors import CodeError, InputError

few = st.integers(1, 4)
spare = st.integers(0, 3)

# family -> its threshold from (rows, inner, cols), and how it is called
THRESHOLDS = {
    "mds": (lambda m, n, p: m, lambda m, n, p, more: codes.mds(m, m + more)),
    "polynomial": (lambda m, n, p: m * p, lambda m, n, p, more: codes.polynomial(m, p, m * p + more)),
    "matdot": (lambda m, n, p: 2 * n - 1, lambda m, n, p, more: codes.matdot(n, 2 * n - 1 + more)),
    "polydot": (
        lambda m, n, p: m * p * (2 * n - 1),
        lambda m, n, p, more: codes.polydot(m, n, p, m * p * (2 * n - 1) + more),
    ),
    "generalized_polydot": (
        lambda m, n, p: m * n * p + n - 1,
        lambda m, n, p, more: codes.generalized_polydot(m, n, p, m * n * p + n - 1 + more),
    ),
    "random_khatri_rao": (
        lambda m, n, p: m * p,
        lambda m, n, p, more: codes.random_khatri_rao(m, p, m * p + more, rng=0),
    ),
    "uncoded": (lambda m, n, p: m * n * p, lambda m, n, p, more: codes.uncoded(m, n, p)),
    "replication": (
        lambda m, n, p: 2 * m * n * p - 1,
        lambda m, n, p, more: codes.replication(m, n, p, copies=2),
    ),
}


@pytest.mark.parametrize("family", THRESHOLDS)
@given(few, few, few, spare)
def test_the_threshold_is_the_papers(family, m, n, p, more):
    threshold, make = THRESHOLDS[family]
    code = make(m, n, p, more)
    assert code.recovery_threshold == code.exact_threshold == threshold(m, n, p)
    assert code.is_exact
    assert not code.is_complex


@given(few, few, few)
def test_the_two_polydots_differ_only_where_both_dimensions_are_cut(m, n, p):
    generalized, plain = m * n * p + n - 1, m * p * (2 * n - 1)
    assert generalized <= plain
    assert (generalized == plain) == (n == 1 or m * p == 1)


@pytest.mark.parametrize("workers", [9, 12])
def test_polynomial_and_matdot_are_special_cases_of_one_formula(workers):
    for special, general in (
        (codes.polynomial(3, 3, workers), codes.generalized_polydot(3, 1, 3, workers)),
        (codes.matdot(5, workers), codes.generalized_polydot(1, 5, 1, workers)),
        (codes.mds(4, workers), codes.generalized_polydot(4, 1, 1, workers)),
    ):
        assert np.array_equal(special.left, general.left)
        assert np.array_equal(special.right, general.right)


def test_matdot_is_its_own_dual():
    code = codes.matdot(6, 13)
    assert np.array_equal(code.left[0], code.right[:, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: codes.matdot(3, 4), r"`matdot\(inner=3, workers=4\)` cannot be decoded: 5 results .* Use 5 or more"),
        (lambda: codes.polynomial(3, 3, 8), "9 results are needed and 8 workers exist"),
        (lambda: codes.mds(4, 3), "4 results are needed and 3 workers exist"),
        (lambda: codes.polydot(2, 2, 2, 11), "12 results are needed and 11 workers exist"),
        (lambda: codes.generalized_polydot(2, 2, 2, 8), "9 results are needed and 8 workers exist"),
        (lambda: codes.random_khatri_rao(2, 2, 3, rng=0), "4 results are needed and 3 workers exist"),
        (lambda: codes.matdot(3, 8.0), "`workers` to be an integer, not 8.0"),
        (lambda: codes.matdot(3, np.int64(8)), "`workers` to be an integer, not np.int64"),
        (lambda: codes.matdot(1, True), "`workers` to be an integer, not True"),
        (lambda: codes.random_khatri_rao(1, 1, "9", rng=0), "`workers` to be an integer, not '9'"),
        (lambda: codes.matdot(0, 5), "`inner` to be an integer of at least 1, not 0"),
        (lambda: codes.uncoded(1, 1.5, 1), "`inner` to be an integer"),
        (lambda: codes.replication(1, 1, 1, copies=0), "`copies` to be an integer of at least 1, not 0"),
        (lambda: codes.matdot(3, 8, basis="legendre"), "basis='legendre' is unknown. Use one of trigonometric"),
        (lambda: codes.generalized_polydot(2, 2, 2, 9, basis="chebyshev"), "or `polydot`, whose digits are further"),
        (lambda: codes.matdot(40, 100, basis="monomial"), r"0.001 in float64.*Use basis='trigonometric'"),
        (lambda: codes.polynomial(12, 12, 216, dtype="float32"), r"0.001 in float32.*Use `random_khatri_rao`"),
        (lambda: codes.matdot(40, 200, dtype="float32"), "Use fewer workers or a finer partition"),
        (lambda: codes.random_khatri_rao(8, 8, 64, rng=0, dtype="bfloat16"), "Use `polynomial`, or fewer blocks"),
    ],
)
def test_codes_that_cannot_be_are_refused_with_the_way_out(make, message):
    with pytest.raises(CodeError, match=message):
        make()


@pytest.mark.parametrize("rng", [None, "seed", 1.5, -1])
def test_random_tables_need_a_generator_or_a_seed(rng):
    with pytest.raises(InputError, match="a numpy Generator or a seed of at least 0"):
        codes.random_khatri_rao(2, 2, 6, rng=rng)


def test_a_seed_decides_random_tables():
    first, again, other = (codes.random_khatri_rao(2, 3, 9, rng=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.left, again.left)
    assert not np.array_equal(first.left, other.left)
    assert np.array_equal(codes.random_khatri_rao(2, 3, 9, rng=np.random.default_rng(0)).left, first.left)


def test_an_unknown_dtype_is_refused():
    with pytest.raises(InputError, match="'float77' is not a floating dtype"):
        codes.matdot(3, 8, dtype="float77")


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_replication_needs_one_copy_of_each_product(copies):
    code = codes.replication(2, 1, 2, copies=copies)
    first = range(4)
    assert code.expected_error(first) < 1e-15
    lost = [task for task in range(code.workers) if task % 4 != 2]
    assert code.expected_error(lost) == pytest.approx(0.5)


def test_more_copies_average_their_rounding():
    one, three = (codes.replication(2, 1, 2, copies=copies) for copies in (1, 3))
    assert three.noise_amplification(range(12)) == pytest.approx(one.noise_amplification(range(4)) / 3**0.5)


def test_noise_amplification_is_one_where_the_papers_say_so():
    """MatDot from one answer fewer than P = 2 m: C.4 of the real circle, amplification exactly 1."""
    for inner in (5, 10, 20):
        code = codes.matdot(inner, 2 * inner)
        for missing in range(2 * inner):
            survivors = np.delete(np.arange(2 * inner), missing)
            assert code.noise_amplification(survivors) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    ("inner", "workers", "amplification"), [(5, 11, 1.8), (5, 14, 14), (10, 21, 1.9), (10, 24, 37), (20, 41, 4)]
)
def test_noise_amplification_grows_with_the_missing_as_on_roots_of_unity(inner, workers, amplification):
    """Root mean square over random sets of threshold size; the known values were sampled, hence the factor 2."""
    code = codes.matdot(inner, workers)
    errors = code.errors(2 * inner - 1, sets=300) / anyk.weights.product_error("float64")
    assert amplification / 2 <= np.sqrt(np.mean(errors**2)) <= 2 * amplification


def test_a_family_is_listed_with_its_parameters():
    assert list(codes.CATALOGUE["matdot"].parameters) == ["inner", "workers", "basis", "dtype"]
    for name, family in codes.CATALOGUE.items():
        assert getattr(codes, name) is family.function
