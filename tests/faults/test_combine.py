import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk.errors import InputError
from anyk.faults import FAULTS, Combined, Crash, Draw, Fate, Pareto, SlowNodes, Stop, Trace, combine

DRAWS = [Draw(seed, round, rank) for seed in range(3) for round in range(4) for rank in range(4)]
MODELS = st.sampled_from([family.example for family in FAULTS.values()])


def fates(model):
    return [model.fate(draw) for draw in DRAWS]


def fixed(delay=0.0, slowdown=1.0, end="", after=0.0):
    """A model whose every fate is this one."""
    late = Trace([[delay]])
    slow = SlowNodes(fraction=1.0, factor=slowdown)
    ends = {"": [], "crash": [Crash(1.0, after_seconds=after)], "stop": [Stop(1.0, after_seconds=after)]}[end]
    return combine(late, slow, *ends)


def test_delays_add():
    assert combine(fixed(0.5), fixed(0.25), fixed(2.0)).fate(DRAWS[0]) == Fate(2.75)


def test_slowdowns_multiply():
    assert combine(fixed(slowdown=2.0), fixed(slowdown=1.5)).fate(DRAWS[0]) == Fate(slowdown=3.0)


@pytest.mark.parametrize("order", [1, -1])
def test_the_first_end_in_time_wins_whatever_the_order(order):
    models = [fixed(end="crash", after=2.0), fixed(end="stop", after=1.0)][::order]
    assert combine(*models).fate(DRAWS[0]) == Fate(1.0, "stop")


def test_of_two_ends_at_the_same_time_the_first_named_wins():
    assert combine(Stop(1.0), Crash(1.0)).fate(DRAWS[0]).end == "stop"
    assert combine(Crash(1.0), Stop(1.0)).fate(DRAWS[0]).end == "crash"


def test_delays_do_not_postpone_an_end():
    assert combine(fixed(5.0), fixed(end="crash", after=1.0)).fate(DRAWS[0]) == Fate(1.0, "crash")


def test_of_no_model_nothing_ever_happens():
    assert set(fates(combine())) == {Fate()}


@given(MODELS)
def test_one_model_alone_is_itself(model):
    assert combine(model) == combine(combine(), model, combine()) == model


@given(MODELS, MODELS, MODELS)
def test_grouping_does_not_matter(a, b, c):
    assert combine(combine(a, b), c) == combine(a, combine(b, c)) == combine(a, b, c)


def test_two_equal_members_draw_independently():
    once, twice = Pareto(), combine(Pareto(), Pareto())
    halves = [fate.delay_seconds / 2 for fate in fates(twice)]

    assert all(half != fate.delay_seconds for half, fate in zip(halves, fates(once), strict=True))
    assert isinstance(twice, Combined)
    first, second = (Combined((*[Trace([[0.0]])] * place, Pareto())) for place in (0, 1))
    assert all(a.delay_seconds != b.delay_seconds for a, b in zip(fates(first), fates(second), strict=True))
    sums = [a.delay_seconds + b.delay_seconds for a, b in zip(fates(first), fates(second), strict=True)]
    assert sums == [fate.delay_seconds for fate in fates(twice)]


@pytest.mark.parametrize("member", [Crash, None, "crash"])
def test_something_that_is_no_model_is_refused(member):
    with pytest.raises(InputError, match="fault models"):
        combine(Pareto(), member)
