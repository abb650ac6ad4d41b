"""Buffers on the lanes: one piece of memory for all tasks, used again by products of other shapes."""

import gc
import time

import numpy as np
import pytest

import anyk
from anyk.engines.processes import ProcessEngine
from anyk.errors import InputError
from anyk.verbs import blocks as module
from anyk.verbs.blocks import Blocks, Shelf, homes_of
from tests.engines.test_processes import is_running
from tests.verbs.toys import held, kill

FLOAT = np.dtype(np.float64)


@pytest.fixture
def engine():
    with anyk.engines.open("inline:3") as engine:
        yield engine


def made(engine, shape=(2, 4), homes=(0, 1, 2)):
    return Blocks(engine, homes, shape, FLOAT)


def region(array):
    return array.__array_interface__["data"][0]


def test_workers_see_what_is_written_here(engine):
    blocks = made(engine)
    for task, array in enumerate(blocks.arrays):
        ref = blocks.bring(task, blocks.home(task))
        array[...] = task + 1

        assert blocks.home(task).submit(np.sum, ref).result() == 8.0 * (task + 1)


def test_a_smaller_shape_takes_the_beginning_of_each_region_and_a_larger_one_does_not_fit(engine):
    blocks = made(engine)
    before = [region(array) for array in blocks.arrays]
    blocks.lay((3, 2), FLOAT)

    assert [array.shape for array in blocks.arrays] == [(3, 2)] * 3
    assert [region(array) for array in blocks.arrays] == before
    assert blocks.fit((0, 1, 2), (1, 8), FLOAT, slack=1.0)
    assert not blocks.fit((0, 1, 2), (3, 8), FLOAT, slack=1.0)
    assert not blocks.fit((0, 2, 1), (1, 8), FLOAT, slack=1.0)


def test_a_shape_seen_before_brings_nothing_to_the_workers_again(engine, monkeypatch):
    blocks, puts = made(engine), []
    monkeypatch.setattr(type(engine.lanes[0]), "put", lambda lane, name, _: puts.append(name))
    for shape in [(2, 4), (1, 2), (2, 4), (1, 2)]:
        blocks.lay(shape, FLOAT)
        for task in range(3):
            blocks.bring(task, blocks.home(task))

    assert len(puts) == 6


def test_workers_keep_names_for_a_few_shapes_only(engine):
    blocks = made(engine, shape=(1, 40))
    for width in range(1, 30):
        blocks.lay((1, width), FLOAT)
        for task in range(3):
            blocks.bring(task, blocks.home(task))
    engine.lanes[0].fetch(blocks.bring(0, engine.lanes[0])).result()

    assert all(len(lane._store) == module._LAYOUTS for lane in engine.lanes)


def test_a_retired_region_is_replaced_in_every_shape(engine):
    blocks = made(engine)
    old = blocks.bring(0, engine.lanes[1])
    blocks.lay((1, 2), FLOAT)
    small = blocks.bring(0, engine.lanes[1])
    before = blocks.arrays[0]
    blocks.retire(0)
    after = blocks.arrays[0]
    blocks.lay((2, 4), FLOAT)

    assert not np.shares_memory(before, after)
    assert np.shares_memory(after, blocks.arrays[0])
    for name in (old, small):
        with pytest.raises(InputError):
            engine.lanes[1].fetch(name).result()


@pytest.mark.parametrize(("slack", "kept"), [(2.0, False), (8.0, True)])
def test_a_shelf_frees_what_is_far_too_large(engine, slack, kept):
    shelf = Shelf(engine, slack=slack)
    with shelf.lent("role", (0, 1, 2), (8, 64), FLOAT) as large:
        pass
    with shelf.lent("role", (0, 1, 2), (8, 8), FLOAT) as small:
        assert (small is large) is kept
        assert small.shape == (8, 8)


def test_copies_of_a_product_are_at_home_on_different_lanes():
    assert homes_of(anyk.codes.replication(2, 1, 1, copies=2), 2) == (0, 1, 1, 0)
    assert homes_of(anyk.codes.mds(2, 5), 2) == (0, 1, 0, 1, 0)


def holds_no_more_than(limit):
    """In the end: an answer that nobody waited for is let go of when it comes."""
    for _ in range(200):
        if all(now <= then for now, then in zip(held(), limit, strict=True)):
            return True
        gc.collect()
        time.sleep(0.02)
    return False


@pytest.mark.cluster
def test_all_tasks_of_an_operand_share_one_open_file():
    A = np.ones((60, 60))
    with ProcessEngine(4) as engine:
        before = held()
        anyk.matmul(A, A, anyk.codes.mds(2, 4), engine=engine)
        few = held()
        anyk.matmul(A, A, anyk.codes.mds(2, 40), engine=engine)

        assert few[1] - before[1] == 3
        assert holds_no_more_than(few)


@pytest.mark.cluster
@pytest.mark.parametrize("deaths", [False, True])
def test_alternating_widths_use_the_same_memory(deaths):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 30))
    with ProcessEngine(4) as engine, anyk.place(A, anyk.codes.mds(2, 4), engine=engine) as coded:
        coded @ np.ones((30, 9))
        before, killed = held(), 0
        for width in (1, 9, 4, 1, 9, 4):
            X = rng.standard_normal((30, width))
            lane = engine.lanes[width % 4]
            if deaths and is_running(lane.pid):  # who was killed before is replaced once a product misses it
                kill(lane)
                killed += 1

            assert np.allclose(coded @ X, A @ X)
        assert killed >= 2 * deaths
        assert deaths or holds_no_more_than(before)


@pytest.mark.cluster
def test_a_worker_holds_its_own_part_alone():
    with ProcessEngine(2) as engine:
        blocks = Blocks(engine, (0, 1), (3, 3), FLOAT)
        blocks.arrays[1][...] = 2.0

        assert engine.lanes[1].submit(np.sum, blocks.bring(1, engine.lanes[1])).result() == 18.0
        with pytest.raises(InputError):
            engine.lanes[1].fetch(blocks.bring(0, engine.lanes[0])).result()
