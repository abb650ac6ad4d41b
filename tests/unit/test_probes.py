"""The law of the measured error: within a factor 2 in 95 % of cases, whatever the error looks like."""

import numpy as np
import pytest
from scipy import stats

import anyk
from anyk.probes import COLUMNS, Probe, Sketch
from anyk.verbs.decode import decode

TRIALS = 400
#: An estimate from r Gaussian numbers, squared, is chi-squared: how often it is off by more than a factor 2.
CHANCE = stats.chi2.cdf(COLUMNS / 4, COLUMNS) + stats.chi2.sf(COLUMNS * 4, COLUMNS)


def normal(rng, *shape):
    return rng.standard_normal(shape)


def unit(size, at):
    return np.eye(size)[at]


# what the error looks like: a matrix (40, 50)
ERRORS = {
    "everywhere": lambda rng: normal(rng, 40, 50),
    "of rank one": lambda rng: np.outer(normal(rng, 40), normal(rng, 50)),
    "of rank two": lambda rng: normal(rng, 40, 2) @ normal(rng, 2, 50),
    "in one row": lambda rng: np.outer(unit(40, 3), normal(rng, 50)),
    "in one column": lambda rng: np.outer(normal(rng, 40), unit(50, 7)),
    "in one entry": lambda rng: np.outer(unit(40, 3), unit(50, 7)),
    "in one block": lambda rng: np.pad(normal(rng, 20, 25), ((20, 0), (0, 25))),
    "in one block, of rank one": lambda rng: np.pad(np.outer(normal(rng, 20), normal(rng, 25)), ((20, 0), (0, 25))),
    "one and the same": lambda rng: np.ones((40, 50)),
    "over many scales": lambda rng: np.outer(np.geomspace(1, 1e-6, 40), normal(rng, 50)) * normal(rng, 40, 1),
}
# what is multiplied: A (40, depth) and B (depth, 50)
FACTORS = {
    "any": lambda rng: (normal(rng, 40, 30), normal(rng, 30, 50)),
    "a product of rank one": lambda rng: (normal(rng, 40, 1), normal(rng, 1, 50)),
    "positive": lambda rng: (1 + abs(normal(rng, 40, 30)), 1 + abs(normal(rng, 30, 50))),
    "badly scaled": lambda rng: (normal(rng, 40, 30) * np.geomspace(1, 1e8, 40)[:, None], normal(rng, 30, 50)),
}


def measured_by_probe(A, B, C, rng):
    return Probe.draw(A, B, rng).error(C)


def measured_by_sketch(A, B, C, rng):
    return Sketch.draw(A, rng).of(B).error(C)


def off_by_more_than_two(ratios):
    ratios = np.asarray(ratios)
    return int(np.sum((ratios < 0.5) | (ratios > 2)))


@pytest.mark.parametrize("measured", [measured_by_probe, measured_by_sketch])
@pytest.mark.parametrize(
    ("error", "factors"),
    [(error, "any") for error in ERRORS]
    + [(error, factors) for factors in FACTORS if factors != "any" for error in ("everywhere", "of rank one")],
)
def test_the_measured_error_is_within_a_factor_two(error, factors, measured):
    rng = np.random.default_rng([*error.encode()])
    ratios = []
    for _ in range(TRIALS):
        A, B = FACTORS[factors](rng)
        E = ERRORS[error](rng)
        E *= 1e-5 * np.linalg.norm(A @ B) / np.linalg.norm(E)
        ratios.append(measured(A, B, A @ B + E, rng) / 1e-5)

    # Rank one is the worst there can be. A correct estimate exceeds the bound once in a million.
    assert off_by_more_than_two(ratios) <= stats.binom.ppf(1 - 1e-6, TRIALS, CHANCE)


def test_the_law_is_chi_squared_for_errors_of_rank_one():
    """So 4.1 % are off by more than a factor 2, nearly all of them estimates that are too small."""
    rng = np.random.default_rng(0)
    A, B = FACTORS["any"](rng)
    estimates = []
    for _ in range(4 * TRIALS):
        E = ERRORS["of rank one"](rng)
        E *= 1e-5 * np.linalg.norm(A @ B) / np.linalg.norm(E)
        estimates.append(measured_by_probe(A, B, A @ B + E, rng) / 1e-5)

    assert stats.kstest(COLUMNS * np.square(estimates), stats.chi2(COLUMNS).cdf).pvalue > 1e-6
    assert pytest.approx(0.041, abs=0.0005) == CHANCE


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize(
    "code",
    [
        anyk.codes.matdot(4, 8),
        anyk.codes.matdot(4, 12),
        anyk.codes.polynomial(3, 3, 12),
        anyk.codes.generalized_polydot(2, 2, 2, 12),
        anyk.codes.uncoded(2, 1, 2),
    ],
    ids=str,
)
def test_errors_of_rounding_alone_are_measured_together_with_the_probes_own(code, dtype):
    """Within a factor 2 of both together: never too small, and too large for products as exact as plain ones."""
    rng, ratios, too_small = np.random.default_rng(1), [], []
    wide = np.result_type(dtype, np.longdouble)
    for _ in range(100):
        A, B = (normal(rng, 36, 36).astype(dtype) for _ in range(2))
        tasks = rng.permutation(code.workers)[: code.recovery_threshold]
        left, right = code.encode(A, B)
        C = decode(code, {int(task): left[task] @ right[task] for task in tasks}, shape=(36, 36), partial=True).value
        probe = Probe.draw(A, B, rng)
        exact, signs = A.astype(wide) @ B.astype(wide), probe.signs.astype(wide)
        own = probe.expected - signs @ exact.T, probe.signs @ C.T - signs @ C.T.astype(wide)
        probes = np.linalg.norm(own[0] - own[1]) / np.sqrt(COLUMNS) / np.linalg.norm(exact)
        true, measured = np.linalg.norm(C - exact) / np.linalg.norm(exact), probe.error(C)
        ratios.append(measured / np.hypot(true, probes))
        too_small.append(min(1, measured / true))

    bound = stats.binom.ppf(1 - 1e-6, len(ratios), CHANCE)
    assert off_by_more_than_two(ratios) <= bound
    assert off_by_more_than_two(too_small) <= bound


def test_approximate_products_are_measured():
    """From too few answers: errors of tens of percent, of the shape the code gives them."""
    code, rng, ratios = anyk.codes.generalized_polydot(2, 2, 2, 12), np.random.default_rng(2), []
    for _ in range(TRIALS):
        A, B = normal(rng, 24, 24), normal(rng, 24, 24)
        tasks = rng.permutation(12)[:6]
        left, right = code.encode(A, B)
        C = decode(code, {int(task): left[task] @ right[task] for task in tasks}, partial=True).value
        ratios.append(measured_by_probe(A, B, C, rng) / (np.linalg.norm(C - A @ B) / np.linalg.norm(A @ B)))

    assert off_by_more_than_two(ratios) <= stats.binom.ppf(1 - 1e-6, TRIALS, CHANCE)
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("width", range(1, COLUMNS + 1))
def test_a_narrow_product_is_measured_in_full(width):
    rng = np.random.default_rng(3)
    A, B, E = normal(rng, 20, 10), normal(rng, 10, width), 1e-3 * normal(rng, 20, width)
    true = np.linalg.norm(E) / np.linalg.norm(A @ B)

    assert measured_by_probe(A, B, A @ B + E, rng) == pytest.approx(true, rel=1e-12 + 2 * true)


@pytest.mark.parametrize(
    ("dtype", "scale"), [("float32", 1e15), ("float32", 1e-15), ("float64", 1e150), ("float64", 1e-150)]
)
def test_squares_that_overflow_or_vanish_do_not_spoil_the_measure(dtype, scale):
    rng = np.random.default_rng(4)
    A, B = (normal(rng, 30, 30).astype(dtype) * np.asarray(scale, dtype) for _ in range(2))
    for measured in (measured_by_probe, measured_by_sketch):
        assert 0 < measured(A, B, A @ B, rng) < 10 * np.finfo(dtype).eps
        assert 0.5 < measured(A, B, np.zeros_like(A @ B), rng) < 2
        assert 0.25e-2 < measured(A, B, A @ B * np.asarray(1.005, dtype), rng) < 1e-2


def test_a_product_that_should_vanish_and_does_has_no_error():
    rng = np.random.default_rng(5)
    A, B = np.zeros((9, 9)), normal(rng, 9, 9)
    assert measured_by_probe(A, B, np.zeros((9, 9)), rng) == measured_by_sketch(A, B, np.zeros((9, 9)), rng) == 0.0
    assert measured_by_probe(A, B, np.eye(9), rng) >= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_measured_as_not_finite(bad):
    rng = np.random.default_rng(6)
    A, B = normal(rng, 9, 9), normal(rng, 9, 9)
    C = A @ B
    C[4, 4] = bad
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(measured_by_probe(A, B, C, rng))
        assert not np.isfinite(measured_by_sketch(A, B, C, rng))


def test_a_seed_decides_the_signs():
    rng = np.random.default_rng(7)
    A, B = normal(rng, 9, 9), normal(rng, 9, 9)
    first, second = (Probe.draw(A, B, np.random.default_rng(8)) for _ in range(2))
    assert np.array_equal(first.signs, second.signs)
    assert set(np.unique(first.signs)) == {-1.0, 1.0}
    assert first.expected == pytest.approx((A @ B @ first.signs.T).T, rel=1e-12)
