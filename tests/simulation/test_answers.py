"""When answers come, for many products at once: the law and, asked alone, the very numbers of the engines."""

import numpy as np
import pytest

from anyk import faults
from anyk.errors import InputError
from anyk.faults import Draw
from anyk.simulation import answer_seconds, kth_smallest


@pytest.mark.parametrize("name", faults.FAULTS)
def test_asked_alone_the_fates_are_those_an_engine_draws(name: str) -> None:
    model, work = faults.FAULTS[name].example, np.array([1.0, 2.0, 0.5])
    seed = int(np.random.default_rng(7).integers(2**63))
    fates = [[model.fate(Draw(seed, round, rank)) for rank in range(3)] for round in range(20)]

    times = answer_seconds(model, seconds=work, products=20, rng=np.random.default_rng(7), alone=True)

    expected = [
        [np.inf if fate.end else own * fate.slowdown + fate.delay_seconds for own, fate in zip(work, row, strict=True)]
        for row in fates
    ]
    np.testing.assert_array_equal(times, expected)


@pytest.mark.parametrize("name", faults.FAULTS)
def test_a_generator_decides_every_number(name: str) -> None:
    model = faults.FAULTS[name].example
    one, two = (answer_seconds(model, seconds=np.ones(5), products=4, rng=np.random.default_rng(3)) for _ in range(2))

    np.testing.assert_array_equal(one, two)


def test_the_kth_smallest_of_each_row_is_the_sorted_rows_kth() -> None:
    times = np.random.default_rng(0).exponential(size=(50, 9))
    times[times > 2] = np.inf

    for k in range(1, 10):
        np.testing.assert_array_equal(kth_smallest(times, k), np.sort(times, axis=1)[:, k - 1])


@pytest.mark.parametrize("k", [0, 4])
def test_a_row_of_three_has_no_fourth_smallest(k: int) -> None:
    with pytest.raises(InputError, match=f"k={k}"):
        kth_smallest(np.ones((2, 3)), k)


@pytest.mark.parametrize("seconds", [[], [[1.0]], [-1.0], [np.nan], 3.0])
def test_work_is_a_list_of_durations(seconds: object) -> None:
    with pytest.raises(InputError, match="answer_seconds"):
        answer_seconds(None, seconds=seconds, products=1, rng=np.random.default_rng(0))
