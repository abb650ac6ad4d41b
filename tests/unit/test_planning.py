"""The simple rule: it survives what it was asked to, and picks the family that fits the shapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk.errors import InputError
from anyk.planning import choose

SQUARE = ((1000, 1000), (1000, 1000))


@pytest.mark.parametrize(
    ("shapes", "workers", "stragglers", "family"),
    [
        (SQUARE, 8, 0, "uncoded"),
        (SQUARE, 1, 0, "uncoded"),
        (SQUARE, 10, 2, "polynomial"),
        (((1000, 1000), (1000, 1)), 10, 2, "mds"),
        (((1000, 1000), (1000, 7)), 10, 2, "mds"),
        (((1000, 1000), (1000, 8)), 10, 2, "polynomial"),
        (((100, 10_000), (10_000, 100)), 10, 2, "matdot"),
        (((100, 10_000), (10_000, 100)), 10, 9, "polynomial"),
        (((100, 400), (400, 100)), 10, 2, "polynomial"),
    ],
)
def test_the_family_fits_the_shapes(shapes, workers, stragglers, family):
    assert choose(*shapes, workers=workers, stragglers=stragglers).name == family


@given(
    st.tuples(*[st.integers(1, 3000)] * 3),
    st.integers(1, 24),
    st.integers(0, 6),
)
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


@pytest.mark.parametrize(("count", "rows", "cols"), [(4, 2, 2), (6, 3, 2), (7, 3, 2), (12, 4, 3), (16, 4, 4)])
def test_grids_are_as_square_as_the_blocks_allow(count, rows, cols):
    cut = choose(*SQUARE, workers=count).partition
    assert sorted((cut.rows, cut.cols), reverse=True) == [rows, cols]
