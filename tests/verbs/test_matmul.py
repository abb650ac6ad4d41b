"""The verb matmul: numpy's answer for every shape, dtype and code, from whoever answers; and every way it can fail."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import anyk
from anyk.engines.inline import InlineEngine
from anyk.engines.simulated import SimulatedEngine
from anyk.errors import ClusterError, CodeError, InputError, PrecisionError, PrecisionWarning
from anyk.faults import Crash, Fate, Stop, combine
from anyk.verbs.sufficiency import Tables
from tests.engines.toys import CRASH, fates

CODES = {name: family.function(**family.example) for name, family in anyk.codes.CATALOGUE.items()}
CODES["matdot on the circle"] = anyk.codes.matdot(3, 7, basis="unit_circle")
MATDOT = CODES["matdot"]
EXACT = {name: code for name, code in CODES.items() if code.is_exact}

FLOATS = ["float16", "float32", "float64", "complex64", "complex128"]
INTEGERS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
sizes = st.integers(0, 12)


def delayed(delays):
    """An engine whose answers come in this order; one lane per task."""
    return SimulatedEngine(len(delays), faults=fates({w: [Fate(delay_seconds=d)] for w, d in enumerate(delays)}))


def values(rng, shape, dtype):
    kind = np.dtype(dtype).kind
    if kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind in "iu":
        return rng.integers(-100 if kind == "i" else 0, 100, shape).astype(dtype)
    parts = rng.standard_normal((2, *shape))
    return (parts[0] + 1j * parts[1]).astype(dtype) if kind == "c" else parts[0].astype(dtype)


def laid_out(matrix, layout):
    if layout == "strided" and matrix.ndim:
        wide = np.zeros(tuple(2 * length for length in matrix.shape), matrix.dtype)
        wide[tuple(slice(None, None, 2) for _ in matrix.shape)] = matrix
        return wide[tuple(slice(None, None, 2) for _ in matrix.shape)]
    return np.asfortranarray(matrix) if layout == "Fortran" else matrix


def tolerance(code, product, A, B):
    """What the expected error of the survivors allows (Markov, once in a million), relative to |A| |B|."""
    expected = code.expected_error(product.survivors, product.value.dtype)
    size = np.sqrt(code.partition.products) * np.linalg.norm(A.astype(complex)) * np.linalg.norm(B.astype(complex))
    return 1000 * expected * size


# --- the right answer --------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    shape=st.tuples(sizes, sizes, sizes),
    vectors=st.tuples(st.booleans(), st.booleans()),
    dtypes=st.tuples(st.sampled_from(FLOATS + INTEGERS), st.sampled_from(FLOATS)),
    swap=st.booleans(),
    layout=st.sampled_from(["contiguous", "Fortran", "strided"]),
    code=st.sampled_from(sorted(CODES)),
    engine=st.sampled_from(["inline", "simulated"]),
    data=st.data(),
)
def test_products_are_numpys(shape, vectors, dtypes, swap, layout, code, engine, data):
    """Any shapes, dtypes, memory layouts, codes and survivors."""
    code, rng = CODES[code], np.random.default_rng(data.draw(st.integers(0, 99)))
    dtypes = dtypes[::-1] if swap else dtypes
    A = laid_out(values(rng, shape[1:2] if vectors[0] else shape[:2], dtypes[0]), layout)
    B = laid_out(values(rng, shape[1:2] if vectors[1] else shape[1:], dtypes[1]), layout)
    computed = np.result_type(np.result_type(A, B), np.float32)
    # Approximate codes are made for one precision, and may be useless in a narrower one.
    assume(Tables(code, computed).sufficient(tuple(range(code.workers))))
    order = data.draw(st.permutations(range(code.workers)))
    opened = delayed(order) if engine == "simulated" else engine
    before = A.copy(), B.copy()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)  # a tiny product of cancelling terms may warn, rightly
        product = anyk.matmul(A, B, code, engine=opened, rng=0)
    expected = np.asarray(A.astype(np.clongdouble) @ B.astype(np.clongdouble))
    assert product.value.shape == expected.shape
    assert product.value.dtype == computed
    assert np.array_equal(A, before[0])
    assert np.array_equal(B, before[1])
    if product.survivors:
        assert np.linalg.norm(product.value - expected) <= tolerance(code, product, A, B)
        assert len(product.survivors) <= code.recovery_threshold
    else:
        assert not (A.size and B.size)
        assert not product.value.any()


@settings(max_examples=80)
@given(
    shape=st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    dtypes=st.tuples(st.sampled_from(INTEGERS), st.sampled_from(INTEGERS)),
    code=st.sampled_from(sorted(EXACT)),
    data=st.data(),
)
def test_integer_products_are_exact(shape, dtypes, code, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    A, B = values(rng, shape[:2], dtypes[0]), values(rng, shape[1:], dtypes[1])
    product = anyk.matmul(A, B, CODES[code], engine=delayed(data.draw(st.permutations(range(CODES[code].workers)))))

    assert product.value.dtype == np.int64
    assert np.array_equal(product.value, A.astype(np.int64) @ B.astype(np.int64))
    assert (product.error, product.error_kind) == (0.0, "exact")


@pytest.mark.parametrize("code", EXACT)
@pytest.mark.parametrize("bits", [26, 31, 50, 60])
def test_integers_of_any_size_are_exact_while_their_products_fit_64_bits(code, bits):
    rng = np.random.default_rng(bits)
    A = rng.integers(-(2**bits), 2**bits, (7, 5))
    B = rng.integers(-(2 ** (60 - bits)), 2 ** (60 - bits) + 1, (5, 6))
    exact = A.astype(object) @ B.astype(object)

    assert np.array_equal(anyk.matmul(A, B, CODES[code], engine="inline").value.astype(object), exact)


@pytest.mark.parametrize("extreme", [np.iinfo(np.int64).min, np.iinfo(np.int64).max])
def test_the_extremes_of_64_bits_are_exact(extreme):
    A, B = np.array([[extreme, 0], [1, extreme]]), np.array([[1, 0], [0, 1]])
    assert np.array_equal(anyk.matmul(A, B, MATDOT, engine="inline"), A)


def test_the_largest_results_below_two_to_the_53_are_exact():
    A, B = np.full((5, 8), 2**25 - 1), np.full((8, 5), 2**25 - 1)
    A[1, 1], B[2, 2] = -(2**25), 2**25
    for code in EXACT.values():
        assert np.array_equal(anyk.matmul(A, B, code, engine="inline"), A @ B)


@pytest.mark.filterwarnings("ignore::anyk.errors.PrecisionWarning")
@pytest.mark.parametrize("code", sorted(set(CODES) - set(EXACT)))
def test_approximate_answers_are_never_passed_off_as_exact_integers(code):
    A = np.random.default_rng(0).integers(-(2**24), 2**24, (9, 9))
    with pytest.raises(PrecisionError, match="not exact"):
        anyk.matmul(A, A, CODES[code], engine="inline")


@pytest.mark.parametrize("bits", [12, 17, 28])
@pytest.mark.parametrize(
    "code",
    [
        anyk.codes.matdot(20, 59),
        anyk.codes.polynomial(8, 8, 72),
        anyk.codes.generalized_polydot(4, 4, 1, 32),
    ],
    ids=str,
)
def test_integers_wait_for_answers_that_can_be_rounded(code, bits):
    """Neighbouring points come first: the first sufficient answers decode to a few digits only."""
    A, B = np.random.default_rng(bits).integers(-(2**bits), 2**bits, (2, 40, 40))
    product = anyk.matmul(A, B, code, engine=delayed(code.positions))
    assert np.array_equal(product, A @ B)
    assert code.recovery_threshold < len(product.survivors) < code.workers


@pytest.mark.filterwarnings("ignore::anyk.errors.PrecisionWarning")
def test_integers_stop_where_they_are_told_to_and_are_refused_if_that_is_too_early():
    code = anyk.codes.matdot(20, 59)
    A, B = np.random.default_rng(0).integers(-(2**20), 2**20, (2, 40, 40))
    with pytest.raises(PrecisionError, match="do not decode well enough to be rounded"):
        anyk.matmul(A, B, code, engine=delayed(code.positions), stop=anyk.first_threshold())


def test_integer_results_beyond_64_bits_are_refused_not_wrapped():
    A = np.full((3, 3), 2**62)
    with pytest.raises(PrecisionError, match="does not fit 64-bit integers"):
        anyk.matmul(A, A, MATDOT, engine="inline")


def test_integers_beyond_signed_64_bits_are_refused_with_the_way_out():
    A = np.full((3, 3), 2**64 - 1, dtype=np.uint64)
    with pytest.raises(InputError, match="Convert to float64 first"):
        anyk.matmul(A, A, MATDOT, engine="inline")


def test_lists_and_scalars_in_lists_are_matrices():
    assert anyk.matmul([[1, 2], [3, 4]], [[5], [6]], MATDOT, engine="inline").value.tolist() == [[17], [39]]
    assert anyk.matmul([1.0, 2.0], [3.0, 4.0], MATDOT, engine="inline").value == pytest.approx(11)


@pytest.mark.parametrize(("dtype", "expected"), [("float16", "float32"), (">f8", "float64"), ("<f4", "float32")])
def test_half_precision_and_foreign_byte_orders_are_computed_natively(dtype, expected):
    A = np.arange(12.0).reshape(3, 4).astype(dtype)
    product = anyk.matmul(A, A.T, MATDOT, engine="inline")
    assert product.value.dtype == np.dtype(expected)
    assert product.value == pytest.approx(A.astype(float) @ A.T.astype(float), rel=1e-5)


def test_a_product_is_an_array_for_numpy():
    product = anyk.matmul(np.eye(3), np.eye(3), MATDOT, engine="inline")
    assert np.allclose(product, np.eye(3))
    assert np.asarray(product, dtype="float32").dtype == np.float32
    assert "measured error" in repr(product)


def test_a_seed_decides_the_measured_error():
    A = np.random.default_rng(0).standard_normal((40, 40))
    errors = [anyk.matmul(A, A, MATDOT, engine="inline", rng=seed).error for seed in (1, 1, 2)]
    assert errors[0] == errors[1] != errors[2]


# --- operands that are none --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("A", "B", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3)), r"A is \(2, 3\) and B is \(2, 3\)"),
        (np.zeros((2, 3)), np.zeros(2), r"A is \(2, 3\) and B is \(2,\)"),
        (np.zeros((2, 2, 2)), np.eye(2), "A has 3 dimensions"),
        (np.eye(2), 3.0, "B has 0 dimensions"),
        (np.array([[1, "a"]], dtype=object), np.eye(2), "A has dtype object"),
        (np.eye(2), np.array([["a", "b"], ["c", "d"]]), "B has dtype <U1"),
        ([[1, 2], [3]], np.eye(2), "A is not an array"),
        (np.eye(2, dtype=np.longdouble), np.eye(2), "at most float64"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), np.eye(1), "takes numbers"),
        (None, np.eye(2), "A has"),
    ],
)
def test_what_cannot_be_multiplied_is_refused_by_name(A, B, message):
    with pytest.raises(InputError, match=message):
        anyk.matmul(A, B, MATDOT, engine="inline")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["A", "B"])
def test_entries_that_are_not_finite_are_refused_with_their_place(name, bad, dtype):
    matrices = {"A": np.ones((4, 5), dtype), "B": np.ones((5, 6), dtype)}
    matrices[name][2, 3] = bad
    with pytest.raises(InputError, match=rf"{name} must be finite, and {name}\[2, 3\] is .*(nan|inf)"):
        anyk.matmul(*matrices.values(), MATDOT, engine="inline")
    matrices[name][3, 4] = bad
    with pytest.raises(InputError, match="and 1 more"):
        anyk.matmul(*matrices.values(), MATDOT, engine="inline")


def test_entries_whose_sum_overflows_are_finite_all_the_same():
    A = np.full((20, 20), 1e306)
    assert anyk.matmul(A, 1e-300 * np.eye(20), MATDOT, engine="inline").value == pytest.approx(A * 1e-300)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_unchecked_entries_that_are_not_finite_spoil_the_product_aloud():
    A = np.eye(6)
    A[0, 0] = np.nan
    with pytest.raises(PrecisionError, match="not finite"):
        anyk.matmul(A, np.eye(6), MATDOT, engine="inline", check_finite=False)
    unmeasured = anyk.matmul(A, np.eye(6), MATDOT, engine="inline", check_finite=False, verify=False)
    assert unmeasured.error_kind == "expected"
    assert np.isnan(unmeasured.value).any()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"tolerance": 0.0}, InputError),
        ({"tolerance": -1e-3}, InputError),
        ({"retries": -1}, InputError),
        ({"engine": "cloud"}, InputError),
        ({"engine": "inline:0"}, InputError),
        ({"code": None, "workers": 3, "stragglers": 3}, InputError),
        ({"code": None, "workers": 3, "stragglers": -1}, InputError),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, error):
    with pytest.raises(error):
        anyk.matmul(np.eye(4), np.eye(4), **{"code": MATDOT, "engine": "inline", **arguments})


def test_a_code_too_large_for_its_workers_is_refused_where_it_is_made():
    with pytest.raises(CodeError, match="7 results are needed and 6 workers exist"):
        anyk.codes.matdot(4, 6)


# --- no code given -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "stragglers"), [(1, 0), (4, 0), (6, 2), (9, 3)])
def test_a_code_is_chosen_for_workers_and_stragglers(workers, stragglers):
    A = np.random.default_rng(0).standard_normal((30, 20))
    product = anyk.matmul(A, A.T, workers=workers, stragglers=stragglers, engine="inline")
    assert product.value == pytest.approx(A @ A.T, abs=1e-11)
    assert product.code.workers <= workers
    assert product.code.workers - product.code.recovery_threshold >= stragglers


def test_without_a_number_of_workers_those_of_the_engine_are_used():
    A = np.random.default_rng(0).standard_normal((30, 20))
    with InlineEngine(5) as engine:
        product = anyk.matmul(A, A.T, stragglers=1, engine=engine)
        assert product.code.workers == 5
        assert engine.lanes[0].submit(divmod, 7, 2).result() == (3, 1), "an engine handed in stays open"


# --- stop rules --------------------------------------------------------------------------------------------------

A, B = np.random.default_rng(1).standard_normal((2, 40, 40))


def test_the_fastest_sufficient_answers_make_the_product():
    delays = [9, 1, 8, 2, 3, 4, 5, 6, 7, 10]
    product = anyk.matmul(A, B, MATDOT, engine=delayed(delays))
    assert product.survivors == tuple(np.argsort(delays)[:7][np.argsort(np.argsort(delays)[:7])])
    assert product.reason == "7 answers decode"
    assert product.value == pytest.approx(A @ B, abs=1e-10)


def test_lucky_answers_below_the_threshold_are_enough():
    """Every second position of MatDot with P = 2 n decodes alone: n answers instead of 2 n - 1."""
    code = anyk.codes.matdot(4, 8)
    lucky = code.positions % 2 == 0
    product = anyk.matmul(A, B, code, engine=delayed(np.where(lucky, 0.0, 5.0)))
    assert product.survivors == tuple(np.flatnonzero(lucky))
    assert product.value == pytest.approx(A @ B, abs=1e-11)


def test_everyone_waits_for_all_answers():
    product = anyk.matmul(A, B, MATDOT, engine=delayed(range(10)), stop=anyk.everyone)
    assert product.survivors == tuple(range(10))


def test_everyone_takes_who_is_left_when_some_are_lost():
    engine = SimulatedEngine(10, faults=fates({0: [CRASH] * 9, 4: [CRASH] * 9}))
    product = anyk.matmul(A, B, MATDOT, engine=engine, stop=anyk.everyone, retries=0)
    assert product.survivors == (1, 2, 3, 5, 6, 7, 8, 9)
    assert product.value == pytest.approx(A @ B, abs=1e-10)


def test_at_the_deadline_a_partial_answer_is_returned_with_its_error():
    with pytest.warns(PrecisionWarning, match=r"measured relative error is .* by the deadline of 4\.5 s"):
        product = anyk.matmul(A, B, MATDOT, engine=delayed(range(10)), stop=anyk.deadline(4.5), rng=0)
    true = np.linalg.norm(product.value - A @ B) / np.linalg.norm(A @ B)
    assert len(product.survivors) == 4
    assert 0.05 < true < 1
    assert true / 2 <= product.error <= 2 * true


def test_before_the_deadline_sufficient_answers_are_enough():
    product = anyk.matmul(A, B, MATDOT, engine=delayed(range(10)), stop=anyk.deadline(100))
    assert len(product.survivors) == 7


def test_a_deadline_without_any_answer_fails():
    with pytest.raises(ClusterError, match="no answer"):
        anyk.matmul(A, B, MATDOT, engine=delayed([50.0] * 10), stop=anyk.deadline(2.0))


def test_within_the_timeout_the_deadline_counts():
    with pytest.warns(PrecisionWarning):
        product = anyk.matmul(A, B, MATDOT, engine=delayed(range(10)), stop=anyk.deadline(50), timeout=3.5)
    assert len(product.survivors) == 3


def test_until_stops_at_the_earliest_answers_good_enough():
    product = anyk.matmul(A, B, MATDOT, engine=delayed(range(10)), stop=anyk.until(0.9), rng=0, tolerance=0.9)
    assert len(product.survivors) < 7
    assert product.error <= 0.9
    assert "is within" in product.reason


def test_a_tolerance_waits_for_more_answers_than_decode_where_that_helps():
    """Neighbouring points amplify rounding; each answer more takes off an order of magnitude."""
    code = anyk.codes.matdot(10, 29)
    order = np.argsort(np.argsort(code.positions))
    first = anyk.matmul(A, B, code, engine=delayed(order), rng=0)
    better = anyk.matmul(A, B, code, engine=delayed(order), tolerance=1e-13, rng=0)
    assert len(first.survivors) == 19 < len(better.survivors)
    assert better.error <= 1e-13 < first.error


def test_a_tolerance_nobody_can_reach_warns_with_the_way_out():
    with pytest.warns(PrecisionWarning, match=r"above 1\.0e-18.*Wait for more answers"):
        product = anyk.matmul(A, B, MATDOT, engine=delayed(range(10)), tolerance=1e-18)
    assert product.survivors == tuple(range(10))
    assert product.value == pytest.approx(A @ B, abs=1e-11)


# --- losses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [InlineEngine, SimulatedEngine])
def test_lost_workers_tasks_are_computed_again(kind):
    """All ten crash at their first task; each is replaced, and its task repeated."""
    engine = kind(10, faults=fates({rank: [CRASH] for rank in range(10)}))
    product = anyk.matmul(A, B, MATDOT, engine=engine)
    assert len(product.survivors) == 7
    assert product.value == pytest.approx(A @ B, abs=1e-10)
    assert {stretch.outcome for stretch in product.timeline()} >= {"lost", "used"}


def test_without_retries_as_many_as_are_spare_may_be_lost():
    engine = SimulatedEngine(10, faults=fates({rank: [CRASH] for rank in (1, 5, 8)}))
    product = anyk.matmul(A, B, MATDOT, engine=engine, retries=0)
    assert product.survivors == (0, 2, 3, 4, 6, 7, 9)


def test_too_many_losses_fail_saying_who_was_lost_how_many_are_needed_and_the_way_out():
    engine = SimulatedEngine(10, faults=fates({rank: [CRASH] * 9 for rank in (1, 4, 5, 8)}))
    with pytest.raises(ClusterError) as failure:
        anyk.matmul(A, B, MATDOT, engine=engine, retries=0)
    said = str(failure.value)
    for words in ("any 7 of 10", "5 answers came", "task 1", "task 4", "task 5", "task 8", "retries"):
        assert words in said, said


def test_a_timeout_fails_saying_what_came_and_what_is_needed():
    engine = SimulatedEngine(10, faults=fates({rank: [Fate(delay_seconds=30.0)] * 3 for rank in range(6)}))
    with pytest.raises(ClusterError) as failure:
        anyk.matmul(A, B, MATDOT, engine=engine, timeout=1.2)
    said = str(failure.value)
    for words in ("4 answers came in 1.2 s", "any 7 of 10", "still out: task 0", "deadline"):
        assert words in said, said


def test_a_timeout_ends_the_wait_in_real_time_too():
    engine = InlineEngine(10, faults=fates({rank: [Fate(delay_seconds=30.0)] * 3 for rank in range(6)}))
    with pytest.raises(ClusterError, match="still out: task 0"):
        anyk.matmul(A, B, MATDOT, engine=engine, timeout=0.2)


def test_a_code_made_for_another_precision_is_blamed_not_the_workers():
    code = anyk.codes.approximate_polydot(2, 2, 1, 7, results=4)
    narrow = A.astype("float32"), B.astype("float32")
    with pytest.raises(PrecisionError, match=r"cannot decode float32 answers: from all 7 .*dtype='float32'"):
        anyk.matmul(*narrow, code, engine="inline")
    with pytest.warns(PrecisionWarning):
        anyk.matmul(*narrow, code, engine="inline", stop=anyk.deadline(0.2))


def test_silent_workers_do_no_harm_while_enough_answer():
    engine = anyk.engines.open("simulated:10", faults=combine(Stop(ranks=(2, 6, 9)), Crash(ranks=(3,), rounds=(0,))))
    product = anyk.matmul(A, B, MATDOT, engine=engine)
    assert set(product.survivors).isdisjoint({2, 6, 9})
    assert product.value == pytest.approx(A @ B, abs=1e-10)


@pytest.mark.parametrize("kind", [InlineEngine, SimulatedEngine])
@pytest.mark.parametrize("lanes", [1, 3, 10, 14])
def test_tasks_are_shared_out_when_lanes_are_more_or_fewer(kind, lanes):
    with kind(lanes) as engine:
        for _ in range(2):
            assert anyk.matmul(A, B, MATDOT, engine=engine).value == pytest.approx(A @ B, abs=1e-10)
        everyone = anyk.matmul(A, B, MATDOT, engine=engine, stop=anyk.everyone)
    assert everyone.survivors == tuple(range(10))


def test_fewer_lanes_lose_and_repeat_several_tasks_each():
    engine = SimulatedEngine(3, faults=fates({0: [CRASH], 1: [Fate(), CRASH]}))
    product = anyk.matmul(A, B, MATDOT, engine=engine, stop=anyk.everyone, retries=2)
    assert product.survivors == tuple(range(10))
    assert product.value == pytest.approx(A @ B, abs=1e-11)


# --- what is reported --------------------------------------------------------------------------------------------


def test_without_measuring_the_expected_error_is_reported():
    product = anyk.matmul(A, B, MATDOT, engine="inline", verify=False)
    assert product.error_kind == "expected"
    assert product.error == MATDOT.expected_error(product.survivors)


def test_a_matrix_of_zeros_has_a_product_without_error():
    product = anyk.matmul(np.zeros((5, 5)), A[:5, :5], MATDOT, engine="inline")
    assert product.error == 0.0
    assert not product.value.any()


def test_products_of_large_and_tiny_entries_are_measured():
    for scale in (1e15, 1e-15):
        narrow = (A * scale).astype("float32"), (B * scale).astype("float32")
        product = anyk.matmul(*narrow, MATDOT, engine="inline")
        assert product.error < 1e-5
        assert product.value == pytest.approx((A @ B) * scale**2, abs=1e-4 * 40 * scale**2)


def test_phases_and_the_story_are_told():
    product = anyk.matmul(A, B, MATDOT, engine=delayed(range(10)))
    assert {"encode", "collect", "decode", "measure", "total"} <= set(product.seconds)
    timeline = product.timeline()
    assert [stretch.outcome for stretch in timeline].count("used") == 7
    assert {stretch.task for stretch in timeline} == set(range(10))


def test_blocks_are_gone_from_the_lanes_afterwards():
    with InlineEngine(10) as engine:
        anyk.matmul(A, B, MATDOT, engine=engine)
        assert all(not getattr(lane, "_blocks", {}) for lane in engine.lanes)
