"""A better answer at each arrival: what is yielded, when it ends, and what is left behind."""

import contextlib
import gc
import warnings

import numpy as np
import pytest

import anyk
from anyk.errors import ClusterError, InputError, PrecisionError, PrecisionWarning
from anyk.faults import Crash, Fate, ShiftedExponential
from anyk.job import State
from tests.verbs.toys import FOREVER, fates, held, kill, relative, stop, until

LIMIT = 1e-12
CODES = {
    "uncoded": anyk.codes.uncoded(2, 2, 1),
    "replication": anyk.codes.replication(2, 2, 1, copies=2),
    "mds": anyk.codes.mds(3, workers=6),
    "matdot": anyk.codes.matdot(3, workers=8),
    "polynomial": anyk.codes.polynomial(2, 2, workers=6),
    "generalized_polydot": anyk.codes.generalized_polydot(2, 2, 1, workers=8),
    "complex": anyk.codes.matdot(2, workers=5, basis="unit_circle"),
}


@pytest.fixture
def operands():
    rng = np.random.default_rng(0)
    return rng.standard_normal((31, 24)), rng.standard_normal((24, 17))


def simulated(workers, faults=None, seed=0):
    return anyk.engines.open(f"simulated:{workers}", faults=faults, seed=seed)


def in_turn(workers, seconds=0.1):
    """Worker by worker, so that every answer is decoded before the next one comes."""
    return fates({rank: [Fate(seconds * rank)] * 9 for rank in range(workers)})


# --- what comes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["inline", "simulated"])
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_errors_fall_until_the_answers_decode(operands, code, engine):
    A, B = operands
    products = [*anyk.stream(A, B, code, engine=engine, rng=1)]
    errors, answers = [p.error for p in products], [len(p.survivors) for p in products]

    assert errors == sorted(errors, reverse=True)
    assert len(set(errors)) == len(errors)
    assert answers == sorted(answers)
    assert relative(products[-1].value, A @ B) < LIMIT
    assert answers[-1] <= code.recovery_threshold
    assert {p.error_kind for p in products} == {"measured"}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_each_error_is_what_was_measured_of_each_array(operands, code):
    A, B = operands
    for seed in range(3):
        engine = simulated(code.workers, ShiftedExponential(shift=0.1, scale=1.0), seed)
        products = [*anyk.stream(A, B, code, engine=engine, rng=seed)]

        for product in products:
            if product.error > LIMIT:
                assert product.error / 3 < relative(product.value, A @ B) < 3 * product.error
        arrays = [product.value for product in products]
        assert not any(np.shares_memory(one, two) for one in arrays for two in arrays if one is not two)


def test_a_product_comes_while_later_answers_are_still_out(operands):
    A, B = operands
    engine = simulated(8, in_turn(8, seconds=10.0))
    times = []
    for product in anyk.stream(A, B, CODES["matdot"], engine=engine):
        times.append((len(product.survivors), engine.clock.now()))

    assert times[-1] == (5, 41.0)
    assert all(now == 10.0 * (answers - 1) + 1.0 for answers, now in times)
    assert len(times) > 1


def test_nothing_is_computed_before_the_first_product_is_asked_for(operands):
    engine = simulated(8)
    products = anyk.stream(*operands, CODES["matdot"], engine=engine)
    assert engine.clock.now() == 0.0

    assert next(products).survivors
    products.close()


def test_without_a_tolerance_the_first_sufficient_answers_end_it(operands):
    late = fates({rank: [FOREVER] for rank in (1, 4, 6)})
    products = [*anyk.stream(*operands, CODES["matdot"], engine=simulated(8, late))]

    assert products[-1].survivors == (0, 2, 3, 5, 7)
    assert products[-1].reason == "5 answers decode"


def test_a_tolerance_ends_it_early_or_waits_for_more(operands):
    A, B = operands
    for tolerance in (0.9, 0.5, 1e-13):
        products = [*anyk.stream(A, B, CODES["mds"], engine=simulated(6, in_turn(6)), tolerance=tolerance, rng=3)]

        assert products[-1].error <= tolerance
        assert all(product.error > tolerance for product in products[:-1])
        if tolerance == 0.9:
            assert len(products[-1].survivors) < 3


def test_each_product_tells_the_story_so_far(operands):
    products = [*anyk.stream(*operands, CODES["matdot"], engine=simulated(8, in_turn(8)))]

    for product in products:
        used = [one.task for one in product.timeline() if one.outcome == "used"]
        assert sorted(used) == [*product.survivors]
    assert "measured error" in products[0].reason
    assert [product.seconds["total"] for product in products] == sorted(p.seconds["total"] for p in products)


def test_the_onlooker_sees_every_step(operands):
    steps = []
    for _ in anyk.stream(*operands, CODES["matdot"], engine="inline", watch=steps.append):
        pass

    assert steps[0].state is State.COLLECTING
    assert steps[-1].state is State.DONE


@pytest.mark.parametrize("shapes", [((24,), (24, 17)), ((31, 24), (24,)), ((24,), (24,))], ids=str)
def test_vectors(shapes):
    rng = np.random.default_rng(2)
    A, B = (rng.standard_normal(shape) for shape in shapes)
    for product in anyk.stream(A, B, CODES["matdot"], engine="inline"):
        assert product.value.shape == (A @ B).shape

    assert np.allclose(product.value, A @ B, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_the_precision_of_the_operands_is_kept(operands, dtype):
    A, B = (matrix.astype(dtype) for matrix in operands)
    *_, last = anyk.stream(A, B, CODES["generalized_polydot"], engine="inline")

    assert last.value.dtype == dtype
    assert relative(last.value, A @ B) < 50 * np.finfo(dtype).eps


def test_integers_become_floating_numbers():
    A, B = np.arange(12).reshape(3, 4), np.arange(8).reshape(4, 2)
    *_, last = anyk.stream(A, B, CODES["matdot"], engine="inline")

    assert last.value.dtype == np.float64
    assert relative(last.value, A @ B) < LIMIT


@pytest.mark.parametrize("shapes", [((0, 3), (3, 2)), ((3, 0), (0, 2)), ((2, 3), (3, 0))])
def test_products_without_entries_are_one_product(shapes):
    A, B = (np.ones(shape) for shape in shapes)
    (product,) = anyk.stream(A, B, CODES["matdot"], engine="no engine is needed")

    assert product.value.shape == (A @ B).shape
    assert not product.value.any()
    assert product.error == 0.0


def test_a_product_that_vanishes_is_one_product():
    products = [*anyk.stream(np.zeros((6, 6)), np.ones((6, 6)), CODES["matdot"], engine="inline")]

    assert not products[-1].value.any()
    assert products[-1].error == 0.0


# --- losses and limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["inline", "simulated"])
def test_workers_lost_midway_are_made_up_for(operands, engine):
    A, B = operands
    for seed in range(8):
        opened = anyk.engines.open(f"{engine}:8", faults=Crash(probability=0.25), seed=seed)
        *_, last = anyk.stream(A, B, CODES["matdot"], engine=opened, retries=8)

        assert relative(last.value, A @ B) < LIMIT


def test_a_timeout_keeps_what_came(operands):
    A, B = operands
    engine = simulated(8, fates({rank: [FOREVER] for rank in range(4)}))
    products = []
    with pytest.raises(ClusterError, match="the time is over"):
        products.extend(anyk.stream(A, B, CODES["matdot"], engine=engine, timeout=5.0))

    assert len(products[-1].survivors) <= 4
    assert products[-1].error < 1.0
    assert products[-1].error / 3 < relative(products[-1].value, A @ B) < 3 * products[-1].error


def test_a_deadline_ends_it_with_the_best_so_far(operands):
    A, B = operands
    engine, products = simulated(8, fates({rank: [FOREVER] for rank in range(4)})), []
    with pytest.warns(PrecisionWarning, match="4 answers came by the deadline of 5 s"):
        products.extend(anyk.stream(A, B, CODES["matdot"], engine=engine, deadline=5.0))

    assert engine.clock.now() == 5.0
    assert len({product.error for product in products}) == len(products)
    assert products[-1].error / 3 < relative(products[-1].value, A @ B) < 3 * products[-1].error


def test_a_timeout_before_the_deadline_is_the_deadline(operands):
    engine = simulated(8, fates({rank: [FOREVER] for rank in range(4)}))
    with pytest.warns(PrecisionWarning, match="by the deadline of 3 s"):
        [*anyk.stream(*operands, CODES["matdot"], engine=engine, deadline=5.0, timeout=3.0)]


def test_a_deadline_later_than_sufficient_answers_changes_nothing(operands):
    A, B = operands
    engine = simulated(8)
    *_, last = anyk.stream(A, B, CODES["matdot"], engine=engine, deadline=5.0)

    assert relative(last.value, A @ B) < LIMIT
    assert engine.clock.now() == 1.0


def test_by_a_deadline_too_few_workers_are_better_than_none(operands):
    engine = simulated(8, fates({rank: [Fate(end="crash")] for rank in range(4)}))
    with pytest.warns(PrecisionWarning, match="4 answers came by the deadline"):
        *_, last = anyk.stream(*operands, CODES["matdot"], engine=engine, retries=0, deadline=5.0)

    assert last.error < 1.0
    assert engine.clock.now() < 5.0


def test_no_answer_by_the_deadline_is_one_clear_error(operands):
    engine = simulated(8, fates({rank: [FOREVER] for rank in range(8)}))
    with pytest.raises(ClusterError, match=r"no answers came by the deadline of 2 s: `stream\(deadline=2\)` was asked"):
        [*anyk.stream(*operands, CODES["matdot"], engine=engine, deadline=2.0)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"timeout": 5.0}, r"`stream\(\)` was asked .* take the best answer by then with `deadline=seconds`"),
        ({"tolerance": 1e-6, "timeout": 5.0}, r"`stream\(tolerance=1e-06\)` was asked"),
    ],
)
def test_the_way_out_is_one_that_stream_has(operands, settings, words):
    engine = simulated(8, fates({rank: [FOREVER] for rank in range(8)}))
    with pytest.raises(ClusterError, match=words):
        [*anyk.stream(*operands, CODES["matdot"], engine=engine, **settings)]


@pytest.mark.parametrize("deadline", [0, -1.0, float("nan")])
def test_a_deadline_must_be_positive(operands, deadline):
    with pytest.raises(InputError, match="use more than 0 seconds"):
        anyk.stream(*operands, CODES["matdot"], deadline=deadline)


def test_too_few_workers_left_end_it_at_once(operands):
    engine = simulated(8, fates({rank: [Fate(end="crash")] for rank in range(4)}))
    with pytest.raises(ClusterError, match=r"too few answers can still come.* more would have sufficed"):
        [*anyk.stream(*operands, CODES["matdot"], engine=engine, retries=0)]
    assert engine.clock.now() <= 1.0


def test_a_tolerance_within_reach_of_fewer_answers_is_reached_though_the_rest_is_lost(operands):
    engine = simulated(6, fates({rank: [Fate(end="crash")] for rank in range(4)}))
    *_, last = anyk.stream(*operands, CODES["mds"], engine=engine, retries=0, tolerance=0.9)

    assert last.error <= 0.9


def test_a_tolerance_out_of_reach_ends_with_the_best_and_a_warning(operands):
    A, B = operands
    products = []
    with pytest.warns(PrecisionWarning, match=r"measured relative error is .*e-16.* above 1.0e-18.*larger tolerance"):
        products.extend(anyk.stream(A, B, CODES["matdot"], engine="simulated", tolerance=1e-18))

    errors = [product.error for product in products]
    assert errors == sorted(errors, reverse=True)
    assert relative(products[-1].value, A @ B) < LIMIT


def test_the_warning_points_at_the_loop(operands):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in anyk.stream(*operands, CODES["matdot"], engine="inline", tolerance=1e-18):
            pass

    assert [warning.filename for warning in caught] == [__file__]


def test_answers_that_are_not_finite_are_one_clear_error(operands):
    A, B = operands
    A = A.copy()
    A[0, 0] = np.nan
    with pytest.raises(PrecisionError, match="not finite"), np.errstate(all="ignore"):
        [*anyk.stream(A, B, CODES["matdot"], engine="inline", check_finite=False)]


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_a_tolerance_must_be_positive(operands, tolerance):
    with pytest.raises(InputError, match="use a tolerance above 0"):
        anyk.stream(*operands, CODES["matdot"], tolerance=tolerance)


def test_bad_operands_are_refused_at_the_call(operands):
    A, B = operands
    with pytest.raises(InputError, match="must agree"):
        anyk.stream(B, A[:, :5], CODES["matdot"])
    with pytest.raises(InputError, match="must be finite"):
        anyk.stream(A, B * np.inf, CODES["matdot"])


# --- leaving early ---------------------------------------------------------------------------------------------------


def busy(engine):
    return [lane.rank for lane in engine.lanes if lane._in_hand or lane._queue]


def leave_by_break(products):
    for _ in products:
        break


def leave_by_exception(products):
    with contextlib.suppress(LookupError):
        for _ in products:
            raise LookupError


def leave_by_closing(products):
    next(products)
    products.close()


def leave_by_throwing(products):
    next(products)
    with pytest.raises(KeyboardInterrupt):
        products.throw(KeyboardInterrupt)


WAYS = [leave_by_break, leave_by_exception, leave_by_closing, leave_by_throwing]


@pytest.mark.parametrize("leave", WAYS)
def test_leaving_early_frees_the_workers(operands, leave):
    A, B = operands
    engine = simulated(8, in_turn(8, seconds=10.0))
    leave(anyk.stream(A, B, CODES["matdot"], engine=engine))
    gc.collect()

    assert busy(engine) == []
    assert engine.clock.now() < 80.0
    assert relative(anyk.matmul(A, B, CODES["matdot"], engine=engine).value, A @ B) < LIMIT


@pytest.mark.parametrize("leave", WAYS)
def test_leaving_early_closes_the_engine_it_opened(operands, leave, monkeypatch):
    opened, real = [], anyk.engines.open

    def opening(*args, **more):
        opened.append(real(*args, **more))
        return opened[-1]

    monkeypatch.setattr(anyk.engines, "open", opening)
    leave(anyk.stream(*operands, CODES["matdot"], engine="inline"))
    gc.collect()

    assert [engine._closed for engine in opened] == [True]


def test_a_stream_that_was_never_started_opens_nothing(operands, monkeypatch):
    monkeypatch.setattr(anyk.engines, "open", lambda *_, **__: pytest.fail("opened"))
    products = anyk.stream(*operands, CODES["matdot"])
    products.close()
    del products


# --- real processes --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workers():
    with anyk.engines.open("processes:8", faults=ShiftedExponential(shift=0.5, scale=1.0, unit_seconds=0.01)) as engine:
        yield engine


@pytest.mark.cluster
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_streams_on_processes(workers, code):
    rng = np.random.default_rng(4)
    A, B = rng.standard_normal((90, 80)), rng.standard_normal((80, 70))
    products = [*anyk.stream(A, B, code, engine=workers)]
    errors = [product.error for product in products]

    assert errors == sorted(errors, reverse=True)
    assert relative(products[-1].value, A @ B) < LIMIT
    for product in products[:-1]:
        assert product.error / 3 < relative(product.value, A @ B) < 3 * product.error


@pytest.mark.cluster
def test_leaving_early_frees_the_processes_too(operands):
    A, B = operands
    slow = fates({rank: [Fate(0.01 * rank), FOREVER][rank > 2 :] for rank in range(8)})
    with anyk.engines.open("processes:8", faults=slow) as engine:
        for leave in WAYS[:3]:
            leave(anyk.stream(A, B, CODES["matdot"], engine=engine))
            until(lambda: not any(lane.pending() for lane in engine.lanes))
        assert relative(anyk.matmul(A, B, CODES["matdot"], engine=engine).value, A @ B) < LIMIT
        assert sum(lane.epoch for lane in engine.lanes) == 0


@pytest.mark.cluster
def test_streams_hold_nothing_afterwards(operands, workers):
    def held_after(count):
        for _ in range(count):
            for _ in anyk.stream(*operands, CODES["matdot"], engine=workers):
                break
        gc.collect()
        for lane in workers.lanes:
            lane.submit(abs, 1).result()
        return np.array([held(), *(held(lane.pid) for lane in workers.lanes)])

    assert (held_after(10) >= held_after(20)).all()


@pytest.mark.cluster
def test_processes_killed_and_stopped_midway(operands):
    A, B = operands
    waiting = fates({rank: [Fate(0.05 + 0.1 * rank)] for rank in range(8)})
    with anyk.engines.open("processes:8", faults=waiting) as engine:
        stop(engine.lanes[0])
        products = []
        for product in anyk.stream(A, B, CODES["matdot"], engine=engine):
            if not products:
                kill(engine.lanes[7])
            products.append(product)

        assert relative(products[-1].value, A @ B) < LIMIT
        assert 0 not in products[-1].survivors


@pytest.mark.cluster
def test_a_timeout_on_processes_keeps_what_came(operands):
    silent = fates({rank: [FOREVER] for rank in range(4)})
    with anyk.engines.open("processes:8", faults=silent) as engine:
        products = []
        with pytest.raises(ClusterError, match="the time is over"):
            products.extend(anyk.stream(*operands, CODES["matdot"], engine=engine, timeout=1.0))

        assert products
        until(lambda: not any(lane.pending() for lane in engine.lanes))
