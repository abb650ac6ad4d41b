"""A product in bands of rows: the same product, from smaller answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyk
from anyk import codes
from anyk.errors import ClusterError, InputError
from anyk.faults import Crash, Fate
from anyk.job import Verdict, deadline, everyone, first_threshold, until
from anyk.job.messages import Started
from anyk.verbs.bands import bands_of, joined
from anyk.verbs.product import Product
from tests.verbs.toys import FOREVER, fates, relative

CODES = {
    "matdot": codes.matdot(3, 7),
    "polynomial": codes.polynomial(2, 3, 8),
    "generalized_polydot": codes.generalized_polydot(2, 2, 2, 12),
    "complex": codes.matdot(2, 5, basis="unit_circle"),
    "approximate": codes.approximate_matdot(3, 8, results=4),
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# --- which -----------------------------------------------------------------------------------------------------------


def chosen(code, shape, stop=None, count=None, dtype="float64"):
    height, depth, width = shape
    A, B = np.broadcast_to(np.zeros(1, dtype), (height, depth)), np.broadcast_to(np.zeros(1, dtype), (depth, width))
    return bands_of(A, B, code, stop or first_threshold(), count)


@given(
    height=st.integers(1, 60),
    count=st.integers(1, 70),
    rows=st.integers(1, 4),
)
def test_bands_cover_every_row_once_and_fit_the_first(height, count, rows):
    bands = chosen(codes.mds(rows, rows + 1), (height, 5, 5), count=count)

    assert [row for band in bands for row in range(height)[band]] == [*range(height)]
    assert len(bands) <= count
    assert all(band.stop - band.start <= bands[0].stop for band in bands)


def test_answers_of_all_tasks_stay_smaller_than_the_matrices():
    # MatDot: 18 answers as large as C, against A, B and C
    assert len(chosen(codes.matdot(8, 18), (2000, 2000, 2000))) == 6
    assert len(chosen(codes.polynomial(4, 4, 18), (2000, 2000, 2000))) == 1
    assert len(chosen(codes.generalized_polydot(2, 2, 2, 12), (2000, 2000, 2000))) == 1
    assert len(chosen(codes.matdot(8, 18), (2000, 40_000, 2000))) == 1


def test_small_answers_are_never_split():
    assert len(chosen(codes.matdot(8, 18), (600, 600, 600))) == 1
    assert len(chosen(codes.matdot(8, 18), (800, 800, 800))) == 2
    assert len(chosen(codes.matdot(8, 18), (800, 800, 800), dtype="float32")) == 1


def test_bands_are_not_too_thin_for_the_workers():
    bands = chosen(codes.matdot(60, 121), (1300, 1300, 9000))

    assert len(bands) == 10
    assert bands[0].stop == 130


@pytest.mark.parametrize("rule", [deadline(1.0), lambda progress: Verdict(True, "now")])
def test_a_rule_that_may_look_at_the_time_sees_one_band(rule):
    assert len(chosen(codes.matdot(8, 18), (2000, 2000, 2000), rule)) == 1


@pytest.mark.parametrize("rule", [until(1e-3), everyone, first_threshold(2)])
def test_a_rule_that_does_not_sees_several(rule):
    assert len(chosen(codes.matdot(8, 18), (2000, 2000, 2000), rule)) == 6


@pytest.mark.parametrize(("bands", "stop", "words"), [(0, None, "1 band"), (2, deadline(1.0), "Use bands=1")])
def test_bands_out_of_range_are_refused(bands, stop, words):
    with pytest.raises(InputError, match=words):
        anyk.matmul(np.eye(4), np.eye(4), codes.matdot(2, 4), engine="inline", bands=bands, stop=stop)


# --- products --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bands", [2, 3, 7, 41])
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_product_in_bands_is_the_product(code, bands, rng):
    A, B = rng.standard_normal((41, 30)), rng.standard_normal((30, 19))
    product = anyk.matmul(A, B, code, engine="inline", bands=bands, rng=1)
    true = relative(product.value, A @ B)

    assert true < max(1e-12, 10 * code.design_error)
    assert product.error_kind == "measured"
    assert true / 3 < product.error < 3 * true or product.error < 1e-14
    assert sum(isinstance(step.event, Started) for step in product.events) == len(
        chosen(code, (41, 30, 19), count=bands)
    )
    assert "bands of rows" in product.reason


def test_vectors_integers_and_complex_numbers_go_in_bands_too(rng):
    whole, other = rng.integers(-9, 9, (20, 12)), rng.integers(-9, 9, (12, 7))
    A, x = rng.standard_normal((20, 12)) + 1j * rng.standard_normal((20, 12)), rng.standard_normal(12)

    with anyk.engines.open("inline:5") as engine:
        exact = anyk.matmul(whole, other, CODES["complex"], engine=engine, bands=4)
        assert (exact.value == whole @ other).all()
        assert np.allclose(anyk.matmul(A, x, codes.matdot(2, 5), engine=engine, bands=3), A @ x)


def test_each_band_has_its_own_survivors(rng):
    A, B = rng.standard_normal((12, 8)), rng.standard_normal((8, 5))
    # worker 0 is silent in the first band, worker 1 in the second
    faults = fates({0: [FOREVER], 1: [Fate(), FOREVER]})
    with anyk.engines.open("simulated:4", faults=faults) as engine:
        product = anyk.matmul(A, B, codes.matdot(2, 4), engine=engine, bands=2)
        used = [{one.task for one in part if one.outcome == "used"} for part in halves(product.timeline())]

    assert np.allclose(product, A @ B)
    assert 0 not in used[0]
    assert 1 not in used[1]
    assert set(product.survivors) == used[0] | used[1]


def halves(timeline):
    return timeline[:4], timeline[4:]


def test_lost_workers_are_replaced_in_any_band(rng):
    A, B = rng.standard_normal((27, 8)), rng.standard_normal((8, 5))
    faults = fates({0: [Fate(end="crash")], 2: [Fate(), Fate(end="crash")], 3: [Fate(), Fate(), Fate(end="crash")]})
    with anyk.engines.open("simulated:4", faults=faults) as engine:
        product = anyk.matmul(A, B, codes.mds(3, 4), engine=engine, bands=3, stop=everyone)

    assert np.allclose(product, A @ B)
    assert [one.outcome for one in product.timeline()].count("lost") == 3


def test_a_band_without_answers_says_which(rng):
    faults = fates({rank: [Fate(), Fate(end="crash")] for rank in range(4)})
    with (
        anyk.engines.open("simulated:4", faults=faults) as engine,
        pytest.raises(ClusterError, match="rows 6 to 11 of the product: no product"),
    ):
        anyk.matmul(np.eye(12), np.eye(12), codes.matdot(2, 4), engine=engine, bands=2, retries=0)


def test_the_timeout_is_for_all_bands():
    with anyk.engines.open("simulated:4") as engine:
        anyk.matmul(np.eye(12), np.eye(12), codes.matdot(2, 4), engine=engine, bands=4, timeout=4.5)
        with pytest.raises(ClusterError, match="rows 6 to 8"):
            anyk.matmul(np.eye(12), np.eye(12), codes.matdot(2, 4), engine=engine, bands=4, timeout=2.5)


def test_wrong_answers_are_found_in_every_band(rng):
    A, B = rng.standard_normal((24, 16)), rng.standard_normal((16, 11))
    spoil = anyk.faults.GaussianError(ranks=(2,))
    for screen in ("checked", "syndrome"):
        with anyk.engines.open("inline:7", faults=spoil) as engine:
            product = anyk.matmul(A, B, codes.matdot(2, 7), engine=engine, bands=3, wrong=1, screen=screen, rng=0)

        assert product.wrong == (2,)
        assert relative(product.value, A @ B) < 1e-12


def test_centering_and_tolerances_hold_for_the_whole(rng):
    A, B = rng.random((40, 30)) + 5, rng.random((30, 20)) + 5
    product = anyk.matmul(A, B, CODES["approximate"], engine="inline", bands=4, tolerance=1e-3, rng=0)

    assert relative(product.value, A @ B) < 1e-3


def part(error, **settings):
    return Product(np.ones((1, 1)), (0,), (), error, "measured", "why", {"decode": 1.0}, None, **settings)


@pytest.mark.parametrize(
    ("errors", "sizes", "whole"),
    [
        ([1e-3], [0.0], 1e-3),
        ([3e-3, 4e-3], [1.0, 1.0], np.sqrt(12.5) * 1e-3),
        ([1.0, 1e-3], [0.0, 2.0], 1e-3),
        ([3.0, 4.0], [0.0, 0.0], np.sqrt(12.5)),
        ([None, None], [1.0, 1.0], None),
    ],
)
def test_errors_of_bands_add_up_by_their_squares(errors, sizes, whole):
    found = joined([part(error) for error in errors], sizes, np.ones((2, 1))).error

    assert found == (whole if whole is None else pytest.approx(whole))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_band_that_is_not_finite_spoils_the_whole(bad):
    assert not np.isfinite(joined([part(0.0), part(bad)], [1.0, 1.0], np.ones((2, 1))).error)


def test_the_error_of_huge_and_tiny_products_is_measured_in_bands():
    for scale in (1e-150, 1e150):
        A = np.eye(12) * scale
        product = anyk.matmul(A, A, codes.matdot(2, 4), engine="inline", bands=3)

        assert product.error < 1e-12


@pytest.mark.cluster
@pytest.mark.skipif(not __import__("sys").platform.startswith("linux"), reason="only Linux tells the peak")
def test_bands_take_less_memory(rng):
    # answers: 12 times C, 54 MB; of which at least 9 are read
    A, B = rng.standard_normal((750, 300)), rng.standard_normal((300, 750))
    with anyk.engines.open("processes:4") as engine:
        anyk.matmul(A[:9], B, codes.matdot(5, 12), engine=engine)
        few = anyk.matmul(A, B, codes.matdot(5, 12), engine=engine, bands=6).peak_bytes
        all_at_once = anyk.matmul(A, B, codes.matdot(5, 12), engine=engine, bands=1).peak_bytes

    assert all_at_once - few > 0.7 * (9 - 12 / 6) * 750 * 750 * 8


@pytest.mark.cluster
def test_crashing_processes_in_many_bands(rng):
    A, B = rng.standard_normal((60, 40)), rng.standard_normal((40, 30))
    with anyk.engines.open("processes:6", faults=Crash(probability=0.1), seed=3) as engine:
        for _ in range(5):
            product = anyk.matmul(A, B, codes.matdot(2, 6), engine=engine, bands=5, retries=5)

            assert relative(product.value, A @ B) < 1e-12
