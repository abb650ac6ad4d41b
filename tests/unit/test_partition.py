"""Shapes of blocks: they cover what they cut, and no more than needed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk.errors import CodeError
from anyk.partition import Partition, blocks_of

counts = st.integers(1, 9)
lengths = st.integers(1, 50)


@given(lengths, counts)
def test_equal_pieces_cover_a_length_with_less_than_one_piece_to_spare(length, parts):
    piece = blocks_of(length, parts)
    assert 0 <= piece * parts - length < parts


@given(counts, counts, counts, lengths, lengths, lengths)
def test_blocks_of_factors_and_result_fit_each_other(rows, inner, cols, height, depth, width):
    cut = Partition(rows, inner, cols)
    left, right, result = (
        cut.left_block((height, depth)),
        cut.right_block((depth, width)),
        cut.result_block((height, width)),
    )
    assert left[1] == right[0]
    assert result == (left[0], right[1])
    assert (np.zeros(left) @ np.zeros(right)).shape == result


@given(counts, counts, counts)
def test_products_and_wanted_blocks_are_counted(rows, inner, cols):
    cut = Partition(rows, inner, cols)
    assert (cut.products, cut.wanted) == (rows * inner * cols, rows * cols)
    assert str(cut) == f"{rows} x {inner} x {cols}"


@pytest.mark.parametrize("name", ["rows", "inner", "cols"])
@pytest.mark.parametrize("count", [0, -1, 2.0, "2", True, None, np.int64(2)])
def test_what_counts_no_blocks_is_refused_by_name(name, count):
    with pytest.raises(CodeError, match=f"`{name}` to be an integer of at least 1"):
        Partition(**{"rows": 1, "inner": 1, "cols": 1, name: count})


def test_a_partition_is_a_value():
    assert Partition(1, 2, 3) == Partition(1, 2, 3)
    assert len({Partition(1, 2, 3), Partition(1, 2, 3)}) == 1
