"""Where tasks are computed: in turn, copies apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyk
from anyk.errors import InputError
from anyk.job import Job, first_threshold
from anyk.job.messages import Compute, Lost
from anyk.job.placement import homes
from tests.verbs.toys import FOREVER, fates


@given(tasks=st.integers(0, 40), workers=st.integers(1, 20))
def test_different_tasks_go_to_workers_in_turn(tasks, workers):
    assert homes(range(tasks), workers) == tuple(task % workers for task in range(tasks))


@given(
    kinds=st.integers(1, 20),
    copies=st.integers(1, 4),
    workers=st.integers(1, 40),
    side_by_side=st.booleans(),
)
def test_copies_are_apart_and_loads_even(kinds, copies, workers, side_by_side):
    order = np.arange(kinds * copies) // copies if side_by_side else np.arange(kinds * copies) % kinds
    places = homes(order.tolist(), workers)
    loads = np.bincount(places, minlength=workers)

    assert loads.max() - loads.min() <= 1
    for kind in range(kinds):
        assert len({places[task] for task in np.flatnonzero(order == kind)}) == min(copies, workers)


def test_copies_beyond_the_workers_are_shared_out():
    assert sorted(homes("aaaaa", 3)) == [0, 0, 1, 1, 2]


@given(
    kinds=st.integers(1, 12),
    copies=st.integers(1, 3),
    workers=st.integers(1, 20),
    avoided=st.sets(st.integers(0, 19)),
)
def test_avoided_workers_get_nothing_and_all_other_tasks_stay(kinds, copies, workers, avoided):
    order = [task % kinds for task in range(kinds * copies)]
    before, after = homes(order, workers), homes(order, workers, avoided)
    trusted = {*range(workers)} - avoided

    assert all(new == old for old, new in zip(before, after, strict=True) if old in trusted or not trusted)
    assert {*after} <= (trusted or {*range(workers)})
    for kind in range(kinds if trusted else 0):
        places = [place for place, what in zip(after, order, strict=True) if what == kind]
        assert len({*places}) >= min(len({*before[kind::kinds]}), len(trusted))


def test_a_distrusted_worker_is_sent_nothing_again():
    class any_two:
        def sufficient(self, tasks):
            return len(tasks) > 1

    job = Job(3, 3, threshold=2, decodability=any_two(), stop=first_threshold(), homes=(1, 1, 2), distrusted=[0])
    job.start(at=0.0)

    assert job.handle(Lost(2, 0, 0.1, "test")) == [Compute(2, 2, 1)]


@pytest.mark.parametrize("given_homes", [(0, 1), (0, 1, 3), (0, 1, -1)])
def test_a_home_is_a_worker_for_each_task(given_homes):
    with pytest.raises(InputError, match="homes are 3 numbers from 0 to 2"):
        Job(3, 3, threshold=1, decodability=None, stop=first_threshold(), homes=given_homes)


def test_a_job_sends_tasks_home():
    class any_one:
        def sufficient(self, tasks):
            return len(tasks) > 0

    job = Job(3, 2, threshold=1, decodability=any_one(), stop=first_threshold(), homes=(1, 1, 0))

    assert job.start(at=0.0) == [Compute(0, 1, 0), Compute(1, 1, 0), Compute(2, 0, 0)]


@pytest.mark.parametrize("workers", [2, 4, 8, 16, 32])
def test_replication_survives_any_silent_worker_on_any_number_of_workers(workers):
    # two copies of 16 products; so far copies met where the workers divide 16
    code = anyk.codes.replication(4, 1, 4, copies=2)
    A, B = np.random.default_rng(0).standard_normal((2, 8, 8))
    for silent in (0, workers - 1):
        faults = fates({silent: [FOREVER] * 32})
        with anyk.engines.open(f"simulated:{workers}", faults=faults) as engine:
            product = anyk.matmul(A, B, code, engine=engine, retries=0)
            on_silent = {stretch.task for stretch in product.timeline() if stretch.worker == silent}

            assert on_silent
            assert not on_silent & {*product.survivors}
            assert np.allclose(product, A @ B)
            with anyk.place(A, anyk.codes.replication(4, 2, 1, copies=2), engine=engine) as coded:
                assert np.allclose(coded @ B[:, 0], A @ B[:, 0])
