"""A code when none is named: it survives what it was asked to, keeps the workers busy, and is the same everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk.errors import InputError
from anyk.planning import choose

SQUARE = ((1000, 1000), (1000, 1000))
DEEP = ((100, 10_000), (10_000, 100))


@pytest.mark.parametrize(
    ("shapes", "workers", "stragglers", "family"),
    [
        (SQUARE, 8, 0, "uncoded"),
        (SQUARE, 1, 0, "uncoded"),
        (SQUARE, 10, 2, "polynomial"),
        (((1000, 1000), (1000, 1)), 10, 2, "mds"),
        (((1000, 1000), (1000, 7)), 10, 2, "mds"),
        # a narrow B costs nothing to hand out whole, whatever its width: only A is worth cutting
        (((1000, 1000), (1000, 8)), 10, 2, "mds"),
        # 1/6 of the work each, where MatDot with its seven answers gives everybody a quarter
        (DEEP, 10, 2, "generalized_polydot"),
        # one answer of ten must do: everybody computes everything, and nothing need be encoded or decoded
        (DEEP, 10, 9, "replication"),
    ],
)
def test_the_family_fits_the_shapes(shapes, workers, stragglers, family):
    assert choose(*shapes, workers=workers, stragglers=stragglers).name == family


@given(st.tuples(*[st.integers(1, 3000)] * 3), st.integers(1, 24), st.integers(0, 6))
def test_the_code_survives_the_stragglers(sizes, workers, stragglers):
    if stragglers >= workers:
        return
    height, depth, width = sizes

    code = choose((height, depth), (depth, width), workers=workers, stragglers=stragglers)

    assert code.workers <= workers
    assert code.recovery_threshold <= max(1, workers - stragglers)
    if stragglers:
        assert code.workers - code.recovery_threshold >= stragglers


@pytest.mark.parametrize(("workers", "stragglers"), [(0, 0), (2, 2), (2, 3), (2, -1), (-1, 0)])
def test_no_answers_left_is_refused(workers, stragglers):
    with pytest.raises(InputError, match="leaves no answer to decode from"):
        choose(*SQUARE, workers=workers, stragglers=stragglers)


@pytest.mark.parametrize(
    ("count", "rows", "cols"),
    # a prime has no grid: seven strips give everybody a seventh, which is worth sending all of B to each
    [(4, 2, 2), (6, 3, 2), (7, 7, 1), (12, 4, 3), (16, 4, 4)],
)
def test_large_products_are_cut_for_every_worker_as_squarely_as_may_be(count, rows, cols):
    cut = choose((6000, 6000), (6000, 6000), workers=count).partition

    assert (cut.rows, cut.inner, cut.cols) == (rows, 1, cols)


@pytest.mark.parametrize("workers", range(1, 20))
def test_without_redundancy_most_workers_have_something_to_do(workers):
    assert choose(*SQUARE, workers=workers).workers >= 0.75 * workers


def test_matrices_too_small_to_be_cut_for_everybody_are_cut_for_some():
    assert choose((1, 1), (1, 1), workers=8).workers == 1
    assert choose((1, 1), (1, 1), workers=8, stragglers=3).name == "replication"


def test_the_same_question_gives_the_same_object():
    """So that what was worked out for a code, its decoding weights for one, is found again."""
    assert choose(*SQUARE, workers=10, stragglers=2) is choose(*SQUARE, workers=10, stragglers=2)


def test_the_choice_does_not_depend_on_a_calibration(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYK_CALIBRATION", str(tmp_path / "broken.json"))
    (tmp_path / "broken.json").write_text("{")

    assert choose((1001, 1000), (1000, 1000), workers=10, stragglers=2).name == "polynomial"
