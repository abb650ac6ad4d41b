"""What runs on workers, without any worker."""

import time

import numpy as np
import pytest

from anyk.engines import work
from anyk.engines.base import Cancelled
from anyk.engines.work import checkpoint, multiply, nap, spoilt, suffer, watching
from anyk.faults import Draw, Fate, Scaled, Stale


def test_elsewhere_a_checkpoint_does_nothing():
    assert checkpoint() is None


def test_a_watched_checkpoint_gives_up_when_told_and_only_then():
    answers = iter([False, True])
    with watching(lambda: next(answers)):
        checkpoint()
        with pytest.raises(Cancelled):
            checkpoint()
    checkpoint()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128, np.int64, np.int8])
@pytest.mark.parametrize(("m", "k", "n"), [(7, 5, 3), (7, 5, 1), (0, 5, 3), (7, 0, 3), (7, 5, 0), (300, 40, 20)])
@pytest.mark.parametrize("panel", [work.PANEL_OPERATIONS, 1.0], ids=["whole", "panels"])
def test_the_product_is_the_product(monkeypatch, dtype, m, k, n, panel):
    monkeypatch.setattr(work, "PANEL_OPERATIONS", panel)
    monkeypatch.setattr(work, "PANEL_ROWS", 64 if panel > 1 else 2)
    rng = np.random.default_rng(0)
    # Small whole numbers: every sum is exact in every dtype, in whatever order.
    a, b = (rng.integers(-1, 2, shape).astype(dtype) for shape in ((m, k), (k, n)))
    out = np.full((m, n), 99, dtype)

    y = multiply(a, b)

    assert multiply(a, b, out) is None
    np.testing.assert_array_equal(y, a @ b)
    np.testing.assert_array_equal(out, a @ b)
    assert y.dtype == (a @ b).dtype


def test_a_vector_and_strided_blocks_and_mixed_dtypes_work_too():
    a = np.arange(48.0).reshape(6, 8)[::2, 1::2]

    np.testing.assert_array_equal(multiply(a, np.arange(4)), a @ np.arange(4))
    np.testing.assert_array_equal(multiply(a.astype(np.float32), a.T), a.astype(np.float32) @ a.T)


def test_a_small_product_is_one_call_and_a_large_one_looks_up_in_between():
    looks = []
    with watching(lambda: looks.append(0)):
        multiply(np.ones((100, 100)), np.ones((100, 100)))
        assert len(looks) == 1
        multiply(np.ones((1000, 1000)), np.ones((1000, 300)))
    assert len(looks) == 1 + 8


def test_a_nap_ends_at_the_next_checkpoint():
    start = time.monotonic()

    with watching(lambda: time.monotonic() > start + 0.05), pytest.raises(Cancelled):
        nap(30.0)


def test_a_good_fate_changes_nothing():
    assert suffer(Fate(), divmod, 7, 3) == (2, 1)


def test_delay_and_slowdown_take_their_time():
    start = time.monotonic()
    suffer(Fate(delay_seconds=0.05, slowdown=3.0), time.sleep, 0.02)

    assert time.monotonic() - start >= 0.05 + 3 * 0.02


WRONG = Scaled(factor=2.0, ranks=(0,)).fate(Draw(0, 0, 0))


def test_a_wrong_answer_is_returned_or_left_where_the_work_wrote_it():
    a, b = np.eye(2), np.arange(4.0).reshape(2, 2)
    out = np.empty((2, 2))

    np.testing.assert_array_equal(suffer(WRONG, multiply, a, b), 2 * b)
    assert suffer(WRONG, multiply, a, b, out) is None
    np.testing.assert_array_equal(out, 2 * b)


def test_what_is_no_array_cannot_be_spoilt():
    assert suffer(WRONG, divmod, 7, 3) == (2, 1)
    assert suffer(WRONG, lambda: None) is None


def test_a_stale_answer_is_the_one_before_right_or_wrong():
    model, memory = Stale(ranks=(0,), rounds=(1, 2)), {}
    answers = [np.full(3, float(at)) for at in range(4)]

    given = [spoilt(model.fate(Draw(0, at, 0)), answer, (), memory) for at, answer in enumerate(answers)]

    assert [answer[0] for answer in given] == [0.0, 0.0, 1.0, 3.0]
